"""Which part of a recording is kept: from pause to pause, never cut inside a word. Knows no limits and no networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..values import FloatArray, Recording
from .measures import clipped_share, level_db
from .mel import RATE
from .vad import BLOCK_S, Stretch

_LEAD_S, _TAIL_S = 0.1, 0.2
MARGINS_S = _LEAD_S + _TAIL_S
"""Kept before the first and after the last word, together."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a recording that is judged and kept."""

    mono: Recording
    wave: FloatArray
    """The whole recording at 16 kHz."""
    all: tuple[Stretch, ...]
    kept: tuple[Stretch, ...]

    def cut(self, recording: Recording) -> Recording:
        """`recording` (the same sound at any rate) from just before the first word to just after the last."""
        rate = recording.sample_rate
        start = max(0, int((self.kept[0].start_s - _LEAD_S) * rate))
        return Recording(recording.samples[start : int((self.kept[-1].end_s + _TAIL_S) * rate)], rate)

    def speech(self) -> FloatArray:
        """The words alone, float32 [samples] at 16 kHz."""
        return _join(self.wave, self.kept)

    def background(self) -> FloatArray:
        """What is heard in the whole recording while nobody speaks, at 16 kHz; the edges of words left out."""
        starts = [0.0, *(stretch.end_s for stretch in self.all)]
        ends = [*(stretch.start_s for stretch in self.all), len(self.wave) / RATE]
        gaps = [Stretch(a + 2 * BLOCK_S, b - 2 * BLOCK_S) for a, b in zip(starts, ends, strict=True)]
        return _join(self.wave, tuple(gap for gap in gaps if gap.length_s > 0.05))

    def share(self) -> tuple[float, float]:
        """Where the kept part begins and ends among all speech: (0, 1) is the whole of it."""
        total = sum(stretch.length_s for stretch in self.all)
        before = sum(stretch.length_s for stretch in self.all if stretch.end_s <= self.kept[0].start_s)
        return before / total, (before + sum(stretch.length_s for stretch in self.kept)) / total


def best_stretches(found: tuple[Stretch, ...], wave: FloatArray, *, longest_s: float) -> tuple[Stretch, ...]:
    """The stretches to keep: all when they fit, else those in a row that hold most speech, clean and evenly loud.

    A window begins and ends at a pause, never inside a word. When no stretch fits, the first one comes back, too long.
    """
    if found[-1].end_s - found[0].start_s <= longest_s:
        return found
    windows = [
        found[first : last + 1]
        for first in range(len(found))
        for last in range(first, len(found))
        if found[last].end_s - found[first].start_s <= longest_s
    ]
    return max(windows, key=lambda window: _worth(window, wave), default=found[:1])


def _worth(window: tuple[Stretch, ...], wave: FloatArray) -> float:
    """Seconds of speech, less what clipping and uneven loudness cost."""
    levels = [level_db(_join(wave, (stretch,))) for stretch in window]
    clipped = clipped_share(_join(wave, window))
    return sum(stretch.length_s for stretch in window) - 0.1 * (max(levels) - min(levels)) - 200 * clipped


def _join(samples: FloatArray, parts: tuple[Stretch, ...]) -> FloatArray:
    pieces = [samples[int(part.start_s * RATE) : int(part.end_s * RATE)] for part in parts]
    return np.concatenate([np.zeros(0, np.float32), *pieces])
