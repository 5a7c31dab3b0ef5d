"""Where a recording rests. Pure functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

QUIET = 0.03
"""A frame is silent below this share of the loudest frame's amplitude."""
FRAME_S = 0.01


def longest_rest(wave: npt.NDArray[np.float32], rate: int) -> float:
    """Seconds of the longest silence between the first and the last sound; 0 for silence alone."""
    size = round(rate * FRAME_S)
    frames = wave[: len(wave) // size * size].reshape(-1, size)
    level = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    loud = np.flatnonzero(level > QUIET * level.max(initial=0.0))
    return float(np.diff(loud).max(initial=1) - 1) * FRAME_S if len(loud) else 0.0
