"""Pinyin as people type it: `chong2 qing4`, or with tone marks."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches

from edge_tts.errors import TextError
from edge_tts.text.symbols import pinyin_symbols

_MARKED = re.compile("[āáǎàēéěèīíǐìōóǒòūúǔùǖǘǚǜ]")
_TONE_MARKS = {"\u0304": "1", "\u0301": "2", "\u030c": "3", "\u0300": "4"}
_SYLLABLE = re.compile(r"[a-zü]{1,6}\d?")


def spell(value: str) -> tuple[str, ...] | None:
    """v2 symbols; None for what is no pinyin. Raises TextError for a wrong syllable or tone."""
    items = [_with_digit(item) for item in value.lower().split()]
    if not all(map(_SYLLABLE.fullmatch, items)) or not any(item[-1].isdigit() for item in items):
        return None
    symbols: list[str] = []
    for item in items:
        name = item.rstrip("0123456789").replace("ü", "v")
        if name not in pinyin_symbols():
            raise TextError(f"{item!r} is no pinyin{_nearest(item)}")
        if item[-1] not in "12345":
            raise TextError(f"{item!r} has no tone from 1 to 5 (5 is light)")
        initial, final = pinyin_symbols()[name]
        symbols += [initial, final + item[-1]]
    return tuple(symbols)


def check_spelling(word: str, value: str) -> None:
    """Raises TextError where `value`, in Latin letters, can hardly be how `word` is meant to be said."""
    if not value.isascii():
        return
    symbols = spell(value)
    if symbols is None:
        wrong = next((item for item in value.lower().split() if item not in pinyin_symbols()), None)
        why = f"{value!r} has no tones" if wrong is None else f"{wrong!r} is no pinyin{_nearest(wrong)}"
        raise TextError(f"{why}; write pinyin with tone digits (chong2 qing4), or ideographs")
    if word.isalpha() and not word.isascii() and len(symbols) != 2 * len(word):
        raise TextError(f"{len(word)} characters in {word!r}, {len(symbols) // 2} syllables in {value!r}")


def _with_digit(item: str) -> str:
    """A tone mark as a digit behind the syllable."""
    if not _MARKED.search(item):
        return item
    plain, digit = "", ""
    for character in unicodedata.normalize("NFD", item):
        digit = _TONE_MARKS.get(character, digit)
        plain += "" if character in _TONE_MARKS else character
    return unicodedata.normalize("NFC", plain) + digit


def _nearest(wrong: str) -> str:
    tone = wrong[-1] if wrong[-1] in "12345" else "1"
    close = get_close_matches(wrong.rstrip("0123456789"), pinyin_symbols(), n=3, cutoff=0.5)
    return f", the nearest: {', '.join(name + tone for name in close)}" if close else ""
