"""Mandarin text to words with parts of speech.

The most probable path through the word list (unigrams); single characters in a row go to a hidden Markov model over
(place in word, part of speech), which finds names. This is jieba's method with its tables: the tone rules were made on
its words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from edge_tts.text.mandarin.tables import HiddenMarkov, MandarinTables, is_han

IntArray = npt.NDArray[np.int64]

_PARTICLES = frozenset("得地")
_COMPLEMENT = re.compile("得[快慢高低好多远近早晚大小很太清上下去走来看住过紧准]")
"""Listed as words, and two words."""
_NEVER = -3.14e30
_BLOCK = re.compile(r"[\u4e00-\u9fa5.]+|[^\u4e00-\u9fa5.]")
"""A full stop stays with the ideographs before it: the Markov model judges a lone character there."""


class Word(NamedTuple):
    """A word and its part of speech (`n` noun, `v` verb, `r` pronoun, `m` number, `x` mark, ...)."""

    text: str
    tag: str


class MandarinWords:
    def __init__(self, tables: MandarinTables) -> None:
        self._tables = tables
        self._log_total = math.log(tables.total)

    def cut(self, text: str) -> list[Word]:
        """The words of `text` in order; joined they give `text`. Linear in its length."""
        return self._cut(text, self._tables.tagged_model)

    def subwords(self, word: str) -> list[str]:
        """The listed words of two and three characters inside `word`, and the parts it falls into."""
        parts: list[str] = []
        for part, _ in self._cut(word, self._tables.shape_model):
            for length in (2, 3):
                if len(part) > length:
                    inner = (part[i : i + length] for i in range(len(part) - length + 1))
                    parts += [p for p in inner if self.is_listed(p)]
            parts.append(part)
        return parts

    def split_at_particles(self, words: Sequence[Word]) -> list[Word]:
        """`words` with 得 and 地 by themselves where the Markov model made a word with them."""
        apart: list[Word] = []
        for word in words:
            listed = self.is_listed(word.text) and not _COMPLEMENT.match(word.text)
            if len(word.text) > 1 and not _PARTICLES.isdisjoint(word.text) and not listed:
                apart += [Word(part, self._tag(part)) for part in re.split("([得地])", word.text) if part]
            else:
                apart.append(word)
        return apart

    def is_listed(self, text: str) -> bool:
        entry = self._tables.entry(text)
        return entry is not None and entry.frequency > 0

    def _tag(self, text: str) -> str:
        entry = self._tables.entry(text)
        return entry.tag if entry and entry.tag else "x"

    def _cut(self, text: str, model: HiddenMarkov) -> list[Word]:
        words: list[Word] = []
        for block in _BLOCK.findall(text):
            if is_han(block[0]) or len(block) > 1:
                words += self._cut_block(block, model)
            else:
                words.append(Word(block, "x"))
        return words

    def _cut_block(self, block: str, model: HiddenMarkov) -> list[Word]:
        words: list[Word] = []
        singles = ""
        for start, end in self._best_path(block):
            if end - start == 1:
                singles += block[start]
                continue
            words += self._cut_singles(singles, model)
            singles = ""
            words.append(Word(block[start:end], self._tag(block[start:end])))
        return words + self._cut_singles(singles, model)

    def _cut_singles(self, singles: str, model: HiddenMarkov) -> list[Word]:
        """A lone character keeps its own tag; several go to the Markov model."""
        if len(singles) < 2 or self.is_listed(singles):
            return [Word(c, self._tag(c)) for c in singles]
        words: list[Word] = []
        for known, part in groupby(singles, key=lambda c: is_han(c) and model.knows(c)):
            text = "".join(part)
            words += _cut_by_model(text, model) if known else [Word(c, "m" if c == "." else "x") for c in text]
        return words

    def _best_path(self, text: str) -> list[tuple[int, int]]:
        """(start, end) of each piece."""
        size = len(text)
        score, next_start = [0.0] * (size + 1), [0] * size
        for i in range(size - 1, -1, -1):
            best = (score[i + 1] - self._log_total, i + 1)
            for entry in self._tables.entries(text, i):
                if entry.frequency:
                    best = max(best, (math.log(entry.frequency) - self._log_total + score[entry.end], entry.end))
            score[i], next_start[i] = best
        path, i = [], 0
        while i < size:
            path.append((i, next_start[i]))
            i = next_start[i]
        return path


def _cut_by_model(text: str, model: HiddenMarkov) -> list[Word]:
    words: list[Word] = []
    begin = 0
    path = _viterbi(text, model)
    for i, state in enumerate(path):
        place, tag = model.states[state]
        if place == "B":
            begin = i
        elif place in "ES":
            begin = begin if place == "E" else i
            words.append(Word(text[begin : i + 1], tag))
            begin = i + 1
    if begin < len(text):
        words.append(Word(text[begin:], model.states[path[begin]][1]))
    return words


def _viterbi(text: str, model: HiddenMarkov) -> list[int]:
    """The most probable state of each character, among those that can emit it."""
    states, emission = model.emissions(text[0])
    score = model.start[states] + emission
    back: list[tuple[IntArray, IntArray]] = []
    for character in text[1:]:
        here, emission = model.emissions(character)
        moved = score[:, None] + model.trans[np.ix_(states, here)]
        if not np.isfinite(moved).any():
            # No known state may follow: allow all; those that never emit the character are next to impossible.
            emission = np.full(len(model.start), _NEVER)
            emission[here] = model.emissions(character)[1]
            here = np.arange(len(model.start))
            moved = score[:, None] + model.trans[states]
        # Of equal scores the later state wins, as in a comparison of (score, state).
        source = len(moved) - 1 - moved[::-1].argmax(axis=0)
        score = moved[source, np.arange(len(here))] + emission
        back.append((states, source))
        states = here
    score = np.where(model.may_end[states], score, -np.inf)
    best = len(score) - 1 - int(score[::-1].argmax())
    path = [int(states[best])]
    for before, source in reversed(back):
        best = int(source[best])
        path.append(int(before[best]))
    return path[::-1]
