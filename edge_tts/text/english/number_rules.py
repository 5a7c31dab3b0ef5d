"""The patterns that find numbers in English text and say them: dates, times, money, units, fractions.

They run in order over the whole text; what a rule has said holds no digits, so no later rule touches it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from edge_tts.text.english.numbers import cardinal, decimal, digits, fraction, number, ordinal, plural
from edge_tts.text.english.units import CURRENCIES, GLUED_ONLY, MONTHS, PER, SPACED_LETTERS, UNITS

Match = re.Match[str]
Rule = tuple[re.Pattern[str], Callable[[Match], str]]

_SCALE = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_UNIT = _alternatives(UNITS)
_SIGNS = "".join(CURRENCIES)


def _date(year: str, month: str, day: str, whole: str) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return whole
    return f"{MONTHS[int(month) - 1]} {ordinal(str(int(day)))}, {number(year)}"


def _slash_date(m: Match) -> str:
    first, second = m[1], m[2]
    if int(first) > 12:  # 31/12/2025 can only be day first
        first, second = second, first
    return _date(m[3], first, second, m[0])


def _time(m: Match) -> str:
    hour, minute, second, half = int(m[1]), int(m[2]), int(m[3] or 0), (m[4] or "").upper()
    if not hour and m[3] and not half:  # 0:05:00 is a program's duration
        parts = [f"{cardinal(n)} {name}{'' if n == 1 else 's'}" for n, name in ((minute, "minute"), (second, "second"))]
        return " and ".join(part for part, n in zip(parts, (minute, second), strict=True) if n) or parts[1]
    words = cardinal((hour - 1) % 12 + 1 if hour else 0)
    if minute:
        words += f" {cardinal(minute)}"
    elif not half:
        words += " o'clock"
    if second:
        words += f" and {cardinal(second)} second{'s' if second > 1 else ''}"
    if half:
        return f"{words} {half} M{_end_mark(m)}"
    return f"{words} {'p' if hour >= 12 else 'a'}.m."


def _end_mark(m: Match) -> str:
    """The full stop of `p.m.` ends the sentence only where nothing or a capital follows."""
    rest = m.string[m.end() :].lstrip()
    return "." if m[0].endswith(".") and (not rest or rest[0].isupper()) else ""


def _half_day(m: Match) -> str:
    return f"{cardinal(int(m[1]))} {m[2].upper()} M{_end_mark(m)}"


def _phone(m: Match) -> str:
    groups = re.findall(r"\d+", m[0])
    return ("plus " if "+" in m[0] else "") + ", ".join(digits(group) for group in groups)


def _dotted(m: Match) -> str:
    parts = m[1].split(".")
    return (" dot " if len(parts) == 4 else " point ").join(number(part) for part in parts)


def _money(m: Match) -> str:
    one, many, part, parts = CURRENCIES[m[1]]
    whole, cents, scale, per = m[2], m[3] or "", m[4], f" per {PER[m[5]]}" if m[5] else ""
    if scale:
        return f"{decimal(f'{whole}.{cents}')} {_SCALE.get(scale.lower(), scale.lower())} {many}{per}"
    if len(cents) > 2:
        return f"{decimal(f'{whole}.{cents}')} {many}{per}"
    hundredths = int(cents.ljust(2, "0")) if cents else 0
    said = [f"{number(whole)} {one if whole == '1' else many}"] if int(whole) or not hundredths else []
    if hundredths:
        said.append(f"{cardinal(hundredths)} {part if hundredths == 1 else parts}")
    return " and ".join(said) + per


def _money_after(m: Match) -> str:
    return f"{decimal(m[1].replace(',', ''))} {CURRENCIES[m[2]][0 if m[1] == '1' else 1]}"


def _part_of_unit(m: Match) -> str:
    if m[4] and m[5] in GLUED_ONLY and m[5] not in SPACED_LETTERS:
        return m[0]
    part = "a half" if m[1] and (m[2], m[3]) == ("1", "2") else fraction(m[2], m[3])
    return f"{number(m[1])} and {part} {UNITS[m[5]][1]}" if m[1] else f"{part} {UNITS[m[5]][0]}"


def _unit(m: Match) -> str:
    amount, blank, unit, per = m[1], m[2], m[3], m[4]
    if blank and unit in GLUED_ONLY and unit not in SPACED_LETTERS:
        return m[0]
    words = f"{decimal(amount)} {UNITS[unit][0 if amount == '1' else 1]}"
    return f"{words} per {PER[per]}" if per else words


def _feet(m: Match) -> str:
    feet, inches = f"{cardinal(int(m[1]))} {'foot' if m[1] == '1' else 'feet'}", m[2]
    return f"{feet} {cardinal(int(inches))} {'inch' if inches == '1' else 'inches'}" if inches else feet


def _mixed(m: Match) -> str:
    return f"{number(m[1])} and {'a half' if (m[2], m[3]) == ('1', '2') else fraction(m[2], m[3])}"


def _decade(m: Match) -> str:
    return plural(number(m[1]))


def _say(form: str) -> Callable[[Match], str]:
    return lambda m: form


RULES: tuple[Rule, ...] = tuple(
    (re.compile(pattern), say)
    for pattern, say in [
        (r"(^(?:\. )?|(?<=\D[.!?] ))(\d{1,2})\. (?=[^\W\d_])", lambda m: f"{m[1]}{ordinal(m[2])}, "),
        (r"(?<=\d),(?=\d{3}(?!\d))", _say("")),
        (r"(?<![\d./-])(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?![\d/-])", lambda m: _date(m[1], m[3], m[4], m[0])),
        (r"(?<![\d/])(\d{1,2})/(\d{1,2})/(\d{4})(?![\d/])", _slash_date),
        (r"(?<![\d.])(\d{1,2})\.(\d{1,2})\.((?:19|20)\d\d)(?![\d.]\d)", _slash_date),
        (
            r"(?<![\d:])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\d:])(?:\s?([AaPp])\.?\s?[Mm](?:\b\.?))?",
            _time,
        ),
        (r"(?<![\d.:])(1[0-2]|0?[1-9])\s?([AaPp])\.?[Mm](?:\.|\b)", _half_day),
        (r"(?<!\d)(\d{1,3}):(\d{1,3})(?![\d:])", lambda m: f"{number(m[1])} to {number(m[2])}"),
        (r"(?<![\w.])\+\d{1,3}(?:[ -]?\(?\d{1,4}\)?){2,6}(?!\d)", _phone),
        (r"(?<![\w.-])(?:\d{1,2}[ -])?(?:\(\d{3}\) ?|\d{3}[ -])\d{3}[ -]\d{4}(?![\d-])", _phone),
        (r"(?<![\w.-])0\d{2,4}[ -]\d{3,4}(?:[ -]?\d{3,4})?(?![\d-])", _phone),
        (r"(?<![\w.-])\d{3}-0\d{3}(?![\d-])", _phone),
        (r"(?<![\w.])[vV]?(\d+(?:\.\d+){2,})(?![\d])", _dotted),
        (
            rf"([{_SIGNS}])\s?(\d+)(?:\.(\d+))?"
            r"(?:\s?(hundred|thousand|million|billion|trillion|(?:[kKmMbBtT]|[mMbB]n)(?![A-Za-z])))?"
            rf"(?:\s?/\s?({_alternatives(PER)})(?![A-Za-z\d]))?",
            _money,
        ),
        (rf"(?<![\d.])(\d+(?:\.\d+)?)\s?([{_SIGNS}])(?!\d)", _money_after),
        (r"(?<![\w.])(\d{1,2})'\s?(\d{1,2})(?:\"|'')", _feet),
        (r"(?<!\d)(1\d\d0|20\d0)'?s\b", _decade),
        (r"(?<=[Tt]he )'?(\d0)'?s\b|(?:(?<!\w)'|(?<=s-))(\d0)s\b", lambda m: plural(number(m[1] or m[2]))),
        (r"(?<![\d/])(\d{2,3})/(\d{2,3})(?=\s?mmHg)", lambda m: f"{cardinal(int(m[1]))} over {m[2]}"),
        (
            rf"(?<![\d/.])(?:(\d{{1,4}})\s)?(\d{{1,2}})/(\d{{1,2}})(\s?)({_UNIT})(?![A-Za-z\d°²³'/])",
            _part_of_unit,
        ),
        (
            rf"(?<![A-Za-z\d./])(\d+(?:\.\d+)?)(\s?)({_UNIT})(?:\s?/\s?({_alternatives(PER)}))?(?![A-Za-z\d°²³'])",
            _unit,
        ),
        (r"(?<![\w/.])24/7(?![\d/])", _say("twenty-four seven")),
        (r"(?<![\d/.])(\d+)\s(\d{1,2})/(\d{1,3})(?![\d/])", _mixed),
        (r"(?<![\d/.])(\d+)/\1(?![\d/]| of\b)", lambda m: f"{number(m[1])} {number(m[1])}"),  # 20/20
        (r"(?<![\d/.])(\d+)/(\d+)(?![\d/])", lambda m: fraction(m[1], m[2])),
        (r"(?<!\d)(\d+)(?:st|nd|rd|th)\b", lambda m: ordinal(m[1])),
        (r"(?<![\d.])(\d*\.\d+)(?!\d)", lambda m: decimal(m[1])),
        (r"\d+", lambda m: number(m[0])),
    ]
)


def say_numbers(text: str) -> str:
    """`text` (ASCII digits) with every number in words."""
    for pattern, say in RULES:
        text = _substitute(pattern, say, text)
    return text


def _substitute(pattern: re.Pattern[str], say: Callable[[Match], str], text: str) -> str:
    return pattern.sub(lambda m: _spaced(m, say(m)), text)


def _spaced(m: Match, words: str) -> str:
    if words == m[0] or not words:
        return words
    before, after = m.string[m.start() - 1 : m.start()], m.string[m.end() : m.end() + 1]
    return (" " if before.isalpha() else "") + words + (" " if after.isalpha() else "")
