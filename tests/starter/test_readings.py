"""The shapes of tones in speech whose times are not known: aligned with the teacher's reading of the same text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_tts.values import FloatArray
from tools.starter import warp
from tools.starter.readings import RATE, Reading, mandarin_readings, tone_shapes
from tools.starter.tones import Syllable

CONTOURS = {1: (4, 4, 4), 2: (-1, -1, 3), 3: (-2, -5, -4), 4: (5, 2, -4)}
"""Semitones at the beginning, the middle and the end."""
TONES = (1, 4, 2, 3, 4, 1, 3, 2)
FORMANTS = (400, 900, 1500, 2300, 700, 1900, 1200, 2700)
GAP_S = 0.05


def said(seconds: Sequence[float], *, base: float, flat: bool = False) -> FloatArray:
    """A sound a syllable, each with a resonance of its own, and a short silence before each."""
    parts = []
    for tone, formant, length in zip(TONES, FORMANTS, seconds, strict=True):
        count = int(length * RATE)
        contour = (0, 0, 0) if flat else CONTOURS[tone]
        pitch = base * 2 ** (np.interp(np.linspace(0, 1, count), [0, 0.5, 1], contour) / 12)
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        harmonics = range(1, int(3000 / base))
        loud = [np.exp(-(((n * base - formant) / 300) ** 2)) + 0.3 / n for n in harmonics]
        parts += [np.zeros(int(GAP_S * RATE)), sum(a * np.sin(n * phase) for n, a in zip(harmonics, loud, strict=True))]
    wave = np.concatenate(parts).astype(np.float32)
    return np.asarray(wave / np.abs(wave).max() * 0.5, np.float32)


def reading() -> Reading:
    """200 ms a syllable."""
    starts = [at * (0.2 + GAP_S) + GAP_S for at in range(len(TONES))]
    syllables = tuple(Syllable(tone, start, start + 0.2) for tone, start in zip(TONES, starts, strict=True))
    return Reading(said([0.2] * len(TONES), base=200), syllables)


def test_tones_are_found_at_another_pace_and_height() -> None:
    """Slower here, faster there and a fifth lower, every syllable is still judged where it is said."""
    uneven = [0.3, 0.2, 0.16, 0.25, 0.4, 0.2, 0.18, 0.3]
    assert tone_shapes(said(uneven, base=130), reading()) == (8, 8)


def test_speech_without_tones_is_found_out() -> None:
    """Of one pitch for all, only the level tone can be right."""
    right, judged = tone_shapes(said([0.25] * len(TONES), base=200, flat=True), reading())
    assert judged == 8
    assert right <= TONES.count(1)


def test_a_path_begins_and_ends_with_both() -> None:
    """It never goes back, and joins the first frames and the last ones."""
    one, other = (warp.features(said([length] * len(TONES), base=200)) for length in (0.2, 0.3))
    path = warp.warp(one, other)
    assert path[0] <= 5
    assert path[-1] >= len(other) - 5
    assert (np.diff(path) >= 0).all()


def test_without_recordings_nothing_is_judged(tmp_path: Path) -> None:
    """On a machine where the teacher was never recorded there are no readings, and no error."""
    assert mandarin_readings(tmp_path / "test") == {}
