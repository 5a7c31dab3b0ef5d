"""Abbreviated days and months, and Roman numerals: `Mon-Fri`, `3 Mar`, `Henry VIII`."""

from __future__ import annotations

import re

from edge_tts.text.english.numbers import cardinal, to_ordinal
from edge_tts.text.english.units import MONTHS

_MONTHS = {name[:3]: name for name in MONTHS if name != "May"} | {"Sept": "September"}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATED = re.compile(rf"\b({_MONTH})\b\.?(?=\s?\d)|(?<=\d )({_MONTH})\b(?:\.(?=,|\s?\d))?")
_DAYS = {
    short: f"{name}day"
    for name, forms in {
        "Mon": "Mon", "Tues": "Tue Tues", "Wednes": "Wed", "Thurs": "Thu Thur Thurs", "Fri": "Fri", "Satur": "Sat",
        "Sun": "Sun",
    }.items()
    for short in forms.split()
}  # fmt: skip
_DAY = "|".join(sorted(_DAYS, key=len, reverse=True))
_DAY_RANGE = re.compile(rf"\b({_DAY})\.?\s?[-–]\s?({_DAY})\b\.?")
_ONE_DAY = re.compile(rf"\b(?!Sat|Sun)({_DAY})\b(?:\.(?=,? \S))?|\b(Sat|Sun)\b\.?(?=,? \d)")

_ROMAN = re.compile(r"\b([A-Z][a-z]{1,20}) (?=[IVX]{2})(X{0,3}(?:IX|IV|V?I{0,3}))\b(?!-)")
_WORLD_WAR = re.compile(r"\bWW\s?(II?|[12])\b")
_VALUES = {"I": 1, "V": 5, "X": 10}
_RULERS = frozenset(
    "Henry Louis Charles George Edward William James Richard Elizabeth Philip John Paul Pius Benedict Francis Leo "
    "Nicholas Alexander Frederick Napoleon Catherine Peter Gregory Clement Ramesses".split()
)
_PARTS = frozenset("War Chapter Part Volume Section Act Phase Type Class Stage Book Level Episode Season Unit".split())
_NO_TITLE = frozenset("The An This My Your Our No And In On At".split())


def say_calendar(text: str) -> str:
    """`text` with abbreviated days and months in full where they are unambiguous."""
    text = _DAY_RANGE.sub(lambda m: f"{_DAYS[m[1]]} to {_DAYS[m[2]]}", text)
    text = _ONE_DAY.sub(lambda m: _DAYS[m[1] or m[2]], text)
    return _DATED.sub(lambda m: _MONTHS[m[1] or m[2]], text)


def say_roman(text: str) -> str:
    """`text` with the numerals of rulers, chapters, wars and sequels in words, not an ambiguous `IV`."""
    text = _WORLD_WAR.sub(lambda m: f"World War {cardinal(len(m[1]) if m[1][0] == 'I' else int(m[1]))}", text)
    return _ROMAN.sub(_roman, text)


def _roman(m: re.Match[str]) -> str:
    name, numeral = m[1], m[2]
    values = [_VALUES[c] for c in numeral]
    words = cardinal(sum(-v if v < max(values[i:]) else v for i, v in enumerate(values)))
    if name in _RULERS:
        return f"{name} the {to_ordinal(words)}"
    sure = name in _PARTS or (name not in _NO_TITLE and numeral not in {"IV", "VI", "XI", "XX"})
    return f"{name} {words}" if sure else m[0]
