"""Resampling: what comes out for usual rates, and that an unusual one costs no memory."""

from __future__ import annotations

import numpy as np
import pytest

from edge_tts.audio.features import resample
from edge_tts.errors import AudioError


@pytest.mark.parametrize("rate", [8000, 9990, 11025, 22050, 44100, 48000, 96000, 192000])
def test_a_tone_stays_the_tone_it_was(rate: int) -> None:
    """1 kHz from any usual rate to the two that the networks take."""
    for target in (16000, 32000):
        heard = resample(np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32), rate, target)
        assert len(heard) == target
        assert np.abs(np.fft.rfft(heard)).argmax() == 1000


@pytest.mark.parametrize("rate", [44101, 191999, 655349])
def test_a_rate_that_would_take_gigabytes_is_refused(rate: int) -> None:
    """A filter for each of tens of thousands of phases is not even begun; the message says what to do."""
    with pytest.raises(AudioError, match=f"{rate} Hz is too unusual; convert the recording to 48000 Hz"):
        resample(np.zeros(100, np.float32), rate, 16000)
