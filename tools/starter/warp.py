"""Dynamic time warping of one reading of a text onto another (after Sakoe and Chiba, 1978). Frames of 10 ms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_tts.audio.features import filterbank
from edge_tts.values import FloatArray

BANDS = 40
FLOOR = -12.0
"""Log energy below which a band says nothing."""


def features(wave: FloatArray) -> FloatArray:
    """16 kHz -> the spectrum's shape [frames, BANDS], each band without its mean: two speakers become comparable."""
    logs = np.maximum(filterbank(wave), FLOOR).reshape(-1, BANDS, 80 // BANDS).mean(2)
    return np.asarray((logs - logs.mean(0)) / (logs.std(0) + 1e-3), np.float32)


def warp(one: FloatArray, other: FloatArray) -> npt.NDArray[np.intp]:
    """For each frame of `one` the frame of `other` that it is, both as `features` gives them: the cheapest path."""
    costs = np.sqrt(((one[:, None] - other[None]) ** 2).mean(2))
    rows, columns = costs.shape
    best = np.full((rows + 1, columns + 1), np.inf)
    best[0, 0] = 0.0
    for row in range(rows):
        above, line = np.minimum(best[row, 1:], best[row, :-1]).tolist(), costs[row].tolist()
        left, found = np.inf, []
        for up, cost in zip(above, line, strict=True):
            left = min(up, left) + cost
            found.append(left)
        best[row + 1, 1:] = found
    return _way_back(best)


def _way_back(best: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    row, column = best.shape[0] - 1, best.shape[1] - 1
    path = np.zeros(row, np.intp)
    while row:
        path[row - 1] = column - 1
        steps = (best[row - 1, column - 1], best[row - 1, column], best[row, column - 1])
        chosen = int(np.argmin(steps))
        row, column = row - (chosen != 2), column - (chosen != 1)
    return path
