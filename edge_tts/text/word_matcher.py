"""Finds words and phrases in a folded text: also stretched, spaced out or masked, and by their sound."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from edge_tts.text.english.words import known, letter, pronounce
from edge_tts.text.folding import TOKEN, View, fold, letters_of, squeezed, stretched
from edge_tts.text.mandarin.tables import MandarinTables, is_han

_MOST_PIECES = 60
_END, _HAN_END = re.compile(r"[.!?。！？；;] "), re.compile("[。！？；]")
_TIE = re.compile(r"[-_~^'.·•]{1,3}")
"""Between parts of one word."""
_MORE_PIECES = 4
"""Of a word spelled letter by letter, with some letters more than once."""
_SHORT_WORDS = frozenset("a i am an as at be by do go he hi if in is it me my no of oh ok on or so to up us we".split())
"""Others of fewer than three letters are no ordinary words."""
_MOST_GUESSED = 200
"""Words of a text that no dictionary has and whose sound is compared: finding it takes its time."""
_LONGEST_HEARD = 24
"""Letters of a word whose sound is compared."""


class Found(NamedTuple):
    """A word of rule `rule` at `start` to `end` of the folded text."""

    rule: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    rule: int
    letters: str
    """Without blanks."""
    pieces: tuple[str, ...]


class WordMatcher:
    """Time grows with the text, and hardly with the number of words."""

    def __init__(self, words: Sequence[Sequence[str]], *, by_sound: Sequence[bool]) -> None:
        """`words` and `by_sound` of each rule."""
        self._by_letters, self._by_sound = _Index(), _Index()
        self._by_length: dict[int, list[_Wanted]] = {}
        for rule, own in enumerate(words):
            for word in own:
                self._add(rule, word, by_sound=by_sound[rule])

    def _add(self, rule: int, word: str, *, by_sound: bool) -> None:
        pieces = tuple(TOKEN.findall(fold(word).text))
        wanted = _Wanted(rule, "".join(map(_bare, pieces)), pieces)
        if not wanted.letters:
            return
        self._by_letters.add(list(squeezed(wanted.letters)), wanted)
        self._by_length.setdefault(len(wanted.letters), []).append(wanted)
        if by_sound:
            self._by_sound.add(_sounds(pieces), wanted)

    def find(self, view: View) -> Iterator[Found]:
        matches = [match for match in TOKEN.finditer(view.text) if any(map(str.isalnum, match[0]))]
        tokens = [match[0] for match in matches]
        gaps = [*(view.text[a.end() : b.start()] for a, b in pairwise(matches)), " "]
        ends = [*(_is_end(view.text, *pair) for pair in pairwise(matches)), True]
        sounds = self._sounds_of(tokens)
        for first in range(len(tokens)):
            near = tokens[first : first + _MOST_PIECES]
            near = near[: next((i for i, ended in enumerate(ends[first : first + len(near)], 1) if ended), len(near))]
            between = gaps[first : first + len(near)]
            tied = next((i for i, gap in enumerate(between) if not _TIE.fullmatch(gap)), len(between))
            found = (*self._spelled(near, tied), *self._masked(near[0]), *self._heard(near, sounds))
            for wanted, after in found:
                yield Found(wanted.rule, matches[first].start(), matches[first + after].end())

    def _sounds_of(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Of the words whose sound is compared."""
        if not self._by_sound.longest:
            return {}
        apart = dict.fromkeys(tokens)
        guessed = [token for token in apart if not (known(token) or is_han(token[0]))][_MOST_GUESSED:]
        return {token: _sound(token) for token in apart.keys() - set(guessed)}

    def _spelled(self, tokens: Sequence[str], tied: int) -> Iterator[tuple[_Wanted, int]]:
        """What is spelled by the first token and some that follow, and how many follow. `tied`: how many follow without
        a blank."""
        forms, most = {""}, self._by_letters.longest + _MORE_PIECES
        for after, token in enumerate(tokens[:most]):
            forms = {
                form + own
                for form in forms
                for own in letters_of(_bare(token))
                if self._by_letters.may_be(squeezed(form + own))
            }
            if not forms:
                return
            pieces = tuple(tokens[: after + 1])
            for form in forms if any(map(str.isalpha, "".join(pieces))) else ():
                for wanted in self._by_letters.get(squeezed(form)):
                    if _is_stretched(form, wanted.letters, pieces) and (after <= tied or _is_one_word(pieces, wanted)):
                        yield wanted, after

    def _masked(self, token: str) -> Iterator[tuple[_Wanted, int]]:
        for form in letters_of(token) if any(map(str.isalpha, token)) else ():
            if "*" in form:
                yield from ((one, 0) for one in self._by_length.get(len(form), ()) if _masks(form, one.letters))

    def _heard(self, tokens: Sequence[str], sounds: Mapping[str, str]) -> Iterator[tuple[_Wanted, int]]:
        if sounds and is_han(tokens[0][0]):
            yield from ((wanted, 0) for wanted in self._by_sound.get(_reading(tokens[0])))
        sound = ""
        for after, token in enumerate(tokens[: self._by_sound.longest]):
            own = sounds.get(token)
            if not own or not self._by_sound.may_be(sound := sound + own):
                return
            yield from ((wanted, after) for wanted in self._by_sound.get(sound))


