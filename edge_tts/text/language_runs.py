"""Text to runs of one language, by script and context.

The text is cut into words of one script, numbers and marks. A mark belongs to what precedes it. A number takes the
language of its neighbours and keeps its unit, sign or date; without any it is the reader's.

A script that no module reads is then taken apart, named by its language (`ko`) or script (`Cyrillic`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby

from edge_tts.errors import TextError
from edge_tts.text.english.units import UNITS, alternatives
from edge_tts.text.languages import MODULES, PLANNED
from edge_tts.text.mandarin.units import UNIT, WRITTEN_UNIT
from edge_tts.text.scripts import DIGIT, GREEK, HAN, HANGUL, KANA, LATIN, NUMERAL_SIGN

OPTIONS = (
    "auto",
    "auto_yue",
    *(f"{a}{b}" for b in ("en", "ja", "ko", "yue", "zh") for a in ("", "all_") if a + b != "all_en"),
)
"""`auto` finds the language of each run; `zh` (and so on) names that of everything but English; `all_zh` includes
numbers; `en` splits off ideographs only."""

_MARKS_THAT_END = frozenset(",.!?，。！？、；：;:")
_MEASURES = rf"°[CF]?|[℃℉%‰％]|{WRITTEN_UNIT}"
_NUMBER = rf"(?:[+$￥¥£€]|(?<![{LATIN}])[-−－])?[{DIGIT}](?:[{DIGIT}.,:/~～×÷*^+=－-]*[{DIGIT}])*(?: ?(?:{_MEASURES}))?"
_WORD = re.compile(
    rf"(?P<number>{_NUMBER})|(?P<en>[{LATIN}]+(?:['’][{LATIN}]+)*)|(?P<zh>[{HAN}]+(?:(?:/|(?<=每)){WRITTEN_UNIT})?)|(?P<ja>[{KANA}]+)|(?P<ko>[{HANGUL}]+)"
    rf"|(?P<greek>[{GREEK}]+)|(?P<power>[²³¹⁰⁴-⁹]+)|(?P<sign>[{NUMERAL_SIGN}]+)|(?P<other>[^\W\d_]+)|(?P<mark>\s+|.)",
    re.DOTALL,
)
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[!-~]+|(?<![A-Za-z0-9.+-])[A-Za-z0-9.+_-]{1,64}@[A-Za-z0-9.-]{0,250}[A-Za-z0-9]"
    r"|(?<![A-Za-z0-9.-])(?:[A-Za-z0-9-]{1,63}\.){1,5}(?:com|org|net|cn|io)\b"
)
_IDEOGRAPHS = re.compile(rf"([{HAN}]+)")
_UNREAD = re.compile(
    rf"(?P<ja>[{KANA}]+)|(?P<ko>[{HANGUL}]+)|(?P<greek>[{GREEK}]{{3,}})"
    rf"|(?P<other>(?:(?![{LATIN}{HAN}{KANA}{HANGUL}{GREEK}{NUMERAL_SIGN}])[^\W\d_])+)"
)
"""Fewer Greek letters are symbols (α, Ω)."""
_MEASURE = re.compile(rf"(?<=[{DIGIT}]) ?(?:{_MEASURES}|(?:{alternatives(UNITS)})(?![A-Za-z]))")
_MANDARIN_MEASURE = re.compile(rf"(?<=[{DIGIT}]) ?(?:{_MEASURES}|{UNIT})")
_SENTENCE_ENDS = frozenset("。！？!?\n")
_CAPITALS = re.compile(r"\W{0,3}[A-Z]{1,4}[·•-]?")
"""Next to Mandarin, letters of a code whose digits are Mandarin (航班CA1234, B2层, 5G网络)."""
_ISOLATED_KANA = 1
"""A lone の between ideographs does not make a sentence Japanese."""


@dataclass(slots=True)
class _Piece:
    language: str
    text: str


def check_option(language: str) -> None:
    """Raises TextError for an unknown option or an unsupported language."""
    if language not in OPTIONS:
        raise TextError(f"no language option {language!r}; one of {', '.join(OPTIONS)}")
    for name, english in PLANNED.items():
        if language in (name, f"all_{name}", f"auto_{name}"):
            raise TextError(f"{english} ({language}) is not supported yet; supported: {', '.join(sorted(MODULES))}")


def language_runs(text: str, language: str, home: str = "zh") -> list[tuple[str, str]]:
    """(language, text) of each run, in order; joined they are `text`. Languages: zh, en; with `auto` also ja and ko.

    `home`: the language of what has no words, where the option leaves it open.
    """
    if language == "en":
        return [("zh" if i % 2 else "en", part) for i, part in enumerate(_IDEOGRAPHS.split(text)) if part]
    base = language.removeprefix("all_")
    fixed = None if base in ("auto", "auto_yue") else base
    if (fixed or home) == "zh" and not any(map(str.isalpha, _MANDARIN_MEASURE.sub("", text))):
        return [("zh", text)]
    pieces = _join(_label(_words(text), fixed, home))
    numbers = fixed if language.startswith("all_") else None
    return [(p.language, p.text) for p in _settle_numbers(pieces, numbers, fixed or home)]


def unread_apart(runs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`runs` with the words that the module of their language cannot read in runs of their own."""
    pieces = []
    for language, text in runs:
        at = 0
        for m in _UNREAD.finditer(text) if language in MODULES else ():
            script = m.lastgroup if m.lastgroup in PLANNED else _script(m[0])
            if script is not None and not (language == "zh" and m[0] == "の"):
                pieces += [_Piece(language, text[at : m.start()]), _Piece(script, m[0])]
                at = m.end()
        pieces.append(_Piece(language, text[at:]))
    return [(piece.language, piece.text) for piece in _join(pieces) if piece.text]


