"""Whether a recording says a sentence: its `ssl` features are compared with those of our own synthesis of the sentence.

No recogniser is needed, and it works in any language that the model set speaks. The frames of both are aligned by
dynamic time warping (Sakoe and Chiba 1978, symmetric steps) over the cosine of features minus their mean. The score is
the mean cost in the worst fifth of the sentence or of the recording, which finds half a sentence and one among others,
divided by the cost of an alignment with the sentence backwards, which has the same speakers, room and sounds but no
words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_tts.recordings.vad import SpeechSpan
from edge_tts.values import FloatArray, IntArray, Recording

WORDS_LIMIT = 0.9
"""The highest score of a recording of the sentence where a set states no other; docs/quality.md has the errors."""
_FRAMES, _PARTS = 2, 5
"""Frames that are averaged, and parts of which the worst counts."""
_FEWEST = 4 * _FRAMES * _PARTS


def speech_frames(features: FloatArray, recording: Recording, spans: Sequence[SpeechSpan]) -> FloatArray:
    """The frames, float32 [frames, width], of `recording` that are speech."""
    per_s = len(features) * recording.sample_rate / max(1, len(recording.samples))
    frames = [features[int(span.start_s * per_s) : int(np.ceil(span.end_s * per_s))] for span in spans]
    return np.concatenate([features[:0], *frames])


def words_score(spoken: FloatArray, references: Sequence[FloatArray]) -> float:
    """How far `spoken` is from the nearest of `references`: 0 is the same, about 1 are other words.

    Each is float32 [frames, width], speech only, about 50 frames a second. Infinite where one has too few.
    """
    return min((_distance(reference, spoken) for reference in references), default=np.inf)


def _distance(reference: FloatArray, spoken: FloatArray) -> float:
    if min(len(reference), len(spoken)) < _FEWEST:
        return np.inf
    sentence, heard = _condensed(reference), _condensed(spoken)
    costs = 1 - sentence @ heard.T
    along, *cells = _path(costs, _accumulated(costs))
    parts = [index * _PARTS // length for index, length in zip(cells, costs.shape, strict=True)]
    worst = max(float(along[in_part == part].mean()) for in_part in parts for part in range(_PARTS))
    backwards = float(_accumulated(costs[::-1])[-1, -1]) / sum(costs.shape)
    return worst / max(backwards, 1e-6)


def _condensed(features: FloatArray) -> FloatArray:
    """Averages of neighbouring frames, minus the mean, of length 1."""
    whole = len(features) // _FRAMES * _FRAMES
    frames = features[:whole].reshape(-1, _FRAMES, features.shape[1]).mean(axis=1)
    frames = frames - frames.mean(axis=0)
    unit: FloatArray = frames / (np.linalg.norm(frames, axis=1, keepdims=True) + 1e-8)
    return unit


def _accumulated(costs: FloatArray) -> FloatArray:
    """[rows + 1, columns + 1]: the least cost of a path to each cell; a diagonal step counts twice."""
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for diagonal in range(2, rows + columns + 1):  # the cells of an anti-diagonal do not depend on each other
        row = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        column = diagonal - row
        cost = costs[row - 1, column - 1]
        straight = np.minimum(total[row - 1, column], total[row, column - 1]) + cost
        total[row, column] = np.minimum(total[row - 1, column - 1] + 2 * cost, straight)
    return total


def _path(costs: FloatArray, total: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """The costs along the cheapest path, their rows and columns."""
    row, column = costs.shape
    cells = []
    while row > 0 and column > 0:
        cost = costs[row - 1, column - 1]
        cells.append((cost, row - 1, column - 1))
        steps = (total[row - 1, column - 1] + 2 * cost, total[row - 1, column] + cost, total[row, column - 1] + cost)
        best = int(np.argmin(steps))
        row, column = row - (best != 2), column - (best != 1)
    along, rows, columns = (np.array(values) for values in zip(*cells, strict=True))
    return along, rows, columns
