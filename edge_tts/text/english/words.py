"""English words to phonemes: dictionary, letters, inflections, compounds, network for the rest."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files

from edge_tts.text.english.compounds import halves, split_compound
from edge_tts.text.english.inflection import explain, plural
from edge_tts.text.english.neural_g2p import predict
from edge_tts.text.sorted_table import SortedTable

_SPELLED = frozenset({"ae", "ai", "ar", "ios", "hud", "os"})
"""Names in the dictionary, letters in modern text."""
_LONGEST_SPELLED = 3
"""Unknown words up to this length are spelled."""
_LONGEST_PREDICTED = 20
"""Letters per run of the network, which gives no more phonemes."""


@cache
def _dictionary() -> SortedTable:
    return SortedTable.load("en_dictionary.gz")


@cache
def _more() -> dict[str, str]:
    text = (files("edge_tts.text") / "data" / "en_more.txt").read_text(encoding="utf-8")
    lines = (line.split(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {word: phonemes for word, phonemes in lines}  # noqa: C416 - dict() would lose the types


def known(word: str) -> bool:
    """Whether a dictionary has `word` (lower case)."""
    return _look_up(word) is not None


def explained(word: str) -> bool:
    """Whether `word` (lower case) is a known one with an ending or a prefix."""
    return explain(word, _look_up) is not None


def is_acronym_word(word: str) -> bool:
    """Whether `word`, written in capitals, is read as a word (JSON)."""
    return word in _more()


@lru_cache(maxsize=8192)
def _look_up(word: str) -> tuple[str, ...] | None:
    if word in _SPELLED:
        return None
    found = _dictionary().get(word) or _more().get(word) or _more().get(word.upper())
    return tuple(found.split()) if found else None


def in_letters(word: str) -> bool:
    """Whether `word` (lower case) is said letter by letter, also where the dictionary has it so (CEO)."""
    spelled = [p.rstrip("012") for c in word if c.isalpha() for p in letter(c.upper())]
    return [p.rstrip("012") for p in pronounce(word)] == spelled


def syllable(part: str) -> tuple[str, ...]:
    """Phonemes of a syllable (lower case) of a respelling: the dictionary's, or the network's guess."""
    found = None if in_letters(part) else _look_up(part)
    return found or tuple(predict(part))


def letter(name: str) -> list[str]:
    """The name of one letter; capital A is the letter, small a the article."""
    if name == "A":
        return ["EY1"]
    return list(_look_up(name.lower()) or ())


@lru_cache(maxsize=8192)
def _word(word: str) -> tuple[str, tuple[str, ...]]:
    """What gave the reading, and the phonemes."""
    if (found := _look_up(word)) and len(word) > 1:
        return "dictionary", found
    if len(word) <= _LONGEST_SPELLED:
        return "letters", tuple(p for c in word for p in letter(c.upper()))
    if word.endswith("'s"):
        source, stem = _word(word[:-2])
        return source, plural(stem)
    if (explained := explain(word, _look_up)) is not None:
        return "dictionary, with its ending", explained
    parts = [part for part in re.split("[-']+", word) if part]
    if parts != [word]:
        return _joined(parts)
    pieces = split_compound(word)
    if len(pieces) == 1:
        pieces = halves(word, known)
    if len(pieces) > 1 and all(known(piece) and (len(piece) > 1 or piece in "ai") for piece in pieces):
        return _joined(pieces)
    groups = (word[i : i + _LONGEST_PREDICTED] for i in range(0, len(word), _LONGEST_PREDICTED))
    return "guessed from its letters", tuple(p for group in groups for p in predict(group))


def _joined(parts: list[str]) -> tuple[str, tuple[str, ...]]:
    return f"as {' '.join(parts)}", tuple(p for part in parts for p in _word(part)[1])


def pronounce(word: str) -> list[str]:
    """Phonemes of two or more letters (a to z, apostrophes, hyphens; any case)."""
    return list(_word(word.lower())[1])


def source(word: str) -> str:
    """What `pronounce` takes the phonemes from."""
    return _word(word.lower())[0]
