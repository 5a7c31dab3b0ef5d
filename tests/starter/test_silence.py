"""Finding the rests in speech."""

from __future__ import annotations

import numpy as np
import pytest

from tools.starter.silence import longest_rest

RATE = 16000


def test_a_rest_counts_between_sounds_only() -> None:
    """Silence before and after does not count, the longest one inside does."""
    sound, short, long, margin = (
        np.full(int(RATE * s), v, np.float32) for s, v in ((0.2, 0.5), (0.05, 0), (0.12, 0), (1, 0))
    )
    wave = np.concatenate([margin, sound, short, sound, long, sound, margin])
    assert longest_rest(wave, RATE) == pytest.approx(0.12, abs=0.011)


def test_silence_has_no_rest() -> None:
    """Nothing sounds, so nothing rests; the same for no samples at all."""
    assert longest_rest(np.zeros(RATE, np.float32), RATE) == 0
    assert longest_rest(np.zeros(0, np.float32), RATE) == 0
