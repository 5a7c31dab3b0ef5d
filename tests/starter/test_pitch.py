"""The pitch tracker that teaches the decoder."""

from __future__ import annotations

import numpy as np
import pytest

from tools.starter.pitch import RATE, FloatArray, track


def pulses(hertz: float, seconds: float) -> FloatArray:
    """A buzz with many harmonics."""
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = np.arange(1, 9)[:, None]
    return (0.1 * np.cos(2 * np.pi * hertz * harmonics * time) / harmonics).sum(0).astype(np.float32)


@pytest.mark.parametrize("hertz", [75.0, 102.0, 171.0, 240.0, 330.0])
def test_a_buzz_has_the_pitch_it_was_made_with(hertz: float) -> None:
    """Within one per cent away from the ends, without octave slips."""
    found = track(pulses(hertz, 0.6))[6:-6]
    assert np.all(np.abs(found / hertz - 1) < 0.01)


def test_silence_and_noise_have_no_pitch() -> None:
    """Nothing is voiced in silence, next to nothing in white noise."""
    assert not track(np.zeros(RATE, np.float32)).any()
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert (track(noise) > 0).mean() < 0.1


def test_there_is_one_value_per_ten_milliseconds() -> None:
    """As many values as whole frames."""
    assert len(track(pulses(120.0, 0.333))) == 33
