"""Mel power spectrograms as librosa defines them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from edge_tts.values import FloatArray

RATE = 16000
"""Hz, of every network of the quality gate."""
_LINEAR_HZ = 200.0 / 3.0
_LOG_FROM_HZ, _LOG_STEP = 1000.0, np.log(6.4) / 27.0


def mel_power(samples: FloatArray, *, fft: int, hop: int, bands: int) -> FloatArray:
    """Power per mel band, float32 [1 + samples // hop, bands], of 16 kHz sound; frames are centred, zero-padded.

    Periodic Hann window; Slaney's mel scale, 0 to 8 kHz, triangles of equal area.
    """
    padded = np.pad(samples, fft // 2)
    frames = sliding_window_view(padded, fft)[::hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(fft) / fft)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    mel: FloatArray = (power @ _triangles(fft, bands).T).astype(np.float32)
    return mel


@lru_cache(maxsize=4)
def _triangles(fft: int, bands: int) -> npt.NDArray[np.float64]:
    """Weights [bands, fft // 2 + 1]."""
    top = _LOG_FROM_HZ / _LINEAR_HZ + np.log(RATE / 2 / _LOG_FROM_HZ) / _LOG_STEP
    edges = _to_hertz(np.linspace(0.0, top, bands + 2))
    bins = np.arange(fft // 2 + 1) * (RATE / fft)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    heights = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    return np.asarray(np.maximum(heights, 0.0) * 2.0 / (right - left))


def _to_hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's scale: linear up to 1 kHz, logarithmic above."""
    bend = _LOG_FROM_HZ / _LINEAR_HZ
    return np.where(mel < bend, mel * _LINEAR_HZ, _LOG_FROM_HZ * np.exp(_LOG_STEP * (mel - bend)))
