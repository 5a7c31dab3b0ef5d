"""Which part of a recording is kept: from pause to pause, never cut inside a word."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from edge_tts.recordings.mel import RATE
from edge_tts.recordings.signal_measures import clipped_share, level_db
from edge_tts.recordings.vad import BLOCK_S, SpeechSpan
from edge_tts.values import FloatArray, Recording

_LEAD_S, _TAIL_S = 0.3, 0.2
MARGINS_S = _LEAD_S + _TAIL_S
"""Kept before the first and after the last word, together: the detector may be 0.3 s late."""

SpeechSpans = tuple[SpeechSpan, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a recording that is judged and kept."""

    mono: Recording
    wave: FloatArray
    """The whole recording at 16 kHz."""
    spans: SpeechSpans
    part: tuple[int, int]
    """spans[first:last] are in the window."""

    @property
    def kept(self) -> SpeechSpans:
        return self.spans[slice(*self.part)]

    def cut(self, recording: Recording) -> Recording:
        """The window of `recording`, the same sound at any rate."""
        rate = recording.sample_rate
        before = self.spans[self.part[0] - 1].end_s if self.part[0] else 0.0
        start = int(max(before, self.kept[0].start_s - _LEAD_S) * rate)
        return Recording(recording.samples[start : int((self.kept[-1].end_s + _TAIL_S) * rate)], rate)

    def speech(self) -> FloatArray:
        """float32 [samples] at 16 kHz."""
        return _join(self.wave, self.kept)

    def background(self) -> FloatArray:
        """All that is no speech, without the edges of words, float32 [samples] at 16 kHz."""
        starts = [0.0, *(span.end_s for span in self.spans)]
        ends = [*(span.start_s for span in self.spans), len(self.wave) / RATE]
        gaps = [SpeechSpan(a + 2 * BLOCK_S, b - 2 * BLOCK_S) for a, b in zip(starts, ends, strict=True)]
        return _join(self.wave, tuple(gap for gap in gaps if gap.length_s > 0.05))


def best_part(
    spans: SpeechSpans, wave: FloatArray, *, cuts: Collection[int], shortest_s: float, longest_s: float
) -> tuple[int, int]:
    """spans[first:last] to keep: all when they fit, else those in a row with most speech, clean and evenly loud.

    A window lies between two `cuts`, each the index of the span after a pause or len(spans). When none fits, all is
    kept.
    """
    if span_s(spans) <= longest_s:
        return 0, len(spans)
    parts = list(combinations(sorted(cuts), 2))
    fitting = [part for part in parts if shortest_s <= span_s(spans[slice(*part)]) <= longest_s]
    return max(fitting, key=lambda part: _score(spans[slice(*part)], wave), default=(0, len(spans)))


def span_s(spans: SpeechSpans) -> float:
    return spans[-1].end_s - spans[0].start_s


def _score(window: SpeechSpans, wave: FloatArray) -> float:
    """Seconds of speech, less the cost of clipping and uneven loudness."""
    levels = [level_db(_join(wave, (span,))) for span in window]
    clipped = clipped_share(_join(wave, window))
    return sum(span.length_s for span in window) - 0.1 * (max(levels) - min(levels)) - 200 * clipped


def _join(samples: FloatArray, parts: SpeechSpans) -> FloatArray:
    pieces = [samples[int(part.start_s * RATE) : int(part.end_s * RATE)] for part in parts]
    return np.concatenate([np.zeros(0, np.float32), *pieces])
