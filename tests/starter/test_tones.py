"""Pitch curves and the tones whose shape they have."""

from __future__ import annotations

import numpy as np
import pytest

from edge_tts.values import FloatArray
from tools.starter.recorded import Recorded
from tools.starter.stage_speech import tone_shapes
from tools.starter.tones import Syllable, judge

CONTOURS = {1: (4, 4, 4), 2: (-1, -1, 3), 3: (-2, -5, -4), 4: (5, 2, -4), 5: (0, 0, 0)}
"""Semitones at the beginning, the middle and the end."""


def said(contours: list[tuple[float, float, float]], *, fall: float = 0.0, base: float = 200.0) -> FloatArray:
    """Hz per 10 ms: 200 ms a syllable with 50 ms without voice before each, falling by so many semitones a second."""
    curve = []
    for contour in contours:
        curve += [None] * 5 + list(np.interp(np.linspace(0, 1, 20), [0, 0.5, 1], contour))
    hertz = [0.0 if tone is None else base * 2 ** ((tone - fall * at / 100) / 12) for at, tone in enumerate(curve)]
    return np.array(hertz, np.float32)


def syllables(tones: list[int]) -> list[Syllable]:
    return [Syllable(tone, 0.25 * at + 0.05, 0.25 * at + 0.25) for at, tone in enumerate(tones)]


@pytest.mark.parametrize("fall", [0.0, 3.0])
@pytest.mark.parametrize("base", [100.0, 220.0])
def test_each_tone_has_its_own_shape(fall: float, base: float) -> None:
    """At any height of voice and on a falling sentence the contours of the tones are known for what they are."""
    tones = [1, 4, 2, 3, 4, 1, 3, 2]
    pitch = said([CONTOURS[tone] for tone in tones], fall=fall, base=base)
    assert judge(pitch, syllables(tones)) == (8, 8)


def test_one_pitch_for_all_is_found_out() -> None:
    """A voice without tones has the shape of none that moves."""
    assert judge(said([(0, 0, 0)] * 6), syllables([2, 3, 4, 2, 3, 4])) == (0, 6)


def test_light_and_unvoiced_syllables_are_not_judged() -> None:
    """The light tone has no shape, a whispered syllable no pitch, and silence neither."""
    pitch = said([CONTOURS[1], CONTOURS[5], CONTOURS[4]])
    pitch[50:] = 0
    assert judge(pitch, syllables([1, 5, 4])) == (1, 1)
    assert judge(np.zeros(75, np.float32), syllables([1, 2, 3])) == (0, 0)


def test_a_recording_tells_how_well_its_tones_are_said() -> None:
    """English words in a Mandarin sentence and English sentences count for nothing."""
    pitch = said([CONTOURS[1], CONTOURS[4], CONTOURS[4], CONTOURS[1]])
    row = Recorded(
        text="",
        language="zh",
        speaker="ann",
        phonemes=("m", "a1", "d", "a4", "K", "AA1", "m", "a2"),
        ends=(0.05, 0.25, 0.3, 0.5, 0.55, 0.75, 0.8, 1.0),
        pitch=tuple(int(value) for value in pitch),
        rate=24000,
        start=0,
        samples=24000,
    )
    assert tone_shapes([row]) == "  tones 67%"
    assert tone_shapes([]) == ""
