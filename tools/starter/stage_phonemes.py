"""Second half of stage `data`: phonemes of every sentence by the product's own front end, and when each one sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_tts.text.front_end import TextFrontEnd

from .alignment import align
from .clips import Clips


def write(stem: Path, front_end: TextFrontEnd) -> None:
    """Writes `stem.phonemes.npz`: counts [clips], ids [all], ends in seconds [all]."""
    counts: list[int] = []
    ids: list[int] = []
    ends: list[float] = []
    for clip in Clips.read(stem).clips:
        segments = front_end.segments(clip.text, "en", split="cut0")
        symbols = [symbol for segment in segments for symbol in segment.phonemes]
        names = [name for name, _ in clip.phones]
        times = [end for _, end in clip.phones]
        clock = 0.0
        for partner in align(symbols, names):
            clock = times[partner] if partner is not None else clock
            ends.append(clock)
        ids += [int(value) for segment in segments for value in segment.phoneme_ids]
        counts.append(len(symbols))
    np.savez(stem.parent / f"{stem.name}.phonemes.npz", counts=counts, ids=ids, ends=np.array(ends, np.float32))


def run(folder: Path) -> None:
    """Phonemes of all clip sets."""
    for name in ("test", "speakers", "teacher"):
        if not (folder / f"{name}.phonemes.npz").exists():
            write(folder / name, TextFrontEnd())
