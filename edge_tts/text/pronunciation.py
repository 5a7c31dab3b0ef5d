"""A pronunciation as a person writes it: phonemes, a spelling of the language, or other words to read.

- Phonemes stand between slashes, or are two or more v2 symbols, of which one is a vowel (`K AA1 R IH0 N`).
- A spelling is pinyin in Mandarin (`zhang1 le4`), syllables in English (`EE fa`).
- Anything else is a respelling that is read in place of the word (`engine x`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

from edge_tts.errors import TextError
from edge_tts.text.languages import MODULES, check_spelling, spelled
from edge_tts.text.scripts import HAN
from edge_tts.text.symbols import symbol_ids

MOST_WORD, MOST_VALUE = 64, 200
"""Characters."""
_SOUND = re.compile(r"[A-Z]{1,2}[0-9]?")


def read_pronunciation(language: str, word: str, value: str) -> tuple[str, ...] | str:
    """The phonemes of `value`, or the text to read in place of `word`. Raises TextError that names what is wrong."""
    try:
        return _read(language, word, value)
    except TextError as wrong:
        raise TextError(f"lexicon, {language}, {word!r}: {wrong}") from wrong


def check_entry(language: str, word: str, value: str) -> tuple[str, ...] | str:
    """`read_pronunciation` for an entry that is added: what is too long or can hardly be meant is refused, too."""
    if language not in MODULES:
        raise TextError(f"lexicon: no language {language!r}; one of {', '.join(sorted(MODULES))}")
    if len(word) > MOST_WORD or len(value) > MOST_VALUE:
        raise TextError(f"lexicon: a word has at most {MOST_WORD} characters, its pronunciation {MOST_VALUE}")
    if not word.isprintable() or not re.search(r"[^\W_]", word):
        raise TextError(f"lexicon: {word!r} is no word: it needs a letter or digit, and no control characters")
    if not value.isprintable() or not re.search(r"[^\W_]", value):
        raise TextError(f"lexicon, {word!r}: {value!r} is no pronunciation: it needs a letter or digit")
    read = read_pronunciation(language, word, value)
    if not value.strip().startswith("/"):
        try:
            check_spelling(language, word.strip(), value.strip())
        except TextError as wrong:
            raise TextError(f"lexicon, {language}, {word!r}: {wrong}") from wrong
    return read


def language_of(word: str) -> str:
    """zh with ideographs, else en."""
    return "zh" if re.search(f"[{HAN}]", word) else "en"


def _read(language: str, word: str, value: str) -> tuple[str, ...] | str:
    items, sliced = value.strip().strip("/").split(), value.strip().startswith("/")
    if not items or not word.strip():
        raise TextError("a word and its pronunciation must not be empty")
    unknown = [item for item in items if item not in symbol_ids()]
    has_vowel = len(items) > 1 and any(item[-1].isdigit() for item in items)
    if not unknown and (sliced or has_vowel):
        return tuple(items)
    if sliced or (has_vowel and all(map(_SOUND.fullmatch, items))):
        raise TextError(f"{unknown[0]!r} is no v2 phoneme{_nearest(unknown[0], symbol_ids())}")
    return spelled(language, value) or value.strip()


def _nearest(wrong: str, known: Collection[str]) -> str:
    close = get_close_matches(wrong, known, n=3, cutoff=0.5)
    return f", the nearest: {', '.join(close)}" if close else ""
