"""An inaudible mark in sound: levels of narrow bands go up and down a little in a pattern that is found again.

Source of the method: spread-spectrum watermarking of log spectra (patchwork), with the modulation kept below what the
sound does by itself. It has no message: it is there or not.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_tts.values import FloatArray

RATE = 16000
"""Hz of sound that is looked through."""
THRESHOLD = 5.0
"""A score above it is the mark; see docs/marking.md for how often it is wrong."""
_KEY = b"edge-tts 1"
_FRAME_S, _HOP_S = 0.032, 0.008
_LOWEST_HZ, _WIDTH_HZ, _BANDS = 1000.0, 200.0, 30
_TILE_S, _TILES = 0.096, 64
_PERIOD = round(_TILE_S * _TILES / _HOP_S)
"""Hops after which the pattern begins anew: 6.1 s."""

_LEAST_DB, _MOST_DB = 0.5, 1.5
_SHARE, _PAST = 0.3, 24
"""The change is this share of the standard deviation of the band's level over so many hops."""
_QUIET = 1e-9
"""Power of a bin that counts as silence."""

_WINDOW_S = 10.0
_FLOOR, _FLOOR_PERCENTILE = 10.0, 10
"""Levels are limited from below at so many times what a band has in its quietest hops: noise carries no mark."""

_ROOM_S, _ROOM_SHARE = 0.1, 0.35
"""A room drags the pattern out: so much of what is looked for dies away over so many seconds."""

_TIME_EDGES = (0, 1, 2, 4, 6, 8, 11, 15, 20, 30)
"""Hz of modulation at which a row of `_SPEECH_DB` begins."""
_BAND_EDGES = (0, 1, 3, 6, 10, 15, 20, 25)
"""Coefficient of the cosine transform over bands at which a column begins."""
_SPEECH_DB = (
    (72, 62, 54, 48, 41, 35, 31, 29),
    (72, 63, 55, 49, 43, 36, 32, 30),
    (70, 62, 53, 48, 42, 35, 32, 30),
    (68, 59, 50, 45, 39, 34, 30, 29),
    (65, 54, 46, 42, 37, 32, 29, 29),
    (62, 50, 42, 38, 34, 30, 29, 28),
    (58, 45, 38, 34, 31, 29, 28, 28),
    (53, 40, 34, 31, 29, 27, 27, 27),
    (47, 35, 30, 28, 27, 27, 26, 26),
    (40, 29, 26, 24, 23, 23, 22, 23),
)
"""Power spectrum of the levels of speech, by which they are whitened: of 160 sentences of the starter set."""


