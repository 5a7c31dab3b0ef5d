"""The results as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from .metrics import Metric, spread
from .results import GEMM, GEMV, Results

_LABEL, _CELL = 36, 32


def table(results: Results) -> Iterator[str]:
    """Lines: median (least to most), how many times ours, how far from the floor; then what to know of them."""
    yield " " * _LABEL + "".join(f"{name:>{_CELL}}" for name in results.contenders)
    for metric in results.metrics:
        if any(results.values(name, metric) for name in results.contenders):
            cells = (_cell(results, name, metric) for name in results.contenders)
            label = f"{metric.label}, {metric.unit}" if metric.unit else metric.label
            yield f"{label:{_LABEL}}" + "".join(f"{cell:>{_CELL}}" for cell in cells)
    yield ""
    yield from _notes(results)


def _cell(results: Results, name: str, metric: Metric) -> str:
    values = results.values(name, metric)
    if not values:
        return "-"
    least, middle, most = spread(values)
    text = _number(middle) if least == most else f"{_number(middle)} ({_number(least)} to {_number(most)})"
    times = results.ratio(name, metric) if name != results.contenders[0] else None
    floor = results.over_floor(name, metric)
    return text + (f" {times:.2f}x" if times is not None else "") + (f" f{floor:.1f}" if floor is not None else "")


def _notes(results: Results) -> Iterator[str]:
    rounds, clock = len(results.loads), {"wall": "by the clock", "cpu": "processor time"}[results.clock]
    yield f"Median (least to most) of {rounds} interleaved round{'s' * (rounds > 1)}, {clock}."
    yield f"1.50x: takes 1.5 times what {results.contenders[0]} takes, the median of the ratios of each round."
    if results.rates(GEMV) and results.rates(GEMM):
        bandwidth, speed = spread(results.rates(GEMV))[1], spread(results.rates(GEMM))[1]
        yield (
            f"f2.0: twice the floor, the longer of reading the weights at {bandwidth / 1e9:.1f} GB/s and multiplying "
            f"in float32 at {speed / 1e9:.0f} GFLOP/s, both measured meanwhile; below 1 where weights stay in a cache "
            "or 8 bits are multiplied."
        )
    for load in results.loads:
        yield f"load: {load}"
    if results.busy is not None:
        yield "NOTE: the machine was too busy for its times to mean anything; look at the ratios."
    yield from (f"{name}: {text}" for name, text in results.about.items())
    yield from (f"{name}: {text}" for name, text in results.errors.items())
    yield from _refusals(results)


def _refusals(results: Results) -> Iterator[str]:
    for name in results.contenders:
        reasons: dict[str, list[str]] = {}
        for metric in results.metrics:
            if why := results.refusal(name, metric):
                reasons.setdefault(why, []).append(metric.key)
        for why, keys in reasons.items():
            yield f"{name} has no {', '.join(keys)}: {why}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
