"""Loudness by ITU-R BS.1770-5, and a gain that never clips."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from edge_tts.audio.features import resample
from edge_tts.values import FloatArray

_RATE = 48000
"""Hz, for which the recommendation gives its filters."""
_FILTERS = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
"""Numerators and denominators of tables 1 and 2: the head's shelf, and the high-pass."""
_BLOCK_S, _STEP_S = 0.4, 0.1
_OFFSET, _ABSOLUTE_GATE, _RELATIVE_GATE = -0.691, -70.0, -10.0

CEILING = 10 ** (-1 / 20)
"""Peak that no limited sample passes: 1 dB below full scale."""
_LIMITER_BLOCK_S = 0.005
_RELEASE = 0.15
"""Part of the way back to no reduction in each block: half of it in 20 ms."""


def loudness(samples: FloatArray, sample_rate: int) -> float | None:
    """Integrated loudness in LUFS of mono float32 [n], gated (BS.1770-5, annex 1); None for less than a block of sound
    above the absolute gate."""
    wave = _weighted(resample(samples, sample_rate, _RATE))
    step, block = round(_STEP_S * _RATE), round(_BLOCK_S * _RATE)
    energy = np.concatenate([[0.0], np.cumsum(wave * wave)])
    starts = np.arange(0, len(wave) - block + 1, step)
    power = (energy[starts + block] - energy[starts]) / block
    power = power[_lufs(power) > _ABSOLUTE_GATE]
    if not len(power):
        return None
    power = power[_lufs(power) > _lufs(power.mean()) + _RELATIVE_GATE]
    return float(_lufs(power.mean()))


def _lufs(power: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return _OFFSET + 10 * np.log10(np.maximum(power, 1e-20))


def _weighted(wave: FloatArray) -> npt.NDArray[np.float64]:
    """K-weighted float64 [n] of float32 [n] at 48 kHz: filtered as a spectrum, with room for the filters' ringing."""
    size = len(wave) + _RATE
    z = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    spectrum = np.fft.rfft(wave, size)
    for numerator, denominator in _FILTERS:
        spectrum *= np.polyval(numerator[::-1], z) / np.polyval(denominator[::-1], z)
    weighted: npt.NDArray[np.float64] = np.fft.irfft(spectrum, size)[: len(wave)]
    return weighted


class Limiter:
    """A gain for a mono stream whose peaks stay below CEILING, 5 ms late.

    The reduction that a block of 5 ms needs holds at both of its edges, and moves linearly in between; so it is there
    before the peak, and no sample passes. It comes back slowly.
    """

    def __init__(self, *, gain: float, sample_rate: int) -> None:
        self._gain = np.float32(gain)
        self._size = max(1, round(_LIMITER_BLOCK_S * sample_rate))
        self._held = np.zeros(0, np.float32)
        """What has yet to come out: the block whose second edge is unknown, and the begun one after it."""
        self._edge = 1.0
        """Reduction at the end of what came out."""

    def push(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        """float32 [n] in, float32 [about n] out; `last` brings the rest."""
        wave = np.concatenate([self._held, samples * self._gain])
        ready = len(wave) if last else max(0, len(wave) // self._size - 1) * self._size
        self._held = wave[ready:]
        if not ready:
            return wave[:0]
        size = self._size
        padded = np.pad(wave, (0, -len(wave) % size + size)).reshape(-1, size)
        needs = CEILING / np.maximum(np.abs(padded).max(axis=1), CEILING)
        edges = self._edges(needs[: -(-ready // size) + 1])
        steps = np.arange(1, size + 1, dtype=np.float32) / size
        gains = edges[:-1, None] + np.diff(edges)[:, None] * steps
        out: FloatArray = (padded[: len(gains)] * gains).reshape(-1)[:ready].astype(np.float32)
        return out

    def _edges(self, needs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The reductions at the edges of all blocks but the last, which is not out yet."""
        edges = [min(self._edge, float(needs[0]))]
        for before, after in pairwise(needs):
            back = edges[-1] + (1.0 - edges[-1]) * _RELEASE
            edges.append(min(float(before), float(after), back))
        self._edge = edges[-1]
        return np.array(edges)
