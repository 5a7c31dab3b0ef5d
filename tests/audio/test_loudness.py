"""Loudness by BS.1770 and the limiter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.audio.loudness import CEILING, Limiter, loudness
from edge_tts.values import FloatArray


def sine(hertz: float, level_db: float, seconds: float, rate: int = 48000) -> FloatArray:
    """A sine whose peak lies `level_db` above full scale."""
    times = np.arange(int(seconds * rate)) / rate
    return (10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 24000, 32000, 48000])
@pytest.mark.parametrize("level_db", [-20.0, -36.0])
def test_a_sine_has_the_loudness_that_the_recommendation_gives_it(rate: int, level_db: float) -> None:
    """997 Hz at full scale in one channel are -3.01 LUFS, at any rate and level."""
    measured = loudness(sine(997, level_db, 3.0, rate), rate)
    assert measured == pytest.approx(level_db - 3.01, abs=0.1)


def test_pauses_and_quiet_parts_do_not_count() -> None:
    """Silence and what is 20 dB quieter leave the figure as it is (EBU Tech 3341, cases 3 to 5 in one channel)."""
    parts = [np.zeros(96000, np.float32), sine(1000, -43, 4.0), sine(1000, -20, 12.0), sine(1000, -43, 4.0)]
    assert loudness(np.concatenate(parts), 48000) == pytest.approx(-23.0, abs=0.15)


@pytest.mark.parametrize("samples", [0, 100, 48000])
def test_silence_has_none(samples: int) -> None:
    """Nothing, too little and silence have no loudness."""
    assert loudness(np.zeros(samples, np.float32), 48000) is None


@given(
    st.lists(st.lists(st.floats(-1, 1, width=32), max_size=60), min_size=1, max_size=8),
    st.floats(0.1, 4.0),
    st.sampled_from([800, 1000, 8000]),
)
def test_no_sample_passes_the_ceiling_and_none_is_lost(parts: list[list[float]], gain: float, rate: int) -> None:
    """Whatever comes in whatever pieces, as many samples come out, none above the ceiling."""
    limiter = Limiter(gain=gain, sample_rate=rate)
    sounds = [np.array(part, np.float32) for part in parts]
    out = [limiter.push(sound) for sound in sounds] + [limiter.push(np.zeros(0, np.float32), last=True)]
    heard, asked = np.concatenate(out), np.concatenate(sounds) * np.float32(gain)
    assert len(heard) == len(asked)
    assert np.abs(heard).max(initial=0) <= CEILING + 1e-6
    assert (np.abs(heard) <= np.abs(asked) + 1e-6).all()


def test_what_stays_below_the_ceiling_is_only_amplified() -> None:
    """Without peaks the limiter is a gain, and pieces make no difference."""
    limiter, sound = Limiter(gain=1.5, sample_rate=8000), sine(200, -6, 1.0, 8000)
    out = [limiter.push(part) for part in np.array_split(sound, 9)] + [limiter.push(sound[:0], last=True)]
    np.testing.assert_allclose(np.concatenate(out), 1.5 * sound, rtol=1e-6)


def test_a_peak_is_turned_down_before_it_comes_and_the_level_returns() -> None:
    """Around a peak the gain moves by small steps, and half a second later it is what it was."""
    sound = np.full(8000, 0.25, np.float32)
    sound[4000] = 1.0
    limiter = Limiter(gain=2.0, sample_rate=8000)
    heard = np.concatenate([limiter.push(sound), limiter.push(sound[:0], last=True)])
    gains = heard / sound
    assert np.abs(np.diff(gains)).max() < 0.05
    assert gains[0] == pytest.approx(2.0)
    assert gains[-1] == pytest.approx(2.0, abs=0.01)
