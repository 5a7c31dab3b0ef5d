"""Words in capitals: which are words, which are spelled letter by letter."""

from __future__ import annotations

import re
from functools import lru_cache

from edge_tts.text.english.words import explained, in_letters, is_acronym_word, known

_CAPITALS = re.compile(r"[A-Za-z']+")
_LETTERED = re.compile(r"(?<=[A-Za-z'])(?=[A-Z])")
_INSIDE_NAME = re.compile(r"([A-Z][a-z]+)([A-Z][a-z]+)")
_RUN = re.compile(r"(?<![\w'])[A-Z][A-Z']*(?:[ ,]+[A-Z][A-Z']*)*(?![\w'])")
_ACRONYM_PLURAL = re.compile(r"[A-Z]{2,5}s")
_SHORT = frozenset("AN AS AT BE BY DO GO HE HI IF IN IS ME MY NO OF OH OK ON OR SO TO UP WE".split())
_EITHER = frozenset("IT US AM WHO ARE".split())
"""Words in a sentence of capitals, letters alone."""
_LETTERS = frozenset(
    "LED LEDS UPS ETA DOS ALS EMS HUD IOS NAS DAB SOC DOB SOS EST AKA PSI ROI ORG NGO AAA IEEE ISA".split()
)
"""In the dictionary as words or names, but letters in capitals."""
_VOWELS = frozenset("AEIOUY")
_LONG = 5
_SENTENCE = 3


def say_capitals(text: str) -> str:
    """`text` with words in small letters and acronyms as letters."""
    return _CAPITALS.sub(_capitals, _RUN.sub(_run, text))


@lru_cache(maxsize=4096)
def _is_word(capitals: str) -> bool:
    """Whether a word in capitals is said as one, whatever stands beside it."""
    if is_acronym_word(capitals) or (len(capitals) == 2 and capitals in _SHORT):
        return True
    if len(capitals) < 3 or capitals in _LETTERS | _EITHER or _VOWELS.isdisjoint(capitals):
        return False
    word = capitals.lower()
    return (known(word) and not in_letters(word)) or (len(word) >= _LONG and explained(word))


def is_spelled(capitals: str) -> bool:
    """Whether a word in capitals is a known acronym or has no vowel, so that it is no stressed syllable."""
    return is_acronym_word(capitals) or capitals in _LETTERS | _EITHER or _VOWELS.isdisjoint(capitals)


def _run(m: re.Match[str]) -> str:
    words = re.findall(r"[A-Z']+", m[0])
    plain = sum(_is_word(word) or word in _EITHER or word in {"A", "I"} for word in words)
    sentence = len(words) >= _SENTENCE and plain * 2 >= len(words)
    return re.sub(r"[A-Z']+", lambda w: _small(w, sentence), m[0])


def _small(w: re.Match[str], sentence: bool) -> str:
    word = w[0]
    article = word == "A" and w.end() < len(w.string)
    if (sentence and (article or word in _EITHER)) or (len(word) > 1 and _is_word(word)):
        return word.lower()
    return word


def _capitals(m: re.Match[str]) -> str:
    """A blank before every capital inside a word, so that it is spelled; names such as McDonald stay whole."""
    word = m[0]
    if (
        (name := _INSIDE_NAME.fullmatch(word))
        and known(word.lower())
        and not all(known(n.lower()) for n in name.groups())
    ):
        return word.capitalize()
    if is_acronym_word(word):
        return word.lower()
    if _ACRONYM_PLURAL.fullmatch(word):
        return " ".join(word[:-1]) + "'s"
    return _LETTERED.sub(" ", word)
