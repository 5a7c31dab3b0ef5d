"""An endless, fixed order of training sentences in two languages, any beginning of which is balanced.

Grammars written for this project, and word salads from the lexicons of the front end for rare neighbours of sounds."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate, count
from pathlib import Path

import numpy as np

from .grammar import Grammar

HERE = Path(__file__).parent
ENGLISH, HOME, MANDARIN = (HERE / f"{name}.txt" for name in ("grammar", "grammar_home", "grammar_zh"))
TURNS = ("en", "zh") * 7 + ("mixed",)
"""Whose turn it is; mixed sentences are Mandarin with English words."""
SALAD, JOINED = 0.25, 0.12
"""Shares of word salads and of two sentences in one."""
WORDS = 25000
"""Words of each lexicon, the commonest."""
COMMON = 0.4
"""A word is drawn in proportion to its count to this power."""


@dataclass(frozen=True)
class Line:
    """A sentence; `language` is `en` or `zh` (mixed ones as well)."""

    text: str
    language: str


@dataclass(frozen=True)
class Lexicon:
    """Words and how often each is drawn."""

    words: tuple[str, ...]
    shares: tuple[float, ...]
    """Running sums."""

    @staticmethod
    def commonest(counts: Iterable[tuple[str, float]]) -> Lexicon:
        chosen = sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:WORDS]
        return Lexicon(tuple(word for word, _ in chosen), tuple(accumulate(number**COMMON for _, number in chosen)))

    def draw(self, rng: random.Random, number: int) -> list[str]:
        return rng.choices(self.words, cum_weights=self.shares, k=number)


@cache
def english_words() -> Lexicon:
    """Words of the front end's dictionary by their counts."""
    table = [line.split("\t") for line in _packed("en_unigrams.gz")]
    counts = {row[0]: 10 ** float(row[1]) for row in table if len(row) == 2}
    known = (line.split("\t")[0] for line in _packed("en_dictionary.gz"))
    return Lexicon.commonest((word, counts[word]) for word in known if len(word) > 2 and word in counts)


def _packed(name: str) -> list[str]:
    return gzip.decompress((files("edge_tts.text") / "data" / name).read_bytes()).decode("utf-8").splitlines()


@cache
def mandarin_words() -> Lexicon:
    """Words of two to four characters of the front end's word list by their counts."""
    with (files("edge_tts.text") / "data" / "zh.npz").open("rb") as stream, np.load(stream) as data:
        labels, first, frequency = (data[name].tolist() for name in ("label", "first", "frequency"))
    found: list[tuple[str, float]] = []
    waiting = [("", 0)]
    while waiting:
        prefix, node = waiting.pop()
        if len(prefix) > 1 and frequency[node]:
            found.append((prefix, frequency[node]))
        if len(prefix) < 4:
            waiting += [(prefix + chr(labels[child]), child) for child in range(first[node], first[node + 1])]
    return Lexicon.commonest(found)


class Writer:
    """Writes one sentence after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._grammars = {name: Grammar.read(path) for name, path in (("en", ENGLISH), ("home", HOME))}
        self._mandarin, self._mixed = Grammar.read(MANDARIN), Grammar.read(MANDARIN, "mixed")
        self._words = {"en": english_words(), "zh": mandarin_words()}

    def write(self, turn: str) -> Line:
        """A sentence for a turn of `TURNS`."""
        if turn == "mixed":
            return Line(self._mixed.sentence(self._random), "zh")
        kind = self._random.random()
        if kind < SALAD:
            return Line(self._salad(turn), turn)
        text = self._plain(turn)
        if kind < SALAD + JOINED:
            text += (" " if turn == "en" else "") + self._plain(turn)
        return Line(text, turn)

    def _plain(self, language: str) -> str:
        if language == "zh":
            return self._mandarin.sentence(self._random)
        return self._grammars[self._random.choice(("en", "en", "home"))].sentence(self._random)

    def _salad(self, language: str) -> str:
        chosen = self._words[language].draw(self._random, self._random.randint(2, 8 if language == "en" else 5))
        if len(chosen) > 3:
            chosen[1] += "," if language == "en" else "，"
        if language == "en":
            return " ".join(chosen).capitalize() + self._random.choice("....?")
        return "".join(chosen) + self._random.choice("。。。。？")


def sentences(seed: int, held_out: Sequence[str]) -> Iterator[Line]:
    """Every sentence once and none that is held out."""
    writer, seen = Writer(seed), set(held_out)
    for number in count():
        line = writer.write(TURNS[number % len(TURNS)])
        while line.text in seen:
            line = writer.write(TURNS[number % len(TURNS)])
        seen.add(line.text)
        yield line