class _Index:
    """Words by a key, and the beginnings of all keys."""

    def __init__(self) -> None:
        self._words: dict[str, list[_Wanted]] = {}
        self._beginnings: set[str] = set()
        self.longest = 0
        """Units of a key."""

    def add(self, units: Sequence[str], wanted: _Wanted) -> None:
        if not units:
            return
        self._words.setdefault("".join(units), []).append(wanted)
        self._beginnings.update(accumulate(units))
        self.longest = max(self.longest, len(units))

    def get(self, key: str) -> Sequence[_Wanted]:
        return self._words.get(key, ())

    def may_be(self, beginning: str) -> bool:
        return beginning in self._beginnings


def _is_end(text: str, left: re.Match[str], right: re.Match[str]) -> bool:
    """Whether a sentence ends between two tokens, which are no letters one by one."""
    gap = text[left.end() : right.start()]
    if is_han(left[0][0]) or is_han(right[0][0]):
        return _HAN_END.search(gap) is not None
    return len(left[0]) + len(right[0]) > 2 and _END.search(gap) is not None


def _bare(token: str) -> str:
    """Without an apostrophe that only hides a word: not `he'll`."""
    return token if known(token) else token.replace("'", "")


def _is_stretched(form: str, letters: str, pieces: tuple[str, ...]) -> bool:
    """Whether letters are only drawn out: not where another word is meant (`good`, `goood`, for `god`)."""
    if form == letters:
        return True
    twice = re.sub(r"(.)\1{2,}", r"\1\1", form)
    if known(twice):
        return twice == letters and twice != form
    return stretched(form, letters, loose=not any(map(known, pieces)))


def _masks(form: str, letters: str) -> bool:
    """`f*ck`: a letter at least is there, and no more stars than letters."""
    plain = sum(one != "*" for one in form)
    return 2 * plain >= len(form) and all(own in ("*", wanted) for own, wanted in zip(form, letters, strict=True))


def _is_one_word(pieces: tuple[str, ...], wanted: _Wanted) -> bool:
    """Whether pieces are the word in parts: not where all are ordinary words, as in `the rapist`, unless they sound
    like it."""
    if len(pieces) == 1 or pieces == wanted.pieces or any(is_han(piece[0]) for piece in pieces):
        return True
    if not all(_is_ordinary(piece) for piece in pieces):
        return True
    return "".join(map(_sound, pieces)) == _sound(wanted.letters) != ""


def _is_ordinary(piece: str) -> bool:
    return known(piece) if len(piece) > 2 else piece in _SHORT_WORDS


def _sounds(pieces: Sequence[str]) -> list[str]:
    """The sound of a word in its units; an ideograph alone keeps its tone. Empty where a piece has none."""
    if len(pieces) == 1 and is_han(pieces[0][0]):
        return [_reading(pieces[0])]
    units = [unit for piece in pieces for unit in re.findall(r"[^. ]+[. ]", _sound(piece))]
    return units if all(map(_sound, pieces)) else []


@lru_cache(maxsize=8192)
def _sound(token: str) -> str:
    """Phonemes without stress, or the syllable without tone; empty for what is neither word nor ideograph."""
    if is_han(token[0]):
        return f"{_reading(token)[:-1]} " if _reading(token) else ""
    if not token.isascii() or not token.isalpha() or len(token) > _LONGEST_HEARD:
        return ""
    phonemes = pronounce(token) if len(token) > 1 else letter(token.upper())
    return "".join(f"{phoneme.rstrip('012')}." for phoneme in phonemes)


@cache
def _reading(character: str) -> str:
    return _tables().character_reading(character)


@cache
def _tables() -> MandarinTables:
    return MandarinTables()
