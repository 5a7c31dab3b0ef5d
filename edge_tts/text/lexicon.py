"""The owner's pronunciations: `word: phonemes` or `word: respelling` per language.

Phonemes stand between slashes, or are two or more v2 symbols (`K AA1 R IH0 N`), or for Mandarin pinyin with tone digits
(`zhang1 le4`). Anything else is a respelling, read in place of the word. Case is ignored; words match whole in
languages with blanks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge_tts.errors import TextError
from edge_tts.text.languages import Language
from edge_tts.text.symbols import pinyin_symbols, symbol_ids

_UNSPACED = frozenset({"zh", "ja", "yue"})
"""No blanks between words."""
Spoken = tuple[Sequence[str], Sequence[int] | None]


@dataclass(frozen=True, slots=True)
class _Entries:
    respelled: Mapping[str, str]
    spoken: Mapping[str, tuple[str, ...]]
    pattern: re.Pattern[str] | None


class Lexicon:
    def __init__(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """`entries`: language -> word -> pronunciation. Raises TextError for unknown phonemes and empty entries."""
        self._entries = {language: _read(language, words) for language, words in entries.items()}

    def respell(self, language: str, text: str) -> str:
        entries = self._entries.get(language)
        if entries is None or entries.pattern is None:
            return text
        return entries.pattern.sub(lambda m: entries.respelled[m[0].lower()], text)

    def phonemize(self, language: str, normalized: str, module: Language) -> Spoken:
        """The phonemes of `normalized` by `module`, with the owner's in place of theirs."""
        entries = self._entries.get(language)
        if entries is None or not entries.spoken:
            return module.phonemize(normalized)
        spoken = {module.normalize(word).strip(" .,").lower(): phonemes for word, phonemes in entries.spoken.items()}
        pattern = _pattern(language, spoken)
        if pattern is None or not pattern.search(normalized):
            return module.phonemize(normalized)
        phonemes, word2ph = module.phonemize(normalized)
        if word2ph is None:
            return _between(normalized, pattern, spoken, module), None
        return _overlay(normalized, pattern, spoken, phonemes, word2ph)


def _read(language: str, words: Mapping[str, str]) -> _Entries:
    respelled, spoken = {}, {}
    for word, value in words.items():
        items = (_from_pinyin(value) if language == "zh" else None) or value.strip().strip("/").split()
        known = [item for item in items if item in symbol_ids()]
        if value.strip().startswith("/") and known != items:
            wrong = next(item for item in items if item not in known)
            raise TextError(f"lexicon, {language}, {word!r}: {wrong!r} is no v2 phoneme")
        if not items or not word.strip():
            raise TextError(f"lexicon, {language}, {word!r}: a word and its pronunciation must not be empty")
        if value.strip().startswith("/") or (known == items and len(items) > 1):
            spoken[word.strip()] = tuple(items)
        else:
            respelled[word.strip().lower()] = value.strip()
    return _Entries(respelled, spoken, _pattern(language, respelled))


def _from_pinyin(value: str) -> list[str] | None:
    """v2 symbols of pinyin with tone digits (`zhang1 le4`); None for anything else."""
    symbols: list[str] = []
    for syllable in value.lower().replace("ü", "v").split():
        found = pinyin_symbols().get(syllable[:-1])
        if found is None or syllable[-1] not in "12345":
            return None
        symbols += [found[0], found[1] + syllable[-1]]
    return symbols


def _pattern(language: str, words: Mapping[str, object]) -> re.Pattern[str] | None:
    if not words:
        return None
    any_of = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(any_of if language in _UNSPACED else rf"(?<![^\W_])(?:{any_of})(?![^\W_])", re.IGNORECASE)


def _between(
    normalized: str, pattern: re.Pattern[str], spoken: Mapping[str, tuple[str, ...]], module: Language
) -> list[str]:
    """Without alignment: the text between the owner's words is phonemized on its own."""
    phonemes: list[str] = []
    at = 0
    for m in pattern.finditer(normalized):
        phonemes += _phonemes(normalized[at : m.start()], module)
        phonemes += spoken[m[0].lower()]
        at = m.end()
    return phonemes + _phonemes(normalized[at:], module)


def _phonemes(text: str, module: Language) -> list[str]:
    return list(module.phonemize(text)[0]) if text.strip() else []


def _overlay(
    normalized: str,
    pattern: re.Pattern[str],
    spoken: Mapping[str, tuple[str, ...]],
    phonemes: Sequence[str],
    word2ph: Sequence[int],
) -> Spoken:
    """With alignment: the owner's phonemes replace those of their characters."""
    of_character: list[list[str]] = []
    at = 0
    for count in word2ph:
        of_character.append(list(phonemes[at : at + count]))
        at += count
    for m in pattern.finditer(normalized):
        own, length = spoken[m[0].lower()], m.end() - m.start()
        cuts = [round(i * len(own) / length) for i in range(length + 1)]
        of_character[m.start() : m.end()] = [list(own[a:b]) for a, b in pairwise(cuts)]
    return [p for chars in of_character for p in chars], [len(chars) for chars in of_character]
