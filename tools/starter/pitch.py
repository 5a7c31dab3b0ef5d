"""Fundamental frequency of clean speech by autocorrelation (after Boersma, 1993), in the range of its speaker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE, HOP, WINDOW, SIZE = 16000, 160, 768, 2048
LOW, HIGH = 60.0, 420.0
VOICED = 0.55
"""Least height of the peak, as a share of the energy."""
QUIET = 0.03
"""Frames below this share of the loudest one's amplitude are unvoiced."""

FloatArray = npt.NDArray[np.float32]


def correlate(wave: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Normalised autocorrelation [frames, lags] and amplitude [frames]; frame k is centred on sample 160 k."""
    padded = np.pad(wave, (WINDOW // 2, WINDOW // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[: len(wave) : HOP]
    window = np.hanning(WINDOW).astype(np.float32)
    centred = (frames - frames.mean(1, keepdims=True)) * window
    spectrum = np.fft.rfft(centred, SIZE)
    spectrum[:, int(1500 * SIZE / RATE) :] = 0
    lags = int(RATE / LOW) + 2
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, SIZE)[:, :lags]
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, SIZE)) ** 2, SIZE)[:lags]
    height = correlation / (correlation[:, :1] + 1e-9) / (shape / shape[0])
    return height.astype(np.float32), np.sqrt(correlation[:, 0]).astype(np.float32)


def peaks(height: FloatArray, low: float, high: float) -> tuple[FloatArray, FloatArray]:
    """Best pitch in Hz between `low` and `high` and its height, per frame."""
    first, last = max(2, int(RATE / high)), min(height.shape[1] - 2, int(RATE / low) + 1)
    # Short lags win ties: twice the period is as good a period.
    slope = 1 - 0.1 * np.log2(np.arange(first, last) / first + 1)
    best = first + (height[:, first:last] * slope).argmax(1)
    rows = np.arange(len(height))
    before, peak, after = height[rows, best - 1], height[rows, best], height[rows, best + 1]
    bend = before - 2 * peak + after
    shift = np.where(bend < -1e-6, 0.5 * (before - after) / np.where(bend < -1e-6, bend, -1.0), 0.0).clip(-0.5, 0.5)
    return (RATE / (best + shift)).astype(np.float32), peak


def track(wave: FloatArray) -> FloatArray:
    """Pitch in Hz per 10 ms, 0 where unvoiced, float32 [samples // 160]."""
    height, amplitude = correlate(wave)
    loud = amplitude > QUIET * amplitude.max()
    pitch, peak = peaks(height, LOW, HIGH)
    sure = loud & (peak > 0.8)
    if not sure.any():
        return np.zeros(len(wave) // HOP, np.float32)
    middle = float(np.median(pitch[sure]))
    pitch, peak = peaks(height, max(LOW, middle / 1.8), min(HIGH, middle * 1.7))
    voiced = loud & (peak > VOICED)
    # Single frames are slips.
    voiced[1:-1] = voiced[1:-1] & (voiced[:-2] | voiced[2:]) | (voiced[:-2] & voiced[2:])
    return np.where(voiced, pitch, 0).astype(np.float32)[: len(wave) // HOP]
