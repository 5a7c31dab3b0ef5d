"""The owner's content rules: which of them a text meets, and where, as it is written and as it is spoken."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

from edge_tts.config import ContentRule
from edge_tts.errors import ConfigError
from edge_tts.text.folding import View, fold, views
from edge_tts.text.patterns import Pattern
from edge_tts.text.scripts import HAN
from edge_tts.text.word_matcher import WordMatcher

_UNIT = re.compile(rf"[{HAN}]|(?:(?![{HAN}])\w)+|\W")
_SENTENCE = re.compile(r"(?s).{1,300}?(?:[。！？；]|[.!?;](?=\W|$)|\n|$)|.{1,300}(?=\s)|.{1,300}")
"""Sentences, the longest in pieces."""


class Hit(NamedTuple):
    """What a rule has found in `text[start:end]`."""

    rule: ContentRule
    start: int
    end: int

    def within(self, start: int, end: int) -> Hit:
        """The same in `text[start:end]`, as far as it is there."""
        return Hit(self.rule, max(self.start, start) - start, min(self.end, end) - start)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Text of one language."""

    start: int
    text: str
    normalize: Callable[[str], str]
    """To its spoken form; also a part of it."""


class SpokenRules:
    def __init__(self, rules: Sequence[ContentRule]) -> None:
        """Raises ConfigError for a rule about nothing, a list that cannot be read and a pattern that cannot be used."""
        self._rules = tuple(rules)
        words = [_words(rule) for rule in rules]
        self._words = WordMatcher(words, by_sound=[rule.sounds_like for rule in rules])
        self._patterns = [_patterns(rule) for rule in rules]

    def find(self, text: str, stretches: Iterable[Stretch]) -> list[Hit]:
        """In order. `stretches`: those of `text` that are spoken."""
        folded = fold(text)
        wanted = self._of_languages(folded.text)
        spans = {(*folded.span(start, end), rule) for rule, start, end in self._in(folded, wanted)}
        for stretch in stretches:
            for sentence in _SENTENCE.finditer(stretch.text):
                spoken, at = stretch.normalize(sentence[0]), stretch.start + sentence.start()
                if spoken != sentence[0]:
                    spans |= {(at + a, at + b, rule) for a, b, rule in self._spoken(sentence[0], spoken, wanted)}
        return [Hit(self._rules[rule], start, end) for start, end, rule in sorted(spans)]

    def _spoken(self, written: str, spoken: str, wanted: Collection[int]) -> Iterator[tuple[int, int, int]]:
        """Start and end in `written` of what is in its spoken form, and the rule."""
        folded, places = fold(spoken), None
        for rule, start, end in self._in(folded, wanted):
            places = places or _places(written, spoken)
            first, last = folded.span(start, end)
            yield places[first][0], places[last - 1][1], rule

    def _in(self, folded: View, wanted: Collection[int]) -> Iterator[tuple[int, int, int]]:
        """Rule, start and end in a folded text."""
        yield from (found for found in self._words.find(folded) if found.rule in wanted)
        if not any(self._patterns[rule] for rule in wanted):
            return
        places = {place: i for i, place in reversed(list(enumerate(folded.at)))}
        for view in views(folded):
            for rule in wanted:
                for pattern in self._patterns[rule]:
                    for start, end in pattern.find(view.text):
                        yield rule, places[view.at[start]], places[view.at[end - 1]] + 1

    def _of_languages(self, folded: str) -> set[int]:
        """The rules for languages whose letters are there."""
        there = {"zh"} if re.search(f"[{HAN}]", folded) else set[str]()
        there |= {"en"} if re.search("[a-z]", folded) else set()
        return {i for i, rule in enumerate(self._rules) if rule.language is None or rule.language in there}


def _places(written: str, spoken: str) -> list[tuple[int, int]]:
    """Per character of `spoken` start and end of what it stands for in `written`: a word that is the same, or the
    words that were rewritten there."""
    own, said = (list(_UNIT.finditer(text)) for text in (written, spoken))
    places: list[tuple[int, int]] = []
    same = SequenceMatcher(None, [unit[0] for unit in own], [unit[0] for unit in said], autojunk=False)
    for kind, first, last, start, stop in same.get_opcodes():
        for i in range(start, stop):
            one = first + i - start if kind == "equal" else None
            begin, end = (first, max(last, first + 1)) if one is None else (one, one + 1)
            span = own[min(begin, len(own) - 1)].start(), own[min(end, len(own)) - 1].end()
            places += [span] * len(said[i][0])
    return places


def digest_of(rules: Sequence[ContentRule]) -> str:
    """Of everything that decides what is found."""
    words = [[*_read(rule)] if rule.file else [] for rule in rules]
    return hashlib.sha256(json.dumps([[r.model_dump(mode="json") for r in rules], words]).encode()).hexdigest()


def _words(rule: ContentRule) -> tuple[str, ...]:
    words = (*rule.words, *(_read(rule) if rule.file else ()))
    nothing = next((word for word in words if not any(map(str.isalnum, fold(word).text))), None)
    if nothing is not None:
        raise ConfigError(f"content.rules: {rule.name}: {nothing!r} is no word; give letters, or use `patterns`")
    if not words and not rule.patterns:
        raise ConfigError(
            f"content.rules: {rule.name}: there are neither words nor patterns; give some, or drop the rule"
        )
    return words


def _patterns(rule: ContentRule) -> list[Pattern]:
    try:
        return [Pattern(text) for text in rule.patterns]
    except ConfigError as wrong:
        raise ConfigError(f"content.rules: {rule.name}: {wrong}") from wrong


def _read(rule: ContentRule) -> Iterator[str]:
    """The words of a list, one a line; `#` begins a remark. Raises ConfigError."""
    assert rule.file is not None
    path = Path(rule.file)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as unreadable:
        raise ConfigError(f"content.rules: {rule.name}: {path} cannot be read ({unreadable.strerror})") from unreadable
    except UnicodeDecodeError as binary:
        raise ConfigError(f"content.rules: {rule.name}: {path} is not UTF-8 text") from binary
    return (word for line in lines if (word := line.partition("#")[0].strip()))
