"""The judge of the real audio path: what a busy machine does to a sound passes, and what a defect would do fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from same_sound import HEARD, assert_same_sound

from edge_tts.audio.features import resample
from edge_tts.values import FloatArray

RECORDINGS = Path(__file__).parent / "spoken"
MS = HEARD // 1000


def recorded(name: str, rate: int) -> FloatArray:
    """A person who says a sentence, float32 at that rate, without a sample of perfect silence."""
    samples: FloatArray = soundfile.read(RECORDINGS / f"{name}.flac", dtype="float32")[0]
    loud = resample(samples, 16000, rate)
    return np.where(loud == 0, np.float32(1e-6), loud)


RATE = 24000
EXPECTATION = recorded("weather-rms", RATE)
SOUND = recorded("weather-rms", HEARD)
OTHER = recorded("consent-slt", HEARD)
NOISE = np.random.default_rng(1).normal(0, 0.03, len(SOUND)).astype(np.float32)


def silence(ms: int) -> FloatArray:
    """Perfect silence at the rate of what is heard."""
    return np.zeros(ms * MS, np.float32)


def cut(ms: int) -> list[FloatArray]:
    """The sound in pieces of so many milliseconds."""
    return [SOUND[start : start + ms * MS] for start in range(0, len(SOUND), ms * MS)]


def torn(lost_ms: int) -> FloatArray:
    """Torn five times; each time it begins that much is lost."""
    return np.concatenate([np.concatenate([silence(200), piece[lost_ms * MS :]]) for piece in cut(1300)])


def heard(sound: FloatArray) -> FloatArray:
    """A recording of it, which begins before and ends after it."""
    return np.concatenate([silence(300), sound, silence(700)]).astype(np.float32)


@pytest.mark.parametrize("lost_ms", [0, 20])
def test_a_busy_machine_passes(lost_ms: int) -> None:
    """The server starves now and then, and loses a little each time the sound begins anew."""
    assert_same_sound(heard(torn(lost_ms)), EXPECTATION, RATE)
    assert_same_sound(heard(SOUND[lost_ms * MS :]), EXPECTATION, RATE)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: np.concatenate([SOUND, OTHER]),
        lambda: np.concatenate([SOUND, silence(500), OTHER]),
        lambda: np.concatenate([OTHER, silence(500), SOUND]),
        lambda: np.concatenate([SOUND[: len(SOUND) // 2], OTHER, SOUND[len(SOUND) // 2 :]]),
        lambda: np.concatenate([SOUND, silence(500), SOUND[: len(SOUND) // 2]]),
        lambda: np.concatenate([np.concatenate([piece, piece[-100 * MS :]]) for piece in cut(500)]),
        lambda: np.concatenate(cut(1300)[::-1]),
        lambda: SOUND[: -300 * MS],
        lambda: SOUND[300 * MS :],
        lambda: torn(300),
        lambda: np.concatenate([piece[100 * MS :] for piece in cut(1300)]),
        lambda: 0.5 * SOUND,
        lambda: np.clip(1.5 * SOUND, -1, 1),
        lambda: -SOUND,
        lambda: SOUND + NOISE,
        lambda: np.where(np.abs(SOUND) < 0.01, 0.01 * np.sign(np.sin(0.05 * np.arange(len(SOUND)))), SOUND),
        lambda: resample(SOUND, 24000, HEARD),
        lambda: OTHER,
        lambda: silence(1000),
    ],
    ids=[
        "somebody else afterwards",
        "somebody else after a pause",
        "somebody else before",
        "somebody else in between",
        "half of it again",
        "a stutter",
        "in another order",
        "the end is missing",
        "the beginning is missing",
        "much lost at each hole",
        "lost without a hole",
        "too quiet",
        "too loud",
        "upside down",
        "noise",
        "a hum in the pauses",
        "too slow",
        "somebody else",
        "nothing",
    ],
)
def test_a_defect_fails(spoil: Callable[[], FloatArray]) -> None:
    """Something missing, added, repeated, moved or changed, wherever it is."""
    with pytest.raises(AssertionError):
        assert_same_sound(heard(spoil()), EXPECTATION, RATE)
