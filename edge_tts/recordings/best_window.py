"""Which part of a recording is kept: from pause to pause, never cut inside a word. Knows no limits and no networks."""

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
"""Kept before the first and after the last word, together. The detector may be 0.3 s late to hear a first word that
begins with a consonant, or through a narrow microphone."""

SpeechSpans = tuple[SpeechSpan, ...]
"""Of one recording, in order."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a recording that is judged and kept."""

    mono: Recording
    wave: FloatArray
    """The whole recording at 16 kHz."""
    all: SpeechSpans
    part: tuple[int, int]
    """Which of them are kept: all[first:last]."""

    @property
    def kept(self) -> SpeechSpans:
        """The stretches of speech in the window."""
        return self.all[slice(*self.part)]

    def cut(self, recording: Recording) -> Recording:
        """`recording` (the same sound at any rate) from just before the first word to just after the last."""
        rate = recording.sample_rate
        before = self.all[self.part[0] - 1].end_s if self.part[0] else 0.0
        start = int(max(before, self.kept[0].start_s - _LEAD_S) * rate)
        return Recording(recording.samples[start : int((self.kept[-1].end_s + _TAIL_S) * rate)], rate)

    def speech(self) -> FloatArray:
        """The words alone, float32 [samples] at 16 kHz."""
        return _join(self.wave, self.kept)

    def background(self) -> FloatArray:
        """What is heard in the whole recording while nobody speaks, at 16 kHz; the edges of words left out."""
        starts = [0.0, *(stretch.end_s for stretch in self.all)]
        ends = [*(stretch.start_s for stretch in self.all), len(self.wave) / RATE]
        gaps = [SpeechSpan(a + 2 * BLOCK_S, b - 2 * BLOCK_S) for a, b in zip(starts, ends, strict=True)]
        return _join(self.wave, tuple(gap for gap in gaps if gap.length_s > 0.05))


def best_part(
    found: SpeechSpans, wave: FloatArray, *, cuts: Collection[int], shortest_s: float, longest_s: float
) -> tuple[int, int]:
    """The stretches to keep, as in found[first:last]: all when they fit, else those in a row that hold most speech,
    clean and evenly loud.

    A window begins and ends at a pause, never inside a word, and only at `cuts`: each the index of the stretch after a
    pause, or len(found). When no window fits, everything is kept, too long.
    """
    if span_s(found) <= longest_s:
        return 0, len(found)
    parts = list(combinations(sorted(cuts), 2))
    fitting = [part for part in parts if shortest_s <= span_s(found[slice(*part)]) <= longest_s]
    return max(fitting, key=lambda part: _worth(found[slice(*part)], wave), default=(0, len(found)))


def span_s(stretches: SpeechSpans) -> float:
    """Seconds from the first word to the last."""
    return stretches[-1].end_s - stretches[0].start_s


def _worth(window: SpeechSpans, wave: FloatArray) -> float:
    """Seconds of speech, less what clipping and uneven loudness cost."""
    levels = [level_db(_join(wave, (stretch,))) for stretch in window]
    clipped = clipped_share(_join(wave, window))
    return sum(stretch.length_s for stretch in window) - 0.1 * (max(levels) - min(levels)) - 200 * clipped


def _join(samples: FloatArray, parts: SpeechSpans) -> FloatArray:
    pieces = [samples[int(part.start_s * RATE) : int(part.end_s * RATE)] for part in parts]
    return np.concatenate([np.zeros(0, np.float32), *pieces])
