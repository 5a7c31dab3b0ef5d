"""English: `normalize` and `phonemize`; `English`, where the day comes before the month."""

from __future__ import annotations

import re

from edge_tts.text.english.homographs import reading
from edge_tts.text.english.inflection import plural
from edge_tts.text.english.normalize import normalize
from edge_tts.text.english.respelling import spell
from edge_tts.text.english.words import letter, pronounce, source
from edge_tts.text.trace import Note, Trace

__all__ = ["English", "explain", "forms", "normalize", "phonemize", "spell"]

_TOKEN = re.compile(r"[A-Za-z][A-Za-z'\-]+[A-Za-z]|[A-Za-z]+|[.,?!…'\-]")
_FEWEST = 4
"""With fewer phonemes a pause is put in front: models do badly on less."""


def forms(word: str, phonemes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The possessive."""
    return {f"{word}'s": plural(phonemes)}


def phonemize(normalized: str) -> tuple[list[str], None]:
    """Phonemes; English features are not aligned to characters."""
    words = _TOKEN.findall(normalized)
    lower = [word.lower() for word in words]
    phonemes: list[str] = []
    for i, word in enumerate(words):
        if not word[0].isalpha():
            phonemes.append("-" if word == "'" else word)
        elif len(word) == 1:
            phonemes += letter(word)
        else:
            phonemes += reading(lower, i) or pronounce(word)
    return ([",", *phonemes] if len(phonemes) < _FEWEST else phonemes), None


def explain(text: str, normalized: str, *, day_first: bool = False) -> list[Note]:
    """The rewritings of `text`, then the words that no dictionary alone decides."""
    trace = Trace()
    normalize(text, trace, day_first=day_first)
    words = [word.lower() for word in _TOKEN.findall(normalized)]
    said: dict[Note, None] = {}
    for i, word in enumerate(words):
        if len(word) > 1 and word[0].isalpha():
            by_context = reading(words, i)
            why = "homograph, by the words around" if by_context else source(word)
            phonemes = " ".join(by_context or pronounce(word))
            if why != "dictionary":
                said[Note(word, phonemes, why, (word, phonemes))] = None
    return [*trace.notes, *said]


class English:
    """English with dates in another order than the module's."""

    def __init__(self, *, day_first: bool) -> None:
        self._day_first = day_first

    def normalize(self, text: str) -> str:
        return normalize(text, day_first=self._day_first)

    def phonemize(self, normalized: str) -> tuple[list[str], None]:
        return phonemize(normalized)

    def explain(self, text: str, normalized: str) -> list[Note]:
        return explain(text, normalized, day_first=self._day_first)
