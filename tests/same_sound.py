"""Whether what was heard is what was to be heard: all of it, in order, and nothing besides."""

from __future__ import annotations

import numpy as np
import soxr

from edge_tts.values import FloatArray

HEARD = 48000
"""Sample rate, Hz."""
LOST_S = 0.05
"""What a sound server may lose each time the sound begins: it was sent to the recorder as silence before."""
_FINE = 192000
"""Hz; compared at this rate, two recordings of one sound are never more than an eighth of a sample apart."""
_BAND = 16000
"""Sample rate below whose half is compared: a sound server's resampler is softer above 8 kHz than ours."""
_SLACK_S = 0.005
"""By so much a resampler may blur where a sound begins and ends."""
_EDGE_S = 0.002
_SHORT_S = 0.1
"""Of a run as short as this, the blurred edges are a large part."""
_BLOCK_S = 0.05


def assert_same_sound(heard: FloatArray, expected: FloatArray, rate: int) -> None:
    """`heard` is `expected` (float32 at 48 kHz and `rate`), played once from beginning to end at its own level.

    A machine that is too busy tears holes anywhere, and the sound begins anew after each; it can neither change, repeat
    nor reorder what is between them, and loses LOST_S at most at each beginning.
    """
    slack, most, scale = int(_SLACK_S * _FINE), int(LOST_S * _FINE), _FINE // HEARD
    fine = _fine(heard, HEARD)
    wanted = np.pad(_fine(without_holes(expected, rate), rate), slack)
    position = slack
    # Shorter ones than in `expected`: a resampler's ringing shortens them, and where one is cut there, a run ends.
    for begin, end in _between(holes(heard, HEARD, longer_s=0.006), len(heard)):
        run, at = fine[begin * scale : end * scale], f"from {begin / HEARD:.2f} s to {end / HEARD:.2f} s"
        window = wanted[position - slack : position + len(run) + most]
        assert len(window) >= len(run), f"{at} more is heard than there is"
        where, likeness = align(window, run)
        least = 0.98 if end - begin > _SHORT_S * HEARD else 0.95
        assert likeness > least, f"{at} something else is heard ({likeness:.3f})"
        _assert_equal(run, window[where:], begin / HEARD)
        position += where - slack + len(run)
    missing_s = (len(wanted) - slack - position) / _FINE
    assert abs(missing_s) <= _SLACK_S, f"{missing_s:.2f} s are missing at the end"


def _fine(sound: FloatArray, rate: int) -> FloatArray:
    """What is below half of `_BAND`, at `_FINE`. Not by our resampler, whose short filter folds what is just above."""
    return np.asarray(soxr.resample(soxr.resample(sound, rate, _BAND), _BAND, _FINE), np.float32)


def without_holes(heard: FloatArray, rate: int) -> FloatArray:
    """Without its runs of 10 ms and more of perfect silence: what a server plays that is not fed in time."""
    keep = np.ones(len(heard), np.bool_)
    for start, end in holes(heard, rate):
        keep[start:end] = False
    return heard[keep]


def holes(heard: FloatArray, rate: int, *, longer_s: float = 0.01) -> list[tuple[int, int]]:
    """Where there is perfect silence for longer than that: first and one past the last sample."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], heard == 0, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > longer_s * rate]


def align(heard: FloatArray, expected: FloatArray) -> tuple[int, float]:
    """Where in `heard` what is most like `expected` begins (float32, one rate), and how like it is: 1 is equal."""
    size = 1 << (len(heard) + len(expected)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(expected, size)), size)
    energy = np.concatenate([[0.0], np.cumsum(heard.astype(np.float64) ** 2)])
    count = len(heard) - len(expected) + 1
    norms = np.sqrt(np.maximum(energy[len(expected) :] - energy[:count], 1e-6)) * np.linalg.norm(expected)
    likeness = products[:count] / norms
    start = int(np.argmax(likeness))
    return start, float(likeness[start])


def _assert_equal(run: FloatArray, wanted: FloatArray, at_s: float) -> None:
    """Block by block, but for the edges, which ring where the sound was torn: no gain, no noise, nothing replaced."""
    edge, size = int(_EDGE_S * _FINE), int(_BLOCK_S * _FINE)
    for start in range(edge, len(run) - edge - size + 1, size):
        block, other = wanted[start : start + size], run[start : start + size]
        level, error = _rms(block), _rms(other - block)
        assert error < 0.003 + 0.1 * level, (
            f"at {at_s + start / _FINE:.2f} s: off by {error:.4f} at a level of {level:.4f}"
        )


def _between(gaps: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """What is not a gap, if it is long enough to be told apart (20 ms)."""
    edges = [0, *(edge for gap in gaps for edge in gap), length]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > 0.02 * HEARD]


def _rms(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
