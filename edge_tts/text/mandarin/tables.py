"""The packed Mandarin tables: words, readings, characters. Knows the file's layout, none of the rules that use it.

`data/zh.npz` is written by tools/pack_chinese. Words and phrases share one tree: node 0 is the root, the children of
node `i` are the nodes `first[i]` to `first[i + 1]`, neighbours sorted by `label` (a UTF-16 code unit; every character
of the file lies in the basic plane), so a child is found by bisection and half a million nodes take 9 MB, not 60.
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
"""The ideographs that words of the list are made of."""
_BLOCKS = ((0x3400, 0x9FFF), (0x20000, 0x323AF))
"""All ideographs with a place in the readings, one block after the other; names use rare ones."""


@dataclass(frozen=True, slots=True)
class HiddenMarkov:
    """Log probabilities of (place in word, part of speech) states for characters that no word covers."""

    states: tuple[tuple[str, str], ...]
    """Place (B, M, E or S) and part of speech (may be empty) of each state."""
    start: npt.NDArray[np.float64]
    """float64 [states]."""
    trans: npt.NDArray[np.float64]
    """float64 [states, states], from row to column."""
    may_end: npt.NDArray[np.bool_]
    """bool [states]: whether a text may end there. The tagged model may stop inside a word, the one of shapes not."""
    rows: npt.NDArray[np.int32]
    """int32 [ideographs + 1]: the emissions of ideograph `c` lie at `rows[c]` to `rows[c + 1]`."""
    state: npt.NDArray[np.uint8]
    """uint8 [emissions]: which state emits."""
    emit: npt.NDArray[np.float32]
    """float32 [emissions]."""

    @classmethod
    def load(cls, data: Mapping[str, npt.NDArray[Any]], prefix: str) -> HiddenMarkov:
        """The model whose arrays begin with `prefix` in the packed file."""
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
        """Whether the model was ever given this ideograph."""
        at = ord(ideograph) - FIRST_HAN
        return bool(self.rows[at] < self.rows[at + 1])

    def emissions(self, ideograph: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """The states that give a known ideograph, int64 [n], and how likely, float64 [n]."""
        at = ord(ideograph) - FIRST_HAN
        rows = slice(int(self.rows[at]), int(self.rows[at + 1]))
        return self.state[rows].astype(np.int64), self.emit[rows].astype(np.float64)


@dataclass(frozen=True, slots=True)
class WordEntry:
    """What the tree knows of a stretch of text."""

    end: int
    """One past its last character."""
    frequency: int
    """Occurrences in the corpus of the word list; 0 when it is no word of the list."""
    tag: str
    """Part of speech; empty when it is no word of the list."""
    phrase: int
    """Where its reading begins in the phrase readings; 0 for none."""


class MandarinTables:
    """All tables of `data/zh.npz`, read once by the constructor (about 0.1 s and 20 MB)."""

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
            """Sum of the frequencies of all words of the corpus."""
            pairs = zip(str(data["traditional"]), str(data["simplified"]), strict=True)
            self.simplified = {ord(t): s for t, s in pairs}
            """For str.translate: traditional to simplified."""
            self.taiwanese = dict(zip(map(ord, str(data["plain"])), str(data["taiwanese"]), strict=True))
            """For str.translate: simplified to Taiwanese."""
            self.bopomofo = dict(zip(map(str, data["bopomofo"]), self._syllables, strict=True))
            """Syllable without tone in bopomofo -> in pinyin."""
            self.tagged_model = HiddenMarkov.load(data, "tagged")
            """Parts of speech for stretches that the list does not know."""
            self.shape_model = HiddenMarkov.load(data, "shape")
            """Shapes of words alone; it finds other borders than the tagged one."""
        symbols = json.loads((folder / "zh_syllables.json").read_text(encoding="utf-8"))
        self.phonemes: dict[str, tuple[str, str]] = {name: (pair[0], pair[1]) for name, pair in symbols.items()}
        """Syllable without tone -> initial symbol, final symbol without tone."""

    def entries(self, text: str, start: int) -> list[WordEntry]:
        """Words and phrases of the tree that begin at `text[start]`, shortest first."""
        found: list[WordEntry] = []
        node = 0
        for i in range(start, len(text)):
            code = ord(text[i])
            low, high = self._first[node], self._first[node + 1]
            node = bisect_left(self._label, code, low, high)
            if node == high or self._label[node] != code:
                break
            if self._frequency[node] or self._phrase[node] or self._tag[node]:
                found.append(WordEntry(i + 1, self._frequency[node], self._tags[self._tag[node]], self._phrase[node]))
        return found

    def entry(self, word: str) -> WordEntry | None:
        """What the tree knows of exactly `word`."""
        found = self.entries(word, 0)
        return found[-1] if found and found[-1].end == len(word) else None

    def character_reading(self, character: str) -> str:
        """The commonest reading as syllable and tone digit (`hao3`); empty when the character has none."""
        code, offset = ord(character), 0
        for first, last in _BLOCKS:
            if first <= code <= last:
                return self._spell(self._readings[offset + code - first])
            offset += last + 1 - first
        return ""

    def phrase_reading(self, phrase: int, length: int) -> list[str]:
        """The reading of a phrase of `length` characters, syllable and tone digit each, from `WordEntry.phrase`."""
        return [self._spell(code) for code in self._phrase_readings[phrase : phrase + length]]

    def _spell(self, code: int) -> str:
        return self._syllables[code >> 3] + str(code & 7) if code else ""


def is_han(character: str) -> bool:
    """Whether `character` is an ideograph that words of the list are made of."""
    return FIRST_HAN <= ord(character) <= LAST_HAN
