"""Text to runs of one language, by script and context.

The text is cut into words of one script, numbers and marks. A mark belongs to what precedes it. A number takes the
language of its neighbours and keeps its unit, sign or date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

from edge_tts.errors import TextError
from edge_tts.text.languages import MODULES, PLANNED
from edge_tts.text.mandarin.units import WRITTEN_UNIT
from edge_tts.text.scripts import DIGIT, HAN, HANGUL, KANA, LATIN, NUMERAL_SIGN

OPTIONS = (
    "auto",
    "auto_yue",
    *(f"{a}{b}" for b in ("en", "ja", "ko", "yue", "zh") for a in ("", "all_") if a + b != "all_en"),
)
"""`auto` finds the language of each run; `zh` (and so on) names that of everything but English; `all_zh` includes
numbers; `en` splits off ideographs only."""

_MARKS_THAT_END = frozenset(",.!?，。！？、；：;:")
_MEASURES = rf"°[CF]?|[℃℉%‰％]|{WRITTEN_UNIT}"
_NUMBER = rf"[-−－+$￥¥£€]?[{DIGIT}](?:[{DIGIT}.,:/~～×÷*^+=－-]*[{DIGIT}])*(?: ?(?:{_MEASURES}))?"
_WORD = re.compile(
    rf"(?P<number>{_NUMBER})|(?P<en>[{LATIN}]+(?:['’][{LATIN}]+)*)|(?P<zh>[{HAN}]+(?:(?:/|(?<=每)){WRITTEN_UNIT})?)|(?P<ja>[{KANA}]+)|(?P<ko>[{HANGUL}]+)"
    rf"|(?P<greek>[\u0370-\u03ff]+)|(?P<power>[²³¹⁰⁴-⁹]+)|(?P<sign>[{NUMERAL_SIGN}]+)|(?P<other>[^\W\d_]+)|(?P<mark>\s+|.)",
    re.DOTALL,
)
_ADDRESS = re.compile(
    r"(?:https?://|www\.)[!-~]+|(?<![A-Za-z0-9.+-])[A-Za-z0-9.+_-]{1,64}@[A-Za-z0-9.-]{0,250}[A-Za-z0-9]"
    r"|(?<![A-Za-z0-9.-])(?:[A-Za-z0-9-]{1,63}\.){1,5}(?:com|org|net|cn|io)\b"
)
_FOREIGN_TO_HAN = re.compile(rf"[々{KANA}{HANGUL}]")
_ITERATION = re.compile(rf"([{HAN}])々")
_IDEOGRAPHS = re.compile(rf"([{HAN}]+)")
_SENTENCE_ENDS = frozenset("。！？!?\n")
_FLIGHT = re.compile(rf"[A-Z]{{1,2}}[{DIGIT}]{{3,5}}(?![{DIGIT}.:/-])")
"""A flight, train or number plate behind or before Mandarin (航班CA1234, D301次)."""
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


def language_runs(text: str, language: str) -> list[tuple[str, str]]:
    """(language, text) of each run, in order; joined they are `text`. Languages: zh, en; with `auto` also ja and ko."""
    if language == "en":
        return [("zh" if i % 2 else "en", part) for i, part in enumerate(_IDEOGRAPHS.split(text)) if part]
    base = language.removeprefix("all_")
    fixed = None if base in ("auto", "auto_yue") else base
    pieces = _join(_label(_words(text), fixed))
    numbers = fixed if language.startswith("all_") else None
    return [(p.language, p.text) for p in _settle_numbers(pieces, numbers, fixed)]


def speakable_runs(runs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """`runs` with every stretch that the module of its language cannot read given to one that can; nothing is lost.

    Ideographs go to Mandarin; kana, Hangul and other letters to English, which names or romanizes them.
    """
    spoken: list[tuple[str, str]] = []
    for language, text in runs:
        if language not in PLANNED and not (language == "zh" and _FOREIGN_TO_HAN.search(text)):
            spoken.append((language, text))
            continue
        words = _words(_ITERATION.sub(r"\1\1", text.replace("の", "的") if language == "zh" else text))
        pieces = _join(_label(words, None, japanese=False))
        spoken += [(p.language, p.text) for p in _settle_numbers(pieces, None, None)]
    return spoken


def _words(text: str) -> list[_Piece]:
    """Words, numbers and marks; an address is one English word."""
    pieces, at = [], 0
    for address in _ADDRESS.finditer(text):
        pieces += [_Piece(m.lastgroup or "mark", m[0]) for m in _WORD.finditer(text, at, address.start())]
        pieces.append(_Piece("en", address[0]))
        at = address.end()
    return pieces + [_Piece(m.lastgroup or "mark", m[0]) for m in _WORD.finditer(text, at)]


def _label(pieces: list[_Piece], fixed: str | None, *, japanese: bool = True) -> list[_Piece]:
    """Sets the language of every word; a mark gets that of the piece before, leading marks that of the first word."""
    if fixed is None and japanese:
        _decide_han(pieces)
    for piece in pieces:
        if piece.language in ("zh", "greek") or (fixed and piece.language in ("ja", "ko")):
            piece.language = fixed or "zh"
        elif piece.language == "power":
            piece.language = fixed or "mark"
        elif piece.language == "sign":
            piece.language = "number"
        elif piece.language == "other" or (not japanese and piece.language in ("ja", "ko")):
            piece.language = "en"
    first = next((p.language for p in pieces if p.language != "mark"), fixed or "zh")
    before = first
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


def _settle_numbers(pieces: list[_Piece], numbers: str | None, fixed: str | None) -> list[_Piece]:
    """Numbers (with their marks) get `numbers`, or the language of a neighbour."""
    settled: list[_Piece] = []
    for i, piece in enumerate(pieces):
        if piece.language == "number":
            left = settled[-1] if settled else None
            right = pieces[i + 1] if i + 1 < len(pieces) else None
            piece.language = numbers or _of_neighbours(piece.text, left, right, fixed)
            if (settled[-2:-1] and settled[-2].language == "zh") or (right and right.text.startswith("次") and left):
                piece.language = "zh" if _FLIGHT.match(settled[-1].text + piece.text) else piece.language
        if settled and settled[-1].language == piece.language:
            settled[-1].text += piece.text
        else:
            settled.append(piece)
    return settled


def _of_neighbours(number: str, left: _Piece | None, right: _Piece | None, fixed: str | None) -> str:
    if left is None or right is None:
        near = left or right
        return near.language if near else fixed or "zh"
    if left.language == right.language:
        return left.language
    if left.text[-1] in _MARKS_THAT_END:
        return right.language
    if right.text[0] in _MARKS_THAT_END or number.rstrip()[-1] in _MARKS_THAT_END:
        return left.language
    return left.language if len(left.text) >= len(right.text) else right.language
