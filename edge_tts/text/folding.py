"""Text without its disguises: one form for letters that look alike, and views without tricks of spelling.

A view keeps for each of its characters where it stood in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from edge_tts.text.mandarin.tables import MandarinTables
from edge_tts.text.scripts import HAN

_LOOK_ALIKES = {
    ord(pair[0].casefold()): pair[1:]
    for pair in (
        "аa вb еe кk мm нh оo рp сc тt уy хx іi ѕs јj ԁd ԛq ԝw һh ьb гr пn иu ӏl ѵv шw ԍg ҽe "
        "αa βb γy εe ηn ιi κk νv οo ρp τt υu χx ωw σo ϲc ϳj μu օo սu հh զq ցg յj ոn æae œoe əe "
        "Ꭰd Ꭱr Ꭲt Ꭵi Ꭺa Ꭻj Ꭼe Ꮃw Ꮇm Ꮋh Ꮐg Ꮓz Ꮪs Ꮩv Ꮮl Ꮯc Ꮲp Ꮶk ᕼh ᑕc ᑌu ᗪd ᗩa ᗷb ᖴf ᒪl ᗰm ᑎn ᑭp ᖇr ᔕs ᐯv ᗯw"
    ).split()
}
"""Cyrillic, Greek, Armenian, Latin, Cherokee and Canadian letters, folded, that pass for others."""
_NAMED = re.compile(
    r"LATIN (?:SMALL |CAPITAL )?LETTER (?:SMALL CAPITAL |TURNED |REVERSED |OPEN |DOTLESS |SCRIPT )*([A-Z])\b"
)
_CASED = {0x1F150: 26, 0x1F170: 26, 0x1F1E6: 26}
"""First of the alphabets of emoji: circles, squares, flags."""
_INVISIBLE = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_DROPPED = frozenset({"Mn", "Me", "Cf", "Cc", "Co", "Cn", "Cs"})
_SIGNS = "@$!|+€£¥*#%"
_MARKS = "!|+*#%"
"""Signs that also stand around a word."""
_MARK = re.compile(f"[{re.escape(_MARKS)}]")
_TIED = re.compile(r"(?<=[a-z0-9])[*|~^_]+(?=[a-z0-9])")
"""Signs between letters that nobody says."""
TOKEN = re.compile(rf"[{HAN}]|[a-z0-9{re.escape(_SIGNS)}]+(?:'[a-z]+)*")
"""A word, with signs that stand for letters, or an ideograph."""
_DISGUISES = tuple(str.maketrans("0123456789@$!|+€£¥", f"o{one}zeasgtbgasi{one}tely") for one in "il")
"""1 may be i or l."""
_LETTER = re.compile("[a-z]")
_ALONE = re.compile(rf"(?<![a-z0-9])[a-z0-9]([^a-z0-9{HAN}]{{1,3}})[a-z0-9](?:\1[a-z0-9](?![a-z0-9]))+")
"""Letters one by one, with the same between them."""
_APART = re.compile(rf"(?<=[{HAN}])[^\w。！？；]{{1,3}}(?=[{HAN}])")
_TURN = re.compile(r"([a-z])\1*|.")
_LONG = re.compile(r"([a-z])\1{2,}")


@dataclass(frozen=True, slots=True)
class View:
    text: str
    at: tuple[int, ...]
    """Per character its place in the original."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The place of `text[start:end]`, which is not empty, in the original."""
        return self.at[start], self.at[end - 1] + 1

    def without(self, spans: Iterable[tuple[int, int]]) -> View:
        """`spans` in order."""
        kept, here = list[int](), 0
        for start, end in spans:
            kept += range(here, start)
            here = end
        kept += range(here, len(self.text))
        return View("".join(self.text[i] for i in kept), tuple(self.at[i] for i in kept))


def fold(text: str) -> View:
    """Lower case, without accents, widths, styles, alphabets of emoji, invisible characters and look-alikes; simplified
    ideographs. A line break is a blank."""
    letters, at = list[str](), list[int]()
    for i, character in enumerate(text):
        folded = _folded(character)
        letters.append(folded)
        at += [i] * len(folded)
    return View("".join(letters), tuple(at))


@lru_cache(maxsize=8192)
def _folded(character: str) -> str:
    if character.isspace():
        return " "
    if character in "’ʼ＇`":
        return "'"
    if character.isascii():
        return "" if unicodedata.category(character) == "Cc" else character.lower()
    plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", character).casefold())
    kept = (c for c in plain if unicodedata.category(c) not in _DROPPED and c not in _INVISIBLE)
    return "".join(map(_plain, kept)).translate(_simplified())


def _plain(character: str) -> str:
    if character.isascii():
        return character.lower()
    for first, count in _CASED.items():
        if first <= ord(character) < first + count:
            return chr(ord("a") + ord(character) - first)
    alike = character.translate(_LOOK_ALIKES)
    named = _NAMED.match(unicodedata.name(alike, "")) if not alike.isascii() else None
    return named[1].lower() if named else alike


@cache
def _simplified() -> Mapping[int, str]:
    return MandarinTables().simplified


@lru_cache(maxsize=8192)
def letters_of(token: str) -> frozenset[str]:
    """What a token may be meant to spell: as it is, and with its digits and signs as letters; `*` is any letter."""
    forms = {token, token.strip(_MARKS), _MARK.sub("", token)}
    spelled = {form.translate(table) for form in forms for table in _DISGUISES}
    return frozenset(form.replace("#", "*").replace("%", "*") for form in forms | spelled if form)


@lru_cache(maxsize=8192)
def squeezed(word: str) -> str:
    """Each letter once in a row; ideographs as they are."""
    return _TURN.sub(lambda match: match[0][0], word)


def stretched(word: str, meant: str, *, loose: bool) -> bool:
    """Whether `word`, of the same letters in a row, is `meant` with some of them drawn out: three times and more, or
    with `loose` twice."""
    return all(
        own == wanted or own >= (wanted if loose else 3)
        for own, wanted in zip(_turns(word), _turns(meant), strict=True)
    )


def _turns(word: str) -> list[int]:
    return [len(match[0]) for match in _TURN.finditer(word)]


def views(folded: View) -> list[View]:
    """What a pattern is searched in: as it is; digits and signs as letters; what is spelled out put together; letters
    that are drawn out once and twice."""
    folded = folded.without(match.span() for match in _TIED.finditer(folded.text))
    spelled = [folded, *(_replaced(folded, table) for table in _DISGUISES)]
    joined = [_together(view) for view in spelled]
    found: dict[str, View] = {}
    for view in (*spelled, *joined):
        for shorter in (view, _shortened(view, 1), _shortened(view, 2)):
            found.setdefault(shorter.text, shorter)
    return list(found.values())


def _replaced(view: View, table: Mapping[int, int]) -> View:
    def letters(match: re.Match[str]) -> str:
        word = match[0].rstrip(_MARKS)
        return word.translate(table) + match[0][len(word) :] if _LETTER.search(word) else match[0]

    return View(TOKEN.sub(letters, view.text), view.at)


def _together(view: View) -> View:
    """Without what stands between letters or ideographs one by one."""
    gaps = [
        (found.start() + i, found.start() + i + 1)
        for found in _ALONE.finditer(view.text)
        for i, character in enumerate(found[0])
        if not character.isalnum()
    ]
    gaps += [found.span() for found in _APART.finditer(view.text)]
    return view.without(sorted(gaps))


def _shortened(view: View, most: int) -> View:
    return view.without((found.start() + most, found.end()) for found in _LONG.finditer(view.text))
