"""Mandarin: `normalize` and `phonemize`, the order of the steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import copy
from functools import cache, cached_property

from edge_tts.text.mandarin.contexts import Contexts
from edge_tts.text.mandarin.neutral_tones import NeutralTones
from edge_tts.text.mandarin.normalize import MandarinNormalizer
from edge_tts.text.mandarin.particles import particle_readings, said_twice, yi_and_bu
from edge_tts.text.mandarin.pinyin import check_spelling, spell
from edge_tts.text.mandarin.readings import MandarinReadings
from edge_tts.text.mandarin.sandhi import MandarinSandhi, tone, twice
from edge_tts.text.mandarin.tables import MandarinTables
from edge_tts.text.mandarin.words import MandarinWords, Word
from edge_tts.text.trace import Note, Trace

__all__ = ["Mandarin", "as_heard", "check_spelling", "explain", "normalize", "phonemize", "spell"]

Polyphones = Callable[[str], Sequence[str | None]]
"""A clause -> per character a reading like `hao3`, or None where the phrase table decides."""

_CLAUSE = re.compile(r"[^!?…,.\-]*[!?…,.\-]?")
_MARKS = frozenset("!?…,.-")
_LETTERS = {
    "A": "EY1", "B": "B IY1", "C": "S IY1", "D": "D IY1", "E": "IY1", "F": "EH1 F", "G": "JH IY1", "H": "EY1 CH",
    "I": "AY1", "J": "JH EY1", "K": "K EY1", "L": "EH1 L", "M": "EH1 M", "N": "EH1 N", "O": "OW1", "P": "P IY1",
    "Q": "K Y UW1", "R": "AA1 R", "S": "EH1 S", "T": "T IY1", "U": "Y UW1", "V": "V IY1", "W": "D AH1 B AH0 L Y UW0",
    "X": "EH1 K S", "Y": "W AY1", "Z": "Z IY1",
}  # fmt: skip
"""Letters in a Mandarin run are named in English, as speakers of Mandarin do."""


class Mandarin:
    """Mandarin; its tables load on first use."""

    def __init__(self, *, polyphones: Polyphones | None = None) -> None:
        """`polyphones`: a model for readings in context; None uses the phrase table, and the neighbours `as_heard`."""
        self._polyphones = polyphones
        self._by_context = False

    def as_heard(self) -> Mandarin:
        """The same language, read by the words around as well, where upstream goes by tables alone."""
        return self._heard

    @cached_property
    def _heard(self) -> Mandarin:
        """Shares what is loaded."""
        _ = self._normalizer, self._words, self._readings, self._sandhi
        heard = copy(self)
        heard._by_context = True
        return heard

    @cached_property
    def _tables(self) -> MandarinTables:
        return MandarinTables()

    @cached_property
    def _normalizer(self) -> MandarinNormalizer:
        tables = self._tables
        return MandarinNormalizer(
            simplified=tables.simplified, has_reading=lambda character: bool(tables.character_reading(character))
        )

    @cached_property
    def _words(self) -> MandarinWords:
        return MandarinWords(self._tables)

    @cached_property
    def _readings(self) -> MandarinReadings:
        return MandarinReadings(self._tables)

    @cached_property
    def _contexts(self) -> Contexts:
        return Contexts()

    @cached_property
    def _sandhi(self) -> MandarinSandhi:
        return MandarinSandhi(read=self._readings.read, subwords=self._words.subwords, neutral=NeutralTones())

    def normalize(self, text: str) -> str:
        return self._normalizer.normalize(text)

    def phonemize(self, normalized: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
        phonemes: list[str] = []
        word2ph: list[int] = []
        for clause in _CLAUSE.findall(normalized):
            for symbols in self._speak(clause):
                phonemes += symbols
                word2ph.append(len(symbols))
        return tuple(phonemes), tuple(word2ph)

    def _speak(self, clause: str) -> list[tuple[str, ...]]:
        words = self._words.cut(clause)
        return [self._symbols(c, r) for c, r in zip(clause, self._say(clause, words), strict=True)]

    def _say(self, clause: str, words: Sequence[Word]) -> list[str]:
        """The readings in speech, one per character."""
        readings = self._readings.read(clause)
        fixed: dict[int, str] = {}
        if self._polyphones is not None:
            chosen = self._polyphones(clause)
            readings = [c or r for c, r in zip(chosen, readings, strict=True)]
        elif self._by_context:
            found = self._contexts.find(clause, self._spans(clause, words))
            fixed = {i: context.reading for i, context in found.items()} | self._particles(words)
        spoken: list[str] = []
        for word in self._sandhi.join(words):
            start = len(spoken)
            own = list(self._readings.phrase(word.text) or readings[start : start + len(word.text)])
            here = {i: fixed[start + i] for i in range(len(word.text)) if start + i in fixed}
            own = [here.get(i, reading) for i, reading in enumerate(own)]
            spoken += self._sandhi.change(word, own, here)
        if self._by_context:
            for i, reading in yi_and_bu(clause).items():
                spoken[i] = reading
            for i, light in said_twice(words):
                spoken[i : i + 2] = twice(fixed.get(i, readings[i]), light=light)
        return spoken

    def _spans(self, clause: str, words: Sequence[Word]) -> list[tuple[int, int]]:
        """Per character (start, end) of the known words and phrases around it."""
        spans = self._readings.phrase_spans(clause)
        at = 0
        for word in words:
            end = at + len(word.text)
            if self._words.is_listed(word.text):
                spans[at:end] = [(min(a, at), max(b, end)) for a, b in spans[at:end]]
            at = end
        return spans

    def _particles(self, words: Sequence[Word]) -> dict[int, str]:
        return particle_readings(self._words.split_at_particles(words))

    def explain(self, text: str, normalized: str) -> list[Note]:
        """The rewritings of `text`, then the characters whose reading or tone is not the commonest."""
        trace = Trace()
        self._normalizer.normalize(text, trace)
        notes: dict[Note, None] = {}
        for clause in _CLAUSE.findall(normalized):
            words = self._words.cut(clause)
            spans, plain, spoken = self._spans(clause, words), self._readings.read(clause), self._say(clause, words)
            decided = self._decided(clause, words) if self._by_context else {}
            for i, character in enumerate(clause):
                why = decided.get(i) or self._why(clause, i, spans[i], plain[i], spoken[i])
                if why:
                    start, end = spans[i] if spans[i][1] - spans[i][0] > 1 else (max(i - 1, 0), min(i + 2, len(clause)))
                    word = "".join(c for c in clause[start:end] if c not in _MARKS)
                    entry = word, " ".join(r for r in spoken[start:end] if tone(r))
                    notes[Note(character, spoken[i], why, entry)] = None
        return [*trace.notes, *notes]

    def _decided(self, clause: str, words: Sequence[Word]) -> dict[int, str]:
        """Place -> the rule that chose by the words around."""
        found = {} if self._polyphones else self._contexts.find(clause, self._spans(clause, words))
        return {
            **{i: context.told(clause, i) for i, context in found.items()},
            **({} if self._polyphones else dict.fromkeys(self._particles(words), "particle, by the words around")),
            **dict.fromkeys(yi_and_bu(clause), "by the number, date or name, or a question"),
            **{i + 1: "said twice" for i, _ in said_twice(words)},
        }

    def _why(self, clause: str, i: int, span: tuple[int, int], plain: str, spoken: str) -> str:
        if spoken != plain:
            return {"5": "light", "2": "before a third tone"}.get(tone(spoken), "by what follows")
        if span[1] - span[0] > 1 and plain != self._tables.character_reading(clause[i]):
            return "phrase"
        return ""

    def _symbols(self, character: str, reading: str) -> tuple[str, ...]:
        if character in _MARKS:
            return (character,)
        if not reading:
            return tuple(_LETTERS.get(character.upper(), "").split())
        initial, final = self._tables.phonemes[reading[:-1]]
        return initial, final + reading[-1]


@cache
def _default() -> Mandarin:
    return Mandarin()


def normalize(text: str) -> str:
    return _default().normalize(text)


def phonemize(normalized: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return _default().phonemize(normalized)


def explain(text: str, normalized: str) -> list[Note]:
    return _default().explain(text, normalized)


@cache
def as_heard() -> Mandarin:
    return _default().as_heard()
