"""Abbreviated days and months, and Roman numerals: `Mon-Fri`, `3 Mar`, `Henry VIII`."""

from __future__ import annotations

import re

from edge_tts.text.english.numbers import cardinal, ordinal, to_ordinal
from edge_tts.text.english.units import MONTHS

_MONTHS = {name[:3]: name for name in MONTHS if name != "May"} | {"Sept": "September"}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_FULL = "|".join(MONTHS)
_AFTER_DAY = (
    r"(?![\w:%°/]|[.,]\d|-[A-Za-z]| (?:[a-z]{2,20}(?<!s)s|people|percent|degrees?|minutes?|hours?|dollars|times?)\b)"
)
_MONTH_DAY = re.compile(
    rf"\b(?P<month>{_FULL}) (?P<day>[1-9]|[12]\d|3[01])(?P<to>\s?[-–]\s?(?:[1-9]|[12]\d|3[01]))?{_AFTER_DAY}"
)
_DAY_MONTH = re.compile(
    rf"(?<![\w.:/$£€-])(?P<the>[Tt]he )?(?P<day>[1-9]|[12]\d|3[01]) (?P<month>{_FULL})\b(?! \d{{1,2}}\b)"
)
_DATED = re.compile(rf"\b({_MONTH})\b\.?(?=\s?\d)|(?<=\d )({_MONTH})\b(?:\.(?=,|\s?\d|\s[a-z]))?")
_MONTH_RANGE = re.compile(rf"\b({_MONTH})\b\.?\s?[-–]\s?(?:({_MONTH})\b(?:\.(?=,? ?[\da-z]))?|(?={_FULL}))")
_DAYS = {
    short: f"{name}day"
    for name, forms in {
        "Mon": "Mon", "Tues": "Tue Tues", "Wednes": "Wed", "Thurs": "Thu Thur Thurs", "Fri": "Fri", "Satur": "Sat",
        "Sun": "Sun",
    }.items()
    for short in forms.split()
}  # fmt: skip
_DAY = "|".join(sorted(_DAYS, key=len, reverse=True))
_DAY_RANGE = re.compile(rf"\b({_DAY})\.?\s?[-–]\s?({_DAY})\b(?:\.(?=,? ?[\da-z]))?")
_ONE_DAY = re.compile(
    rf"\b(?!Sat|Sun)({_DAY})\b(?:\.(?=,? \S))?|\b(Sat|Sun)\b\.?(?=,? (?:\d|{_MONTH}|{_FULL}| at ))"
    r"|(?:(?<=on )|(?<=next )|(?<=this )|(?<=every )|(?<=until ))(Sat|Sun)\b(?:\.(?=,? \S))?"
)

_ROMAN = re.compile(r"\b([A-Z][a-z]{1,20}) (?=[IVXL]{2})((?:XL|L?X{0,3})(?:IX|IV|V?I{0,3}))\b(?!-)")
_WORLD_WAR = re.compile(r"\bWW\s?(II?|[12])\b")
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50}
_RULERS = frozenset(
    "Henry Louis Charles George Edward William James Richard Elizabeth Philip John Paul Pius Benedict Francis Leo "
    "Nicholas Alexander Frederick Napoleon Catherine Peter Gregory Clement Ramesses".split()
)
_PARTS = frozenset(
    "War Chapter Part Volume Section Act Phase Type Class Stage Book Level Episode Season Unit Bowl".split()
)
_NO_TITLE = frozenset("The An This My Your Our No And In On At".split())


def say_calendar(text: str) -> str:
    """`text` with abbreviated days and months in full where they are unambiguous."""
    text = _DAY_RANGE.sub(lambda m: f"{_DAYS[m[1]]} to {_DAYS[m[2]]}", text)
    text = _MONTH_RANGE.sub(lambda m: f"{_MONTHS[m[1]]} to {_MONTHS.get(m[2] or '', '')}", text)
    text = _ONE_DAY.sub(lambda m: _DAYS[m[1] or m[2] or m[3]], text)
    text = _DATED.sub(lambda m: _MONTHS[m[1] or m[2]], text)
    return _DAY_MONTH.sub(_day_month, _MONTH_DAY.sub(_month_day, text))


def _month_day(m: re.Match[str]) -> str:
    """The day of a month is an ordinal: July 4, January 3-7."""
    if m["month"] in ("May", "March") and not m.string[: m.start()].strip(" .") and m.string[m.end() :][:1] == " ":
        return m[0]  # "May 5 people come in?"
    last = f" to {ordinal(m['to'].strip(' -–'))}" if m["to"] else ""
    return f"{m['month']} {ordinal(m['day'])}{last}"


def _day_month(m: re.Match[str]) -> str:
    return f"{'The' if (m['the'] or 't')[0] == 'T' else 'the'} {ordinal(m['day'])} of {m['month']}"


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
    sure = name in _PARTS or (name not in _NO_TITLE and "L" not in numeral and numeral not in {"IV", "VI", "XI", "XX"})
    return f"{name} {words}" if sure else m[0]