def _script(word: str) -> str | None:
    """The name of the script of `word`; None for symbols and for variants of Latin letters."""
    if not word[0].isalpha():
        return None
    script = unicodedata.name(unicodedata.normalize("NFKC", word)[0], "LATIN").split()[0]
    symbol = script == "GREEK" and len(word) < 3  # µ, Ω
    return None if symbol or script in ("LATIN", "MODIFIER", "CJK") else script.capitalize()


def has_words(text: str) -> bool:
    """Whether there is more than numbers, units and marks."""
    return any(map(str.isalpha, _MEASURE.sub("", text)))


def _words(text: str) -> list[_Piece]:
    """Words, numbers and marks; an address is one English word."""
    pieces, at = [], 0
    for address in _ADDRESS.finditer(text):
        pieces += [_Piece(m.lastgroup or "mark", m[0]) for m in _WORD.finditer(text, at, address.start())]
        pieces.append(_Piece("en", address[0]))
        at = address.end()
    return pieces + [_Piece(m.lastgroup or "mark", m[0]) for m in _WORD.finditer(text, at)]


def _label(pieces: list[_Piece], fixed: str | None, home: str) -> list[_Piece]:
    """Sets the language of every word; a mark gets that of the piece before, leading marks that of the first word."""
    if fixed is None:
        _decide_han(pieces)
    for piece in pieces:
        if fixed and piece.language in ("ja", "ko", "power", "greek"):
            piece.language = fixed
        elif piece.language == "power":
            piece.language = "mark"
        elif piece.language in ("sign", "greek"):
            piece.language = "number"
        elif piece.language == "other":
            piece.language = "en"
    before = next((p.language for p in pieces if p.language != "mark"), fixed or home)
    for piece in pieces:
        if piece.language == "mark":
            piece.language = before
        before = piece.language
    return pieces


def _decide_han(pieces: list[_Piece]) -> None:
    """Ideographs in a sentence with kana become Japanese, in place."""
    sentence: list[_Piece] = []
    for piece in [*pieces, _Piece("en", "")]:
        sentence.append(piece)
        if piece.language == "en" or (piece.language == "mark" and piece.text in _SENTENCE_ENDS):
            kana = sum(len(p.text) for p in sentence if p.language == "ja")
            han = any(p.language == "zh" for p in sentence)
            language = "zh" if han and kana <= _ISOLATED_KANA else "ja"
            for p in sentence:
                p.language = language if p.language == "ja" or (kana and p.language == "zh") else p.language
            sentence = []


def _join(pieces: list[_Piece]) -> list[_Piece]:
    return [
        _Piece(language, "".join(p.text for p in group))
        for language, group in groupby(pieces, key=lambda p: p.language)
    ]


def _settle_numbers(pieces: list[_Piece], numbers: str | None, usual: str) -> list[_Piece]:
    """Numbers (with their marks) get `numbers`, or the language of a neighbour, or `usual`."""
    settled: list[_Piece] = []
    for i, piece in enumerate(pieces):
        if piece.language == "number":
            left = settled[-1] if settled else None
            right = pieces[i + 1] if i + 1 < len(pieces) else None
            piece.language = numbers or _of_neighbours(piece.text, left, right, usual)
            if _is_code(settled[-2:], piece, pieces[i + 1 : i + 3]):
                piece.language = "zh"
        if settled and settled[-1].language == piece.language:
            settled[-1].text += piece.text
        else:
            settled.append(piece)
    return settled


def _is_code(before: list[_Piece], number: _Piece, after: list[_Piece]) -> bool:
    """Whether the number stands between Mandarin and a few capitals, on either side."""
    if before and _CAPITALS.fullmatch(before[-1].text):
        beside = before[:-1] + after[:1]
    elif after and _CAPITALS.fullmatch(after[0].text) and number.text[-1].isalnum():
        beside = before[-1:] + after[1:]
    else:
        return False
    return any(piece.language == "zh" for piece in beside)


def _of_neighbours(number: str, left: _Piece | None, right: _Piece | None, usual: str) -> str:
    if left is None or right is None:
        near = left or right
        return near.language if near else usual
    if left.language == right.language:
        return left.language
    if left.text[-1] in _MARKS_THAT_END:
        return right.language
    if right.text[0] in _MARKS_THAT_END or number.rstrip()[-1] in _MARKS_THAT_END:
        return left.language
    return left.language if len(left.text) >= len(right.text) else right.language
