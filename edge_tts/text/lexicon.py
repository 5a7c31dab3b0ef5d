"""The owner's pronunciations per language: phonemes, or text that is read in place of a word (see `pronunciation`).

Case is ignored; words match whole in languages with blanks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from edge_tts.text.languages import Language, forms
from edge_tts.text.pronunciation import read_pronunciation
from edge_tts.text.trace import Note

_UNSPACED = frozenset({"zh", "ja", "yue"})
"""No blanks between words."""
Spoken = tuple[Sequence[str], Sequence[int] | None]


@dataclass(frozen=True, slots=True)
class _Entries:
    respelled: Mapping[str, str]
    spoken: Mapping[str, tuple[str, ...]]
    pattern: re.Pattern[str] | None
    """Of `respelled`."""
    written: Mapping[str, str]
    """A word of `spoken` in capitals -> as its owner wrote it."""
    shouted: re.Pattern[str] | None


class _Spoken(NamedTuple):
    """Words in their spoken form."""

    words: Mapping[str, tuple[str, ...]]
    pattern: re.Pattern[str] | None


class Lexicon:
    def __init__(self, entries: Mapping[str, Mapping[str, str]]) -> None:
        """`entries`: language -> word -> pronunciation. Raises TextError for unknown phonemes and empty entries."""
        self._entries = {language: _read(language, words) for language, words in entries.items()}
        self.digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
        """Equal for equal entries."""
        self._spoken: dict[str, _Spoken] = {}

    def respell(self, language: str, text: str) -> str:
        """`text` with the words that are respelled; those in capitals that have phonemes as the owner writes them."""
        entries = self._entries.get(language)
        if entries is None:
            return text
        if entries.shouted is not None:
            text = entries.shouted.sub(lambda m: entries.written[m[0]], text)
        if entries.pattern is None:
            return text
        return entries.pattern.sub(lambda m: entries.respelled[m[0].lower()], text)

    def phonemize(self, language: str, normalized: str, module: Language) -> Spoken:
        """The phonemes of `normalized` by `module`, with the owner's in place of theirs."""
        entries = self._entries.get(language)
        if entries is None or not entries.spoken:
            return module.phonemize(normalized)
        if language not in self._spoken:
            self._spoken[language] = _as_spoken(language, entries.spoken, module)
        spoken, pattern = self._spoken[language]
        if pattern is None or not pattern.search(normalized):
            return module.phonemize(normalized)
        phonemes, word2ph = module.phonemize(normalized)
        if word2ph is None:
            return _between(normalized, pattern, spoken, module), None
        return _overlay(normalized, pattern, spoken, phonemes, word2ph)

    def explain(self, language: str, text: str, normalized: str) -> list[Note]:
        """The words of `text` and its spoken form that are the owner's."""
        entries, spoken = self._entries.get(language), self._spoken.get(language)
        notes: dict[Note, None] = {}
        if entries is not None and entries.pattern is not None:
            for m in entries.pattern.finditer(text):
                notes[Note(m[0], entries.respelled[m[0].lower()], "lexicon")] = None
        if spoken is not None and spoken.pattern is not None:
            for m in spoken.pattern.finditer(normalized):
                notes[Note(m[0], " ".join(spoken.words[m[0].lower()]), "lexicon")] = None
        return list(notes)


def _read(language: str, words: Mapping[str, str]) -> _Entries:
    respelled, spoken = {}, {}
    for word, value in words.items():
        read = read_pronunciation(language, word, value)
        if isinstance(read, str):
            respelled[word.strip().lower()] = read
        else:
            spoken[word.strip()] = read
    written = {w.upper(): w for word in spoken if word.upper() != word for w in (word, f"{word}'s")}
    return _Entries(respelled, spoken, _pattern(language, respelled), written, _pattern(language, written, flags=0))


def _as_spoken(language: str, words: Mapping[str, tuple[str, ...]], module: Language) -> _Spoken:
    spoken = {module.normalize(word).strip(" .,").lower(): phonemes for word, phonemes in words.items()}
    spoken = {form: said for word, own in spoken.items() for form, said in forms(language, word, own).items()}
    return _Spoken(spoken, _pattern(language, spoken))


def _pattern(
    language: str, words: Mapping[str, object], *, flags: re.RegexFlag | int = re.IGNORECASE
) -> re.Pattern[str] | None:
    if not words:
        return None
    any_of = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(any_of if language in _UNSPACED else rf"(?<![^\W_])(?:{any_of})(?![^\W_])", flags)


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
    """Without the pause that a language may put in front of a very short text."""
    phonemes = list(module.phonemize(text)[0]) if text.strip() else []
    return phonemes[1:] if phonemes[:1] == [","] and not text.lstrip().startswith(",") else phonemes


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
