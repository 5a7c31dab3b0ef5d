"""Stage `data`: which recordings still say what the present front end reads in their texts, and how loud each is.

It goes on from the last part that was looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_tts.audio.loudness import CEILING, loudness
from edge_tts.durable.atomic import replacing
from edge_tts.text.front_end import TextFrontEnd

from .library import kept
from .recorded import Part, parts
from .teachers.teacher import FloatArray

LOUDNESS = -21.0
"""LUFS of every utterance."""


def plain(text: str) -> str:
    """A text without case, marks and spaces."""
    return "".join(filter(str.isalnum, text.casefold()))


def phonemes(front_end: TextFrontEnd, text: str, language: str) -> tuple[str, ...]:
    """As the product reads it."""
    return tuple(name for segment in front_end.segments(text, language, split="cut0") for name in segment.phonemes)


def gain(wave: FloatArray, rate: int) -> float | None:
    """The factor that makes a sound as loud as all others, less where it would clip; None for one that is too short."""
    level = loudness(wave, rate)
    if level is None:
        return None
    return float(min(10 ** ((LOUDNESS - level) / 20), CEILING / np.abs(wave).max()))


def look(part: Part, front_end: TextFrontEnd, held_out: set[str], counts: Counter[str]) -> list[tuple[int, float]]:
    """Rows of a part that are kept, with their gains; counts the others by their reason."""
    found: list[tuple[int, float]] = []
    for at, row in enumerate(part.rows):
        if plain(row.text) in held_out:
            counts["held out"] += 1
        elif phonemes(front_end, row.text, row.language) != row.phonemes:
            counts[f"other phonemes ({row.language})"] += 1
        elif (factor := gain(part.wave(at), row.rate)) is None:
            counts["too short or silent"] += 1
        else:
            counts["kept"] += 1
            found.append((at, round(factor, 4)))
    return found


def run(folder: Path, *, held_out: Sequence[str]) -> None:
    """Looks at the parts of `folder` that it has not looked at, and prints what is left out."""
    front_end, counts, forbidden = TextFrontEnd(), Counter[str](), set(map(plain, held_out))
    for path in parts(folder):
        if not kept(path).exists():
            found = look(Part.read(path), front_end, forbidden, counts)
            with replacing(kept(path)) as beside:
                beside.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(f"{folder.name}: " + (", ".join(f"{n} {name}" for name, n in counts.items()) or "nothing new"), flush=True)
