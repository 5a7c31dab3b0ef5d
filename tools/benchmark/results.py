"""What was answered in all rounds, and the figures that follow from it."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tools.machine_load import MachineLoad

from .contender import Answer
from .metrics import Clock, Metric, Spread, ratio, spread

FLOOR = "floor"
"""The contender that is the machine."""
GEMV, GEMM, WORK = "gemv", "gemm", "work"
_STAGES = {"prefill_ms": "prefill", "token_ms": "", "latent_ms": "latent", "wave_ms": "wave"}
"""Metric that has a floor -> its operations in the answer `work`; a token's are few, its bytes are what counts."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """Answers by contender and what was asked, a list with one of each round."""

    contenders: Sequence[str]
    """Ours first."""
    metrics: Sequence[Metric]
    clock: Clock
    settings: dict[str, Any]
    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    weight_bytes: dict[str, int] = field(default_factory=dict)
    loads: list[MachineLoad] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    """Flavour -> how far it is from the first, in words."""

    def add(self, contender: str, ask: str, answer: Answer) -> None:
        self.answers.setdefault((contender, ask), []).append(answer)

    def values(self, contender: str, metric: Metric, clock: Clock | None = None) -> list[float]:
        """One of each round, in which it could be done."""
        answers = self.answers.get((contender, metric.ask), [])
        return [metric.value(answer, clock or self.clock) for answer in answers if _done(answer)]

    def refusal(self, contender: str, metric: Metric) -> str:
        """Why a contender has no figure; empty where it has one or was not asked."""
        return next((str(a["cannot"]) for a in self.answers.get((contender, metric.ask), []) if "cannot" in a), "")

    def ratio(self, contender: str, metric: Metric) -> float | None:
        """To ours, by rounds."""
        return ratio(self.values(contender, metric), self.values(self.contenders[0], metric))

    def over_floor(self, contender: str, metric: Metric) -> float | None:
        """To the least that the machine needs for that stage in float32, by rounds."""
        floors = self.floors_ms(contender, metric.key)
        return ratio(self.values(contender, metric), floors) if floors else None

    def floors_ms(self, contender: str, key: str) -> list[float]:
        """The longer of reading the weights and of the operations; empty where either is not known."""
        work = next((a for a in self.answers.get((FLOOR, WORK), []) if _done(a)), None)
        size = self.weight_bytes.get(contender, 0)
        if key not in _STAGES or work is None or not size:
            return []
        count = work.get(_STAGES[key], 0)
        bytes_read = size if key in ("prefill_ms", "token_ms") else 0
        rounds = zip(self.rates(GEMV), self.rates(GEMM), strict=True)
        return [1e3 * max(bytes_read / bandwidth, count / speed) for bandwidth, speed in rounds]

    def rates(self, task: str) -> list[float]:
        """Bytes or operations a second, in each round."""
        answers = [answer for answer in self.answers.get((FLOOR, task), []) if _done(answer)]
        return [answer["amount"] / max(answer[self.clock], 1e-9) for answer in answers]

    @property
    def busy(self) -> MachineLoad | None:
        """The busiest round in which others had too much of the machine."""
        busy = [load for load in self.loads if load.too_busy]
        return max(busy, key=lambda load: (load.others or 0) + load.stolen, default=None)

    def as_json(self) -> str:
        """One line."""
        return json.dumps(
            {
                "machine": f"{platform.machine()}, {platform.platform()}",
                **self.settings,
                "clock": self.clock,
                "floor": {name: _spread(self.rates(name)) for name in (GEMV, GEMM)},
                "load": [asdict(load) for load in self.loads],
                "errors": self.errors,
                "contenders": {name: self._contender(name) for name in self.contenders},
            }
        )

    def _contender(self, name: str) -> dict[str, Any]:
        figures = {metric.key: self._figure(name, metric) for metric in self.metrics if self.values(name, metric)}
        cannot = {metric.key: why for metric in self.metrics if (why := self.refusal(name, metric))}
        return {"about": self.about.get(name, ""), "figures": figures, "cannot": cannot}

    def _figure(self, name: str, metric: Metric) -> dict[str, Any]:
        return {
            **{clock: _spread(self.values(name, metric, clock)) for clock in ("wall", "cpu")},
            "ratio": self.ratio(name, metric),
            "over_floor": self.over_floor(name, metric),
        }


def _done(answer: Answer) -> bool:
    return "cannot" not in answer


def _spread(values: Sequence[float]) -> Spread | None:
    """Five digits are more than the machine gives."""
    return tuple(float(f"{value:.5g}") for value in spread(values)) if values else None  # type: ignore[return-value]  # of three
