"""Times, dates and durations in words."""

from __future__ import annotations

import re
from collections.abc import Callable

from edge_tts.text.english.numbers import cardinal, decimal, oh, ordinal, year
from edge_tts.text.english.units import MONTHS

Match = re.Match[str]

_NEAR = 40
"""How many characters around a time or date are looked at."""
_DAY_PART = re.compile(
    r"\b(?:morning|noon|afternoon|evening|night|midnight|tonight|breakfast|lunch|dinner|supper)\b", re.I
)
_RUNNING = re.compile(
    r"\b(?:timer|countdown|stopwatch|remaining|last(?:s|ed)?|duration|took|takes|length|runtime|elapsed)\W+"
    r"(?:\w+ ){0,3}$",
    re.I,
)
_SPENT = re.compile(r"\b(?:in|within|under|over|for)\W+(?:(?:just|only|about|a|time|of) ){0,3}$", re.I)
"""Before hours, minutes and seconds."""
_LEFT = re.compile(r"\s(?:left|remaining|elapsed)\b")
_UNTIL_DAY = re.compile(
    r"\b(?:on|due|until|till|since|through|before|after|dated?|expir\w+|deadline|birthday|starts?|begins?|ends?|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day)[ ,:]+(?:(?:is|on|by|from|for|the) )?$",
    re.I,
)
_PERHAPS_DAY = re.compile(
    r"\b(?:today|tomorrow|tonight|day|date|week|meeting|appointment|visit|party|trip|delivery|holiday|closed|scheduled|"
    r"booked|moved|from|by|to|for)\b"
    r"[^.!?\d]{0,20}$",
    re.I,
)
_DATE_AFTER = re.compile(
    r",? \(?(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|(?:at|from) \d{1,2}(?::\d\d| ?[ap]\.?m)|is an? holiday\b)",
    re.I,
)

_DURATION = (
    r"(?<![\w.:$£€-])"
    r"(?:\d{1,4}(?:\.\d{1,3})?\s?(?:d|days?|h|hrs?|hours?|m|mins?|minutes?)\.?(?:,? (?:and )?|(?=\d))){1,3}"
    r"\d{1,4}(?:\.\d{1,3})?\s?(?:h|hrs?|m|mins?|s|secs?|minutes?|seconds?)(?![\w°²³/'])"
)
"""At least two parts (`1h 25m`), of which the smaller follows."""
_MOVES = r"(?i:(\b(?:lands?|landed|landing|depart\w*|arriv\w*|leav\w+|board\w*|take-?off)(?: is)?(?: at| by)? ))"
_CLOCK = r"([01]\d|2[0-3])([0-5]\d)"
_PART = re.compile(r"(\d+(?:\.\d+)?)\s?([a-z]+)")
_PARTS = {"d": "day", "h": "hour", "m": "minute", "s": "second"}
CLOCK_WITH_STOP = r"(?<![\d.:$£€])(1[0-2]|0?[1-9])\.([0-5]\d)()\s?([AaPp])\.?[Mm](?:\b\.?)"
"""`5.30pm`, as in Britain; the empty group is where `time` looks for seconds."""
_MINUTES = r"(?<![\w.])(\d{1,3}(?:\.\d)?)\s?m(?= (?:left|remaining|ago|later|timer|delay|break|nap|snooze)\b)"
_MINUTES_AFTER = (
    r"(?i:\b(?:timer|wait|snooze)(?: for)? (\d{1,3})\s?m(?![\w°²³/'])"
    r"|\b(?:in|after|every) (\d{1,3})m(?=\s*(?:[.,!?]|$)))"
)


def _before(m: Match) -> str:
    return m.string[max(0, m.start() - _NEAR) : m.start()]


def _after(m: Match) -> str:
    return m.string[m.end() : m.end() + _NEAR]


def _count(n: int, name: str) -> str:
    return f"{cardinal(n)} {name}{'' if n == 1 else 's'}"


def date(of_year: str, month: str, day: str, whole: str) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return whole
    of = f", {year(of_year)}" if of_year else ""
    return f"{MONTHS[int(month) - 1]} {ordinal(str(int(day)))}{of}"


def short_date(m: Match, *, day_first: bool) -> str:
    of_year = f"20{m[3]}" if len(m[3]) == 2 else m[3]
    return date(of_year, *_in_order(m[1], m[2], day_first), m[0])


def month_and_day(m: Match, *, day_first: bool) -> str:
    """`12/02` and `12/20-12/27` where a zero or the words before say that they are dates."""
    if not (_is_date(m) and (words := date("", *_in_order(m[1], m[2], day_first), ""))):
        return m[0]
    if m[3] and (last := date("", *_in_order(m[3], m[4], day_first), "")):
        return f"{words} to {last}"
    return m[0] if m[3] else words