def _pattern() -> FloatArray:
    """float32 [_TILES, _BANDS] of 1 and -1: squares of two tiles by two bands, so that slopes in time and over bands do
    not count."""
    count = _TILES * _BANDS // 4
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(_KEY).digest(count // 8), np.uint8))
    signs = 2.0 * bits.reshape(_TILES // 2, _BANDS // 2).astype(np.float32) - 1
    return np.kron(signs, np.array([[1, -1], [-1, 1]], np.float32)).astype(np.float32)


_PATTERN = _pattern()


class Marker:
    """Marks one stream of sound; what comes out does not depend on how it is cut."""

    def __init__(self, sample_rate: int) -> None:
        self._hop = round(_FRAME_S * sample_rate) // 4
        size = 4 * self._hop
        self._window = np.sqrt(np.hanning(size + 1)[:-1]).astype(np.float32)
        self._bands = _band_matrix(np.fft.rfftfreq(size, 1 / sample_rate))
        self._waiting = np.zeros(size - self._hop, np.float32)
        """Sound of frames that are not whole yet."""
        self._begun = np.zeros(size - self._hop, np.float32)
        """Sound to which later frames are added."""
        self._levels = np.zeros((0, _BANDS), np.float32)
        self._frames, self._early = 0, size - self._hop
        """Frames that were marked; samples from before the beginning that would come out."""
        self._hop_s = self._hop / sample_rate

    def push(self, samples: FloatArray, *, last: bool = False) -> FloatArray:
        """Float32 mono in, what is marked by now out: 24 ms less. `last`: the rest, so that out is as long as in."""
        sound = np.concatenate([self._waiting, samples])
        tail = len(self._window) - self._hop if last else 0
        whole = np.pad(sound, (0, tail + -len(sound) % self._hop * last))
        count = max(0, (len(whole) - len(self._window)) // self._hop + 1)
        marked = np.concatenate([self._begun, np.zeros(count * self._hop, np.float32)])
        if count:
            frames = np.lib.stride_tricks.sliding_window_view(whole, len(self._window))[:: self._hop][:count]
            for index, frame in enumerate(self._marked(frames)):
                marked[index * self._hop : index * self._hop + len(frame)] += frame
        done = count * self._hop
        self._waiting, self._begun, out = whole[done:], marked[done:], marked[:done]
        early = min(self._early, len(out))
        self._early -= early
        end = len(sound) - len(self._window) + self._hop + tail if last else len(out)
        return np.asarray(np.clip(out[early:end], -1, 1), np.float32)

    def _marked(self, frames: FloatArray) -> FloatArray:
        """float32 [n, size] in and out, to be added up."""
        spectra = np.fft.rfft(frames * self._window, axis=1)
        power = np.abs(spectra) ** 2
        decibels = self._pattern_of(len(frames)) * self._change_db(power @ self._bands)
        spectra *= 10 ** (decibels @ self._bands.T / 20)
        marked = np.fft.irfft(spectra, frames.shape[1], axis=1) * self._window / 2
        return marked.astype(np.float32)

    def _pattern_of(self, count: int) -> FloatArray:
        """[count, _BANDS] of the next frames, by the times of their middles."""
        middles = (self._frames + np.arange(count) - 1) * self._hop_s
        self._frames += count
        return np.asarray(_PATTERN[np.floor(middles / _TILE_S).astype(int) % _TILES], np.float32)

    def _change_db(self, power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """[n, _BANDS]: a level that changes a lot by itself hides more."""
        levels = 10 * np.log10(power + _QUIET * len(self._window))
        known = np.concatenate([self._levels, levels])
        ends = range(len(self._levels) + 1, len(known) + 1)
        changes = np.array([np.std(known[max(0, end - _PAST) : end], axis=0) for end in ends])
        self._levels = known[-(_PAST - 1) :]
        return np.asarray(np.clip(_SHARE * changes, _LEAST_DB, _MOST_DB), np.float64)


def _band_matrix(frequencies: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """[bins, _BANDS] of 1 where a bin is in a band."""
    number = np.floor((frequencies - _LOWEST_HZ) / _WIDTH_HZ)
    return np.asarray(number[:, None] == np.arange(_BANDS), np.float64)


def mark_score(samples: FloatArray) -> float:
    """How clearly the mark is in float32 mono sound at RATE, in standard deviations; of 10 s at a time the clearest."""
    size, step = int(_WINDOW_S * RATE), int(_WINDOW_S * RATE / 2)
    parts = [samples[begin : begin + size] for begin in range(0, max(1, len(samples) - step), step)]
    return max(map(_score, parts))


def _score(samples: FloatArray) -> float:
    levels = _levels(samples)
    if levels is None:
        return 0.0
    spectrum = np.fft.rfft(_folded(levels) @ _COSINES.T, axis=0)
    likeness = np.fft.irfft(np.sum(spectrum * _FILTER, axis=1), _PERIOD)
    best, near = int(likeness.argmax()), round(_TILE_S / _HOP_S)
    others = np.delete(likeness, np.arange(best - near, best + near + 1) % _PERIOD)
    return float(likeness[best] / (others.std() + 1e-12))


def _levels(samples: FloatArray) -> npt.NDArray[np.float64] | None:
    """dB [hops, _BANDS] around each band's mean; None for what is too short, or silent."""
    size, hop = round(_FRAME_S * RATE), round(_HOP_S * RATE)
    if len(samples) < 4 * size:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size + 1)[:-1].astype(np.float32), axis=1)) ** 2
    bands = power @ _band_matrix(np.fft.rfftfreq(size, 1 / RATE))
    if bands.mean() < _QUIET:
        return None
    floor = np.maximum(1e-3 * bands.mean(axis=0), 1e-4 * bands.mean())
    floor = np.maximum(floor, _FLOOR * np.percentile(bands, _FLOOR_PERCENTILE, axis=0))
    levels = 10 * np.log10(bands + floor)
    return np.asarray(levels - levels.mean(axis=0), np.float64)


def _folded(levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """[_PERIOD, _BANDS]: periods added up."""
    padded = np.pad(levels, ((0, -len(levels) % _PERIOD), (0, 0)))
    return np.asarray(padded.reshape(-1, _PERIOD, _BANDS).sum(axis=0), np.float64)


def _cosines() -> npt.NDArray[np.float64]:
    index = np.arange(_BANDS)
    return np.asarray(np.sqrt(2 / _BANDS) * np.cos(np.pi * (index + 0.5) * index[:, None] / _BANDS), np.float64)


def _matched_filter() -> npt.NDArray[np.complex128]:
    """[frequencies, coefficients]: the pattern as it is heard in a room, over the power of speech."""
    frequencies = np.fft.rfftfreq(_PERIOD, _HOP_S)
    room = 1 - _ROOM_SHARE + _ROOM_SHARE / (1 + 2j * np.pi * frequencies * _ROOM_S)
    hops = _PATTERN[(np.arange(_PERIOD) * _HOP_S / _TILE_S + 1e-6).astype(int)]
    rows = np.digitize(frequencies, _TIME_EDGES) - 1
    columns = np.digitize(np.arange(_BANDS), _BAND_EDGES) - 1
    power = 10 ** (np.array(_SPEECH_DB)[rows][:, columns] / 10)
    pattern = np.fft.rfft(hops @ _COSINES.T, axis=0) * room[:, None]
    return np.asarray(np.conj(pattern) / power, np.complex128)


_COSINES = _cosines()
_FILTER = _matched_filter()
