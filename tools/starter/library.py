"""A folder of recordings as training material: what fits the present front end, at one rate and one loudness."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soxr

from .recorded import Recorded, parts, rows
from .shapes import RATE
from .teachers.teacher import FloatArray

HELD = 40
"""One part in so many, the first to begin with, is never trained on."""


@dataclass(frozen=True)
class Item:
    """An utterance that is kept."""

    row: Recorded
    gain: float
    labels: Path
    part: int


@dataclass(frozen=True)
class Library:
    """The utterances of all parts in their order."""

    items: tuple[Item, ...]

    @staticmethod
    def read(folder: Path) -> Library:
        """Parts that the stage `data` has looked at. Raises FileNotFoundError where there are none."""
        found: list[Item] = []
        for number, path in enumerate(parts(folder)):
            if kept(path).exists():
                said, fitting = rows(path), json.loads(kept(path).read_text(encoding="utf-8"))
                found += [Item(said[at], gain, path, number) for at, gain in fitting]
        if not found:
            raise FileNotFoundError(f"{folder}: no recordings; run the stages speech and data first")
        return Library(tuple(found))

    def wave(self, index: int, rate: int = RATE) -> FloatArray:
        """float32 [samples] at `rate`."""
        item = self.items[index]
        row = item.row
        whole = np.fromfile(item.labels.with_suffix(".i16"), "<i2", row.samples, offset=2 * row.start)
        wave = whole.astype(np.float32) * np.float32(item.gain / 32768)
        return wave if row.rate == rate else np.asarray(soxr.resample(wave, row.rate, rate), np.float32)

    @cached_property
    def split(self) -> tuple[list[int], list[int]]:
        """Indices of what is trained on and of what is held out. Raises RuntimeError when nothing is left."""
        held = [item.part % HELD == 0 for item in self.items]
        if all(held):
            raise RuntimeError("one part is held out, so two are needed: record more with the stage speech")
        return [at for at, out in enumerate(held) if not out], [at for at, out in enumerate(held) if out]

    @cached_property
    def peers(self) -> dict[str, list[int]]:
        """Indices of what is trained on by speaker."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for at in self.split[0]:
            found[self.items[at].row.speaker].append(at)
        return found


def kept(labels: Path) -> Path:
    """Where the stage `data` writes which rows of a part are kept, each with its gain."""
    return labels.with_suffix(".kept.json")