def _in_order(first: str, second: str, day_first: bool) -> tuple[str, str]:
    """Month and day. A number above twelve is the day, whatever the order."""
    turned = int(second) <= 12 if day_first else int(first) > 12
    return (second, first) if turned else (first, second)


def _is_date(m: Match) -> bool:
    if _after(m).startswith(" of "):
        return False
    if _DATE_AFTER.match(_after(m)):
        return True
    if m[1].startswith("0") or m[2].startswith("0") or m[3] or _UNTIL_DAY.search(_before(m)):
        return True
    return int(m[2]) > 10 and bool(_PERHAPS_DAY.search(_before(m)))


def time(m: Match) -> str:
    """`7:05`, `23:05`, `6:40:10 pm`; a running time where the words around say so."""
    hour, minute, second, half = int(m[1]), int(m[2]), int(m[3] or 0), (m[4] or "").upper()
    if not half and (_RUNNING.search(_before(m)) or _LEFT.match(_after(m)) or _is_spent(m)):
        return _running((hour, minute, second) if m[3] else (0, hour, minute))
    words = cardinal((hour - 1) % 12 + 1)
    if minute:
        words += f" {oh(minute)}"
    if second:
        words += f" and {_count(second, 'second')}"
    if half:
        return f"{words} {half} M{end_mark(m)}"
    return words + _half_of_day(m, hour, exact=not (minute or second))


def _is_spent(m: Match) -> bool:
    """Whether hours, minutes and seconds are a time that something took."""
    return bool(m[3]) and (int(m[1]) == 0 or _SPENT.search(_before(m)) is not None)


def _half_of_day(m: Match, hour: int, *, exact: bool) -> str:
    """What is said behind a time that is written without it."""
    if exact and 1 <= hour <= 12:
        return " o'clock"
    if _before(m).lower().endswith("the ") or _DAY_PART.search(_before(m)) or _DAY_PART.search(_after(m)):
        return ""
    return f" {'p' if hour >= 12 else 'a'}.m."


def _running(parts: tuple[int, int, int]) -> str:
    said = [_count(n, name) for n, name in zip(parts, ("hour", "minute", "second"), strict=True) if n]
    return " and ".join(said) or "zero seconds"


def end_mark(m: Match) -> str:
    """The full stop of `p.m.` ends the sentence only where nothing or a capital follows."""
    rest = m.string[m.end() : m.end() + _NEAR].lstrip()
    return "." if m[0].endswith(".") and (not rest or rest[0].isupper()) else ""


def half_day(m: Match) -> str:
    return f"{cardinal(int(m[1]))} {m[2].upper()} M{end_mark(m)}"


def duration(m: Match) -> str:
    parts = _PART.findall(m[0])
    told = [(n[0].strip("0") + n[1:], _PARTS[name[0]]) for n, name in parts if n.strip("0.")] or [
        ("0", _PARTS[parts[-1][1][0]])
    ]
    return " ".join(f"{decimal(n)} {name}{'' if n == '1' else 's'}" for n, name in told)


def hours_and_minutes(m: Match) -> str:
    """`1h30`."""
    minutes = f" {_count(int(m[2]), 'minute')}" if int(m[2]) else ""
    return f"{_count(int(m[1]), 'hour')}{minutes}"


def four_digits(m: Match) -> str:
    """`1605` and `0730 hours`: two pairs."""
    hour, minute = int(m[2]), int(m[3])
    start = f"zero {cardinal(hour)}" if m[2][0] == "0" and hour else cardinal(hour)
    return f"{m[1]}{start} {oh(minute) if minute else 'hundred'}"


def minutes(m: Match) -> str:
    amount = m[m.lastindex or 1]
    return f"{m[0][: m.start(m.lastindex or 1) - m.start()]}{decimal(amount)} minute{'' if amount == '1' else 's'}"


DURATIONS: tuple[tuple[str, Callable[[Match], str]], ...] = (
    (_DURATION, duration),
    (r"(?<![\w.:])(\d{1,2})h([0-5]\d)(?![\w:])", hours_and_minutes),
    (r"(?<![\w.:])(\d{1,2}):([0-5]\d) ?(?:h|hrs?|hours)\b", hours_and_minutes),
    (r"(?<![\w.:])(\d{1,2}):([0-5]\d) ?(?:mins?|minutes)\b", lambda m: _running((0, int(m[1]), int(m[2])))),
    (rf"{_MOVES}{_CLOCK}(?![\w:/-]|[.,]\d| [a-z]+s\b)", four_digits),
    (rf"(?<![\w:./-])(){_CLOCK}\s?(?:hours|hrs)\b", lambda m: f"{four_digits(m)} hours"),
    (_MINUTES, minutes),
    (_MINUTES_AFTER, minutes),
)
"""Before the times of day."""
