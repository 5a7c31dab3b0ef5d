"""How loud the microphone is while it is open, so that a person can see it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from edge_tts.recordings.signal_measures import FLOOR_DB, level_db
from edge_tts.values import FloatArray

_BLOCKS = 4
"""Blocks that are shown together: whoever looks a few times a second misses none."""


@dataclass(frozen=True, slots=True)
class Level:
    """dB of full scale, of the last 200 ms."""

    level_db: float
    """Of the loudest block."""
    peak_db: float


class LevelMeter:
    """`measure` is for the microphone's thread, `level` for any."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[float, float]] = deque(maxlen=_BLOCKS)

    def measure(self, samples: FloatArray) -> None:
        """float32 [n], the next block."""
        peak = float(np.abs(samples).max(initial=0.0))
        peak_db = 20 * float(np.log10(peak)) if peak > 10 ** (FLOOR_DB / 20) else FLOOR_DB
        self._blocks.append((level_db(samples), peak_db))

    def close(self) -> None:
        self._blocks.clear()

    def level(self) -> Level | None:
        """None while the microphone is closed."""
        blocks = list(self._blocks)
        if not blocks:
            return None
        return Level(*(round(max(values), 1) for values in zip(*blocks, strict=True)))
