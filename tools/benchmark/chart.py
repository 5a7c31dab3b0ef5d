"""The results as a picture: a row of bars for each figure, in plain SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .metrics import Metric, spread
from .results import Results

SHOWN = ("token_ms", "prefill_ms", "vocode_s", "first_audio_ms", "streaming_rtf", "peak_mb", "load_s")
_WIDTH, _LEFT, _BAR, _GAP, _TITLE = 720, 170, 16, 5, 26
_LONGEST = _WIDTH - _LEFT - 150
_OURS, _OTHERS, _INK = "#2a78c8", "#9aa4ad", "#7a828a"
"""Each readable on white and on black."""


def chart(results: Results) -> str:
    """Bars of the medians, the shorter the better, with their range as a line; ours in colour."""
    parts, y = list[str](), 10
    for metric in results.metrics:
        if metric.key in SHOWN and any(results.values(name, metric) for name in results.contenders):
            parts += _bars(results, metric, y)
            y += _TITLE + (_BAR + _GAP) * len(results.contenders) + 12
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, f"<title>{escape(_title(results))}</title>", *parts, "</svg>"]) + "\n"


def _bars(results: Results, metric: Metric, y: int) -> Iterator[str]:
    values = {name: results.values(name, metric) for name in results.contenders}
    scale = _LONGEST / max(max(found) for found in values.values() if found)
    unit = f", {metric.unit}" if metric.unit else ""
    yield f'<text x="{_LEFT}" y="{y + 14}" font-weight="bold" fill="{_INK}">{escape(metric.label + unit)}</text>'
    y += _TITLE
    for name, found in values.items():
        middle = y + _BAR - 4
        yield f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end" fill="{_INK}">{escape(name)}</text>'
        if found:
            yield from _bar(results, metric, name, y, scale)
        else:
            yield f'<text x="{_LEFT}" y="{middle}" fill="{_INK}">-</text>'
        y += _BAR + _GAP


def _bar(results: Results, metric: Metric, name: str, y: int, scale: float) -> Iterator[str]:
    least, middle, most = spread(results.values(name, metric))
    ours = name == results.contenders[0]
    times = None if ours else results.ratio(name, metric)
    label = f"{middle:.3g}" if middle < 1000 else f"{middle:,.0f}"
    label += f" ({times:.1f} x)" if times is not None else ""
    fill = _OURS if name.startswith("ours") else _OTHERS
    yield f'<rect x="{_LEFT}" y="{y}" width="{middle * scale:.1f}" height="{_BAR}" fill="{fill}"/>'
    level = y + _BAR / 2
    yield (
        f'<line x1="{_LEFT + least * scale:.1f}" y1="{level}" x2="{_LEFT + most * scale:.1f}" y2="{level}" '
        f'stroke="{_INK}" stroke-width="2"/>'
    )
    yield f'<text x="{_LEFT + most * scale + 6:.1f}" y="{y + _BAR - 4}" fill="{_INK}">{label}</text>'


def _title(results: Results) -> str:
    rounds = len(results.loads)
    busy = "; other work ran beside it" if results.busy is not None else ""
    return f"Medians of {rounds} interleaved rounds, shorter is better; lines from least to most{busy}"
