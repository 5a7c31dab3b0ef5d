"""Upstream's way of joining streamed fragments, which the runtime replaced by its own; here only to judge goldens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_tts.values import FloatArray

PcmArray = npt.NDArray[np.int16]

OVERLAP_SAMPLES = 2560
_SEARCH = 320


def blend_features(new: FloatArray, old: FloatArray) -> FloatArray:
    """`new` [1, width, frames], its beginning blended with all of `old` [1, width, n] by sine weights, not squared."""
    count = old.shape[2]
    ramp = np.arange(count, dtype=np.float64) * (np.pi / (2 * count))
    rising, falling = np.sin(ramp).astype(np.float32), np.sin(ramp + np.pi / 2).astype(np.float32)
    head = new[:, :, :count] * rising + old * falling
    return np.concatenate([head, new[:, :, count:]], axis=2)


def join(before: FloatArray, after: FloatArray) -> FloatArray:
    """`after` moved by at most 320 samples to where it best matches the end of `before`, its start cross-faded.

    `before` ends with 2560 samples that `after` repeats. Both float32 [samples].
    """
    tail = before[-OVERLAP_SAMPLES:].astype(np.float64)
    window = after[: OVERLAP_SAMPLES + _SEARCH].astype(np.float64)
    likeness = np.correlate(window, tail, "valid")
    energy = np.convolve(window**2, np.ones(OVERLAP_SAMPLES), "valid")
    offset = int(np.argmax(likeness / np.sqrt(energy + 1e-8)))
    joined: FloatArray = after[offset:].copy()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2 * OVERLAP_SAMPLES) / (2 * OVERLAP_SAMPLES))
    rising, falling = hann[:OVERLAP_SAMPLES], hann[OVERLAP_SAMPLES:]
    joined[:OVERLAP_SAMPLES] = (joined[:OVERLAP_SAMPLES] * rising + tail * falling).astype(np.float32)
    return joined


def to_pcm(fragments: list[FloatArray], gap: int) -> PcmArray:
    """int16 [samples]: each fragment brought below 1 by its peak, `gap` zeros after it, scaled by 32768 and clipped."""
    parts = []
    for fragment in fragments:
        parts += [fragment / max(1.0, float(np.abs(fragment).max())), np.zeros(gap, np.float32)]
    samples: PcmArray = np.clip(np.trunc(np.concatenate(parts) * 32768.0), -32768, 32767).astype(np.int16)
    return samples
