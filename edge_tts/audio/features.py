"""Features of a reference recording in float32: level, resampling, spectrogram, Kaldi filterbank.

Definitions follow GPT-SoVITS: torchaudio's windowed-sinc resampler, a magnitude spectrogram without centring, Kaldi's
filterbank without dither.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

SAMPLE_RATE = 32000
SSL_RATE = 16000

_FFT, _HOP, _PAD = 2048, 640, 704
_FBANK_FRAME, _FBANK_SHIFT, _FBANK_FFT, _MELS = 400, 160, 512, 80
_FBANK_LOW, _FBANK_HIGH = 20.0, 8000.0
_FBANK_FLOOR = np.float32(1.1920929e-07)
_MOST_STEPS = 1 << 22
"""Of source x target by their common divisor, about the filter's taps: 441 x 320 at 44.1 kHz."""


def to_mono(samples: FloatArray) -> FloatArray:
    """Average channels: float32 [samples] or [samples, channels] -> [samples]."""
    return samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32)


def limit_peak(samples: FloatArray) -> FloatArray:
    """Upstream's rule: a peak above 1 is divided by itself, by no more than 2."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / np.float32(min(2.0, peak)) if peak > 1 else samples


def resample(samples: FloatArray, source: int, target: int) -> FloatArray:
    """Windowed-sinc resampling of float32 [samples], rates in Hz (Hann, width 6, roll-off 0.99)."""
    if source == target:
        return samples
    if source <= 0 or target <= 0:
        raise AudioError(f"cannot resample from {source} to {target} Hz: rates are positive")
    common = gcd(source, target)
    source, target = source // common, target // common
    if source * target > _MOST_STEPS:
        raise AudioError(f"the sample rate {source * common} Hz is too unusual; convert the recording to 48000 Hz")
    kernel, width = _sinc_kernel(source, target)
    count = -(-target * len(samples) // source)
    padded = np.pad(samples, (width, width + source))
    windows = sliding_window_view(padded, kernel.shape[1])[::source]
    resampled: FloatArray = (windows @ kernel.T).reshape(-1)[:count].astype(np.float32)
    return resampled


@lru_cache(maxsize=4)
def _sinc_kernel(source: int, target: int) -> tuple[FloatArray, int]:
    """One filter per output phase, float32 [target, taps], and its reach to the left in samples."""
    zeros, rolloff = 6, 0.99
    cutoff = min(source, target) * rolloff
    width = int(np.ceil(zeros * source / cutoff))
    offsets = np.arange(-width, width + source, dtype=np.float64) / source
    times = (-np.arange(target, dtype=np.float64)[:, None] / target + offsets) * cutoff
    times = np.clip(times, -zeros, zeros)
    window = np.cos(times * np.pi / zeros / 2) ** 2
    kernel = np.sinc(times) * window * (cutoff / source)
    return kernel.astype(np.float32), width


def spectrogram(samples: FloatArray) -> FloatArray:
    """Magnitudes, float32 [1025, samples // 640], of a 32 kHz recording (after `limit_peak`). Raises AudioError for 704
    samples or fewer."""
    if len(samples) <= _PAD:
        raise AudioError(f"the recording has {len(samples)} samples at 32 kHz; at least {_PAD + 1} are needed")
    padded = np.pad(samples, _PAD, mode="reflect")
    frames = sliding_window_view(padded, _FFT)[::_HOP]
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT)).astype(np.float32)
    spectrum = np.fft.rfft((frames * window).astype(np.float64), axis=1)
    magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-8)
    return np.ascontiguousarray(magnitude.T, dtype=np.float32)


def filterbank(samples: FloatArray) -> FloatArray:
    """Kaldi's log-mel filterbank, float32 [frames, 80], of 16 kHz sound within -1 to 1. Raises AudioError below one
    frame."""
    if len(samples) < _FBANK_FRAME:
        raise AudioError(f"the recording has {len(samples)} samples at 16 kHz; at least {_FBANK_FRAME} are needed")
    frames = sliding_window_view(samples, _FBANK_FRAME)[::_FBANK_SHIFT].astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FBANK_FRAME) / (_FBANK_FRAME - 1))
    windowed = (frames - 0.97 * before) * hann**0.85
    power = np.abs(np.fft.rfft(windowed, _FBANK_FFT, axis=1)) ** 2
    energies = power[:, : _FBANK_FFT // 2] @ _mel_bands().T
    logs: FloatArray = np.log(np.maximum(energies.astype(np.float32), _FBANK_FLOOR))
    return logs


@lru_cache(maxsize=1)
def _mel_bands() -> FloatArray:
    """Triangles in mel, float32 [80, 256]; the Nyquist bin is not used."""

    def mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return np.asarray(1127.0 * np.log(1.0 + np.asarray(hertz, np.float64) / 700.0))

    edges = np.linspace(mel(_FBANK_LOW), mel(_FBANK_HIGH), _MELS + 2)
    bins = mel(np.arange(_FBANK_FFT // 2) * (SSL_RATE / _FBANK_FFT))
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bands = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    triangles: FloatArray = np.maximum(bands, 0.0).astype(np.float32)
    return triangles
