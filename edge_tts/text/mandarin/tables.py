"""The packed Mandarin tables: words, readings, characters.

`tools/pack_chinese` writes `data/zh.npz`. Words and phrases share one tree: node 0 is the root, the children of node
`i` are nodes `first[i]` to `first[i + 1]`, sorted by `label` (a UTF-16 code unit in the basic plane) for bisection.
Half a million nodes take 9 MB, not 60.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

FIRST_HAN, LAST_HAN = 0x4E00, 0x9FA5
"""The ideographs of the word list."""
_BLOCKS = ((0x3400, 0x9FFF), (0x20000, 0x323AF))
"""The ideographs of the readings; names use rare ones."""


@dataclass(frozen=True, slots=True)
class HiddenMarkov:
    """Log probabilities of states for characters that no word covers."""

    states: tuple[tuple[str, str], ...]
    """Place in word (B, M, E or S) and part of speech (may be empty)."""
    start: npt.NDArray[np.float64]
    """float64 [states]."""
    trans: npt.NDArray[np.float64]
    """float64 [states, states], from row to column."""
    may_end: npt.NDArray[np.bool_]
    """bool [states]: whether a text may end there; the tagged model may stop inside a word."""
    rows: npt.NDArray[np.int32]
    """int32 [ideographs + 1]: the emissions of ideograph `c` lie at `rows[c]` to `rows[c + 1]`."""
    state: npt.NDArray[np.uint8]
    """uint8 [emissions]: the emitting state."""
    emit: npt.NDArray[np.float32]
    """float32 [emissions]."""

    @classmethod
    def load(cls, data: Mapping[str, npt.NDArray[Any]], prefix: str) -> HiddenMarkov:
        states = tuple((str(s)[0], str(s)[1:]) for s in data[f"{prefix}_states"])
        return cls(
            states=states,
            may_end=np.array([tag != "" or place in "ES" for place, tag in states]),
            start=data[f"{prefix}_start"].astype(np.float64),
            trans=data[f"{prefix}_trans"].astype(np.float64),
            rows=data[f"{prefix}_rows"],
            state=data[f"{prefix}_state"],
            emit=data[f"{prefix}_emit"],
        )

    def knows(self, ideograph: str) -> bool:
        at = ord(ideograph) - FIRST_HAN
        return bool(self.rows[at] < self.rows[at + 1])

    def emissions(self, ideograph: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """States that emit a known ideograph, int64 [n], and their log probabilities, float64 [n]."""
        at = ord(ideograph) - FIRST_HAN
        rows = slice(int(self.rows[at]), int(self.rows[at + 1]))
        return self.state[rows].astype(np.int64), self.emit[rows].astype(np.float64)


@dataclass(frozen=True, slots=True)
class WordEntry:
    """A word or phrase of the tree."""

    end: int
    """One past its last character."""
    frequency: int
    """In the corpus; 0 when it is not in the word list."""
    tag: str
    """Part of speech; empty when it is not in the word list."""
    phrase: int
    """Start in the phrase readings; 0 for none."""


class MandarinTables:
    """All tables of `data/zh.npz`, read in about 0.1 s; 20 MB."""

    def __init__(self) -> None:
        folder = files("edge_tts.text") / "data"
        with (folder / "zh.npz").open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            self._label = memoryview(data["label"])
            self._first = memoryview(data["first"])
            self._frequency = memoryview(data["frequency"])
            self._tag = memoryview(data["tag"])
            self._phrase = memoryview(data["phrase"])
            self._tags = [str(t) for t in data["tags"]]
            self._phrase_readings = memoryview(data["phrase_readings"])
            self._readings = memoryview(data["readings"])
            self._syllables = [str(s) for s in data["syllables"]]
            self.total = int(data["total"])
            """Sum of all word frequencies."""
            pairs = zip(str(data["traditional"]), str(data["simplified"]), strict=True)
            self.simplified = {ord(t): s for t, s in pairs}
            """For str.translate: traditional to simplified."""
            self.taiwanese = dict(zip(map(ord, str(data["plain"])), str(data["taiwanese"]), strict=True))
            """For str.translate: simplified to Taiwanese."""
            self.bopomofo = dict(zip(map(str, data["bopomofo"]), self._syllables, strict=True))
            """Toneless syllable in bopomofo -> in pinyin."""
            self.tagged_model = HiddenMarkov.load(data, "tagged")
            self.shape_model = HiddenMarkov.load(data, "shape")
            """Word borders alone; they differ from the tagged model's."""
        symbols = json.loads((folder / "zh_syllables.json").read_text(encoding="utf-8"))
        self.phonemes: dict[str, tuple[str, str]] = {name: (pair[0], pair[1]) for name, pair in symbols.items()}
        """Toneless syllable -> initial symbol, final symbol without tone."""

    def entries(self, text: str, start: int) -> list[WordEntry]:
        """Words and phrases that begin at `text[start]`, shortest first."""
        matches: list[WordEntry] = []
        node = 0
        for i in range(start, len(text)):
            code = ord(text[i])
            low, high = self._first[node], self._first[node + 1]
            node = bisect_left(self._label, code, low, high)
            if node == high or self._label[node] != code:
                break
            if self._frequency[node] or self._phrase[node] or self._tag[node]:
                matches.append(WordEntry(i + 1, self._frequency[node], self._tags[self._tag[node]], self._phrase[node]))
        return matches

    def entry(self, word: str) -> WordEntry | None:
        matches = self.entries(word, 0)
        return matches[-1] if matches and matches[-1].end == len(word) else None

    def character_reading(self, character: str) -> str:
        """The commonest reading (`hao3`); empty when there is none."""
        code, offset = ord(character), 0
        for first, last in _BLOCKS:
            if first <= code <= last:
                return self._spell(self._readings[offset + code - first])
            offset += last + 1 - first
        return ""

    def phrase_reading(self, phrase: int, length: int) -> list[str]:
        """The readings of `length` characters at `WordEntry.phrase`."""
        return [self._spell(code) for code in self._phrase_readings[phrase : phrase + length]]

    def _spell(self, code: int) -> str:
        return self._syllables[code >> 3] + str(code & 7) if code else ""


def is_han(character: str) -> bool:
    return FIRST_HAN <= ord(character) <= LAST_HAN
