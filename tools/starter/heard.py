"""What a listener writes down, against what was to be said: English in words, Mandarin in syllables.

Both sides go through the front end, so that digits, units and traditional characters cost nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import Run
from tools.judging.listen import read_words

from .edits import distance, words

Unit = Literal["word", "syllable", "tone"]


@dataclass(frozen=True)
class Errors:
    """How many of `count` units are wrong."""

    wrong: int = 0
    count: int = 0

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.wrong + other.wrong, self.count + other.count)

    @property
    def share(self) -> float:
        return self.wrong / max(1, self.count)


@cache
def _front_end() -> TextFrontEnd:
    return TextFrontEnd()


def syllables(text: str) -> list[str]:
    """The syllables of a Mandarin text with their tones in speech (`hao3`); an English word among them is one."""
    found: list[str] = []
    for segment in _front_end().segments(text, "zh"):
        for run in segment.runs:
            found += _spoken(run) if run.language == "zh" else words(run.normalized)
    return found


def _spoken(run: Run) -> list[str]:
    """A syllable a character; a letter is itself, a mark nothing."""
    found, start = [], 0
    for character, count in zip(run.normalized, run.word2ph or (), strict=True):
        phonemes = run.phonemes[start : start + count]
        start += count
        if character.isalpha() and phonemes:
            found.append(character.lower() if character.isascii() else "".join(phonemes))
    return found


def compare(language: str, wanted: str, heard: str) -> dict[Unit, Errors]:
    """Errors per unit of the language: words, or syllables without and with their tones."""
    if language == "en":
        said, written = (read_words(_front_end(), text) for text in (wanted, heard))
        return {"word": Errors(distance(said, written), len(said))}
    said, written = syllables(wanted), syllables(heard)
    bare = [[syllable.rstrip("12345") for syllable in row] for row in (said, written)]
    return {
        "syllable": Errors(distance(*bare), len(said)),
        "tone": Errors(distance(said, written), len(said)),
    }
