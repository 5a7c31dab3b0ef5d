"""Whether the pitch of a Mandarin syllable has the shape of its tone. Pure functions on curves of 10 ms.

Citation shapes as any textbook draws them, wide enough for running speech: high and level, rising, low, falling. The
light tone has no shape of its own and is not judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_tts.values import FloatArray

SHORTEST = 5
"""Voiced frames of a syllable that is judged."""
ONSET = 0.15
FINAL = re.compile("(?:[a-z][a-z0]*|En?)[1-5]")
"""A Mandarin final; English vowels are capitals and their digits stress."""


@dataclass(frozen=True)
class Syllable:
    """A tone from 1 to 5 and when its syllable is said, in seconds."""

    tone: int
    start: float
    end: float


def syllables(phonemes: Sequence[str], ends: Sequence[float]) -> list[Syllable]:
    """The finals among the front end's symbols; `ends`: when each symbol ends, in seconds."""
    times = zip(phonemes, (0.0, *ends), ends, strict=False)
    return [Syllable(int(name[-1]), start, end) for name, start, end in times if FINAL.fullmatch(name)]


def semitones(pitch: FloatArray) -> FloatArray:
    """Hz, 0 where unvoiced -> semitones about the line on which the sentence falls, NaN where unvoiced."""
    curve = np.full(len(pitch), np.nan, np.float32)
    voiced = np.flatnonzero(pitch > 0)
    if len(voiced) > 1:
        tones = 12 * np.log2(pitch[voiced])
        slope = min(0.0, float(np.polyfit(voiced, tones, 1)[0]))
        curve[voiced] = tones - slope * voiced - np.mean(tones - slope * voiced)
    return curve


def shaped(curve: FloatArray, tone: int) -> bool:
    """Whether semitones [frames], all voiced, have the shape of a tone from 1 to 4."""
    first, middle, last = (float(np.mean(third)) for third in np.array_split(curve, 3))
    if tone == 1:
        return abs(last - first) <= 4.0 and max(first, middle, last) >= -0.5
    if tone == 2:
        return last - min(first, middle) >= 0.2
    if tone == 3:
        return min(middle, last) <= -0.5 and middle - first <= 1.0
    return max(first, middle) - last >= 0.8


def judge(pitch: FloatArray, syllables: Sequence[Syllable]) -> tuple[int, int]:
    """How many syllables have the shape of their tone, of how many that are voiced long enough and not light.

    The first `ONSET` of a syllable still comes from the one before it."""
    curve = semitones(pitch)
    right = judged = 0
    for syllable in syllables:
        start = syllable.start + ONSET * (syllable.end - syllable.start)
        own = curve[round(start * 100) : round(syllable.end * 100)]
        own = own[~np.isnan(own)]
        if syllable.tone < 5 and len(own) >= SHORTEST:
            judged += 1
            right += shaped(own, syllable.tone)
    return right, judged
