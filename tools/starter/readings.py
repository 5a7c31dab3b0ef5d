"""The teacher's readings of the test, where they were recorded: they say when each syllable of a text is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_tts.values import FloatArray

from . import pitch, warp
from .library import Library
from .tones import Syllable, judge, syllables

RATE = pitch.RATE


@dataclass(frozen=True)
class Reading:
    """16 kHz."""

    wave: FloatArray
    syllables: tuple[Syllable, ...]


def mandarin_readings(folder: Path) -> dict[str, Reading]:
    """Text -> what the teacher said, of recordings by the stages `speech` and `data` in `folder`; none without them."""
    try:
        test = Library.read(folder)
    except FileNotFoundError:
        return {}
    return {
        item.row.text: Reading(test.wave(at, RATE), tuple(syllables(item.row.phonemes, item.row.ends)))
        for at, item in enumerate(test.items)
        if item.row.language == "zh"
    }


def tone_shapes(wave: FloatArray, reading: Reading) -> tuple[int, int]:
    """How many syllables of 16 kHz sound have the shape of their tone, of how many that are judged. The wave is aligned
    with the reading of the same text."""
    path = warp.warp(warp.features(reading.wave), warp.features(wave))

    def there(seconds: float) -> float:
        return float(path[min(round(seconds * 100), len(path) - 1)]) / 100

    moved = [Syllable(one.tone, there(one.start), there(one.end)) for one in reading.syllables]
    return judge(np.asarray(pitch.track(wave), np.float32), moved)
