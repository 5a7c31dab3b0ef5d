"""English words to phonemes: dictionary, letters, possessives, compounds, network for the rest. Knows no sentences."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from edge_tts.text.compounds import split_compound
from edge_tts.text.neural_g2p import predict
from edge_tts.text.packed import PackedTable

_SPELLED = frozenset({"ae", "ai", "ar", "ios", "hud", "os"})
"""In the dictionary as names, but in a modern text they are letters."""
_LONGEST_SPELLED = 3
"""Unknown words up to this length are said letter by letter."""
_LONGEST_PREDICTED = 40
_VOICELESS = frozenset({"P", "T", "K", "F", "TH", "HH"})
_SIBILANT = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})


@cache
def _dictionary() -> PackedTable:
    return PackedTable.load("en_dictionary.gz")


def known(word: str) -> bool:
    """Whether the dictionary has `word` (lower case)."""
    return word not in _SPELLED and word in _dictionary()


def letter(name: str) -> list[str]:
    """The name of one letter; capital A is the letter, small a the article."""
    if name == "A":
        return ["EY1"]
    found = _dictionary().get(name.lower())
    return found.split() if found else []


@lru_cache(maxsize=8192)
def _word(word: str) -> tuple[str, ...]:
    found = None if word in _SPELLED else _dictionary().get(word)
    if found and len(word) > 1:
        return tuple(found.split())
    if len(word) <= _LONGEST_SPELLED:
        return tuple(p for c in word for p in letter(c.upper()))
    if word.endswith("'s"):
        return _possessive(_word(word[:-2]))
    parts = [part for part in re.split("[-']+", word) if part]
    if len(parts) > 1 or parts != [word]:
        return tuple(p for part in parts for p in _word(part))
    if word.endswith("s") and known(word[:-1]):
        return _possessive(_word(word[:-1]))
    pieces = split_compound(word)
    if len(pieces) == 1 or any(
        len(piece) == 1 and piece not in "ai" for piece in pieces
    ):  # no compound has single letters
        return tuple(
            p for i in range(0, len(word), _LONGEST_PREDICTED) for p in predict(word[i : i + _LONGEST_PREDICTED])
        )
    return tuple(p for piece in pieces for p in _word(piece))


def _possessive(stem: tuple[str, ...]) -> tuple[str, ...]:
    if stem and stem[-1] in _VOICELESS:
        return (*stem, "S")
    if stem and stem[-1] in _SIBILANT:
        return (*stem, "AH0", "Z")
    return (*stem, "Z")


def pronounce(word: str) -> list[str]:
    """Phonemes of a word of two or more letters (a to z, apostrophes, hyphens; any case)."""
    return list(_word(word.lower()))
