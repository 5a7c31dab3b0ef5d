"""How well requests are served: counters, the last error, and the service level over sliding windows."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from edge_tts.config import ServiceLevelConfig
from edge_tts.runtime.caller_errors import is_callers, without_texts
from edge_tts.runtime.part_status import utc_now
from edge_tts.values import CLOSING, Report

WINDOWS = {"hour": 3600.0, "day": 86400.0}
"""Name -> seconds."""
_MOST_REQUESTS = 10_000
"""More than that in a day: the window is shorter."""
_MOST_OPEN = 1_000
_UPTIME_STEP_S = 60


@dataclass(frozen=True, slots=True)
class _Served:
    """One that has begun, or has ended."""

    at: float
    good: bool = True
    first_audio_s: float | None = None


class ServiceLevel:
    """An event listener of one appliance after the other: what it counts goes on over a change of the model set.

    Served well: `done`. Not: `failed` and `expired`. Left out: what was stopped, what was the caller's mistake, the
    appliance's own jobs, and closing reports that are sent again after a restart. First audio is counted from
    `started`, so without the wait in the queue, and not while playing is paused.
    """

    def __init__(
        self,
        config: ServiceLevelConfig,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._config, self._clock, self._now = config, clock, now
        self._began, self._began_at = clock(), now().isoformat(timespec="seconds")
        self._open: dict[str, _Served] = {}
        self._closed: deque[_Served] = deque(maxlen=_MOST_REQUESTS)
        self._counters = Counter[str](dict.fromkeys(sorted(CLOSING), 0))
        self._last_error: Mapping[str, Any] | None = None
        self._failing: frozenset[str] = frozenset()

    def on_report(self, report: Report) -> None:
        """Reports come one at a time, under the bus's lock."""
        if "kind" in report.details or "resent" in report.details:
            return
        if report.stage == "started":
            self._begin(report)
        elif report.stage == "first_audio" and report.id in self._open:
            begun = self._open[report.id]
            self._open[report.id] = replace(begun, first_audio_s=self._clock() - begun.at)
        elif report.stage in CLOSING:
            self._close(report)

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        if topic != "state":
            return
        if value["paused"]:
            self._open.clear()
        failing = {part: health for part, health in value["health"].items() if health["status"] != "ok"}
        for part in failing.keys() - self._failing:
            self._last_error = {"at": failing[part]["since"], "part": part, "message": failing[part]["why"]}
        self._failing = frozenset(failing)

    def as_state(self) -> dict[str, Any]:
        """The fields of `State` that are known here."""
        return {
            "started_at": self._began_at,
            "uptime_s": int(self._clock() - self._began) // _UPTIME_STEP_S * _UPTIME_STEP_S,
            "counters": dict(self._counters),
            "last_error": self._last_error,
            "service_level": self.measured(),
        }

    def measured(self) -> dict[str, Any]:
        """Each window, the targets, and whether the day meets them."""
        now, closed = self._clock(), self._closed.copy()
        windows = {
            name: _measure([one for one in closed if now - one.at <= seconds]) for name, seconds in WINDOWS.items()
        }
        return {**windows, "target": self._config.model_dump(), "met": self._is_met(windows["day"])}

    def _is_met(self, window: Mapping[str, Any]) -> bool | None:
        """None without requests."""
        p95_s, success = window["first_audio_p95_s"], window["success_percent"]
        if success is None:
            return None
        return bool(success >= self._config.success_percent and (p95_s or 0) <= self._config.first_audio_s)

    def _begin(self, report: Report) -> None:
        while len(self._open) >= _MOST_OPEN:
            self._open.pop(next(iter(self._open)))
        self._open[report.id] = _Served(self._clock())

    def _close(self, report: Report) -> None:
        begun = self._open.pop(report.id, None)
        self._counters[report.stage] += 1
        if report.stage == "failed":
            why = without_texts(report.details)
            shown: dict[str, Any] = {name: why[name] for name in ("error", "message") if name in why}
            self._last_error = {"at": self._now().isoformat(timespec="seconds"), "id": report.id, **shown}
        if report.stage != "interrupted" and not is_callers(report.details):
            first_audio_s = None if begun is None else begun.first_audio_s
            self._closed.append(_Served(self._clock(), report.stage == "done", first_audio_s))


def _measure(requests: Sequence[_Served]) -> dict[str, Any]:
    """Null where nothing was asked for."""
    delays = sorted(one.first_audio_s for one in requests if one.first_audio_s is not None)
    good = sum(one.good for one in requests)
    return {
        "requests": len(requests),
        "success_percent": math.floor(10_000 * good / len(requests)) / 100 if requests else None,
        "first_audio_p95_s": round(delays[math.ceil(0.95 * len(delays)) - 1], 2) if delays else None,
    }
