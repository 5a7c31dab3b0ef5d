"""What is asked of the contenders, and what is made of their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from .contender import Answer

Clock = Literal["wall", "cpu"]
Spread = tuple[float, float, float]
"""Least, median, most of the rounds."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One task with its parameters; `once`: in the first round only."""

    key: str
    task: str
    parameters: Mapping[str, Any]
    once: bool = False


@dataclass(frozen=True, slots=True)
class Metric:
    """A line of the table."""

    key: str
    label: str
    unit: str
    ask: str
    value: Callable[[Answer, Clock], float]


def asks(seconds: float, lengths: Sequence[float], rows: Sequence[int]) -> list[Ask]:
    """In the order of a round."""
    stage = {"seconds": seconds}
    return [
        Ask("text", "text", {}),
        Ask("bert", "bert", {}),
        *(Ask(name, name, stage) for name in ("prefill", "tokens", "latent", "wave", "vocode")),
        Ask("stream", "speak", {"seconds": seconds, "stream": True}),
        Ask("whole", "speak", {"seconds": seconds, "stream": False}),
        Ask("distance", "distance", stage, once=True),
        *(Ask(f"rows_{count}", "rows", {"count": count}) for count in rows),
        *(Ask(f"cost_{length:g}", "speak", {"seconds": length, "stream": True}) for length in lengths),
    ]


def metrics(seconds: float, lengths: Sequence[float], rows: Sequence[int]) -> list[Metric]:
    """The lines of the table."""
    return [
        Metric("text_ms", "reading a short sentence", "ms", "text", _ms),
        Metric("bert_ms", "BERT of a short Chinese sentence", "ms", "bert", _ms),
        Metric("prefill_ms", "prefill", "ms", "prefill", _ms),
        Metric("token_ms", "a token", "ms", "tokens", _ms_each),
        Metric("latent_ms", "tokens to latent", "ms", "latent", _ms),
        Metric("wave_ms", "latent to wave", "ms", "wave", _ms),
        Metric("vocode_s", f"SoVITS, {seconds:g} s", "s", "vocode", _s),
        Metric("first_audio_ms", f"first audio of {seconds:g} s", "ms", "stream", _first_ms),
        Metric("streaming_rtf", "real-time factor, streaming", "", "stream", _rtf),
        Metric("whole_rtf", "real-time factor, sentence whole", "", "whole", _rtf),
        Metric("peak_mb", "peak memory", "MB", "peak", lambda answer, clock: float(answer["mb"])),
        Metric("load_s", "loading", "s", "load", _s),
        Metric("ready_s", "daemon, start to READY", "s", "daemon", _s),
        Metric("ready_mb", "daemon, memory then", "MB", "daemon", lambda answer, clock: float(answer["ready_mb"])),
        Metric("request_ms", "daemon, first audio of a request", "ms", "daemon", _first_ms),
        Metric("request_mb", "daemon, peak memory", "MB", "daemon", lambda answer, clock: float(answer["mb"])),
        Metric("streaming_lsd_db", "streamed to whole, log-spectral", "dB", "distance", _db),
        *(
            Metric(f"rows_{n}_ms", f"a token, {n} row{'s' * (n > 1)} at a time", "ms", f"rows_{n}", _ms_each)
            for n in rows
        ),
        *(Metric(f"speak_{n:g}_s", f"speaking {n:g} s", "s", f"cost_{n:g}", _s) for n in lengths),
    ]


def spread(values: Sequence[float]) -> Spread:
    return min(values), median(values), max(values)


def ratio(others: Sequence[float], ours: Sequence[float]) -> float | None:
    """Median over the rounds of what another takes for what we take."""
    quotients = [other / our for other, our in zip(others, ours, strict=False) if our > 0]
    return median(quotients) if quotients else None


def _s(answer: Answer, clock: Clock) -> float:
    return float(answer[clock])


def _ms(answer: Answer, clock: Clock) -> float:
    return 1e3 * float(answer[clock])


def _ms_each(answer: Answer, clock: Clock) -> float:
    return 1e3 * float(answer[clock]) / int(answer["count"])


def _first_ms(answer: Answer, clock: Clock) -> float:
    wall, cpu = answer["first"]
    return 1e3 * float(wall if clock == "wall" else cpu)


def _rtf(answer: Answer, clock: Clock) -> float:
    return float(answer[clock]) / float(answer["audio_s"])


def _db(answer: Answer, clock: Clock) -> float:
    return float(answer["db"])
