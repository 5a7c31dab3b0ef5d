"""Numbers that are names: what precedes them says whether they are read digit by digit, in pairs or as a number."""

from __future__ import annotations

import re
from collections.abc import Callable

from edge_tts.text.english.numbers import cardinal, digits, label

Match = re.Match[str]

_PARTED_BOOKS = "Samuel|Kings|Chronicles|Corinthians|Thessalonians|Timothy|Peter|John"
_BOOKS = (
    f"{_PARTED_BOOKS}|Genesis|Exodus|Leviticus|Deuteronomy|Joshua|Judges|Ruth|Ezra|Nehemiah|Esther|Job|Psalms?|Proverbs|"
    "Ecclesiastes|Isaiah|Jeremiah|Lamentations|Ezekiel|Daniel|Hosea|Joel|Amos|Micah|Matthew|Mark|Luke|Acts|Romans|"
    "Galatians|Ephesians|Philippians|Colossians|Titus|Hebrews|James|Jude|Revelation|Quran|Surah"
)
_LINK = r"(?:\s(?:is|was|are|number|no|code|to|of|in))?\s?[:#]?\s?"
_CODE = (
    "pin|passcode|password|code|otp|zip|postcode|serial|account|tracking|confirmation|reference|digits|ending|"
    "extension|ext|plate|registration|vin|sku|isbn|imei|iban|id"
)
_LABEL = (
    "room|suite|apartment|apt|flat|flight|train|bus|tram|route|highway|interstate|channel|locker|gate|error|studio|"
    "cabin|ward|lot|area|line|boeing|form|port|house"
)
_CALLED = "call|calls|called|calling|dial|dials|dialed|dialled|dialing|ring|phone|telephone|text|hotline|emergency"
_CALLING = re.compile(rf"\b(?:{_CALLED}|number|tel|fax)\b[^.!?]{{0,20}}$", re.I)
_STREET = "Street|St|Avenue|Ave|Road|Rd|Drive|Dr|Lane|Ln|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Highway|Hwy"
_MEASURED = r"(?!\s?[%°]| (?:ppm|lx|lm|kWh|Wh|kW|W|hPa|dB|minutes|hours|seconds|days|people|times|steps)\b)"
_COUNTED = r"(?! (?:[a-z]{3,20}s|people|percent)\b)(?!\s?[%°])"


def _spelled(m: Match) -> str:
    """Capitals, digits and dashes one by one, a dash as a pause."""
    parts = [" ".join(digits(c) if c.isdigit() else c for c in part) for part in re.split("[- ]", m[2]) if part]
    return m[1] + ", ".join(parts)


def _label(m: Match) -> str:
    letters = " ".join(m[2]) + " " if m[2] else ""
    last = f" to {label(m[4])}" if m[4] else ""
    return f"{m[1]}{letters}{label(m[3])}{last}"


def _local(m: Match) -> str:
    """`555-1234` where it is called; else it may be a range."""
    called = _CALLING.search(m.string[max(0, m.start() - 30) : m.start()])
    return f"{digits(m[1])}, {digits(m[2])}" if called else m[0]


def _number_at(group: int, say: Callable[[str], str]) -> Callable[[Match], str]:
    """The digits of that group said by `say`, what precedes them in the match kept."""
    return lambda m: m[0][: m.start(group) - m.start()] + say(m[group])


def _verses(m: Match) -> str:
    """Chapter and verse; read so, a time behind a name (`Mark 10:30`) is right as well."""
    last = f" to {cardinal(int(m[4]))}" if m[4] else ""
    return f"{m[1]}{cardinal(int(m[2]))} {cardinal(int(m[3]))}{last}"


VERSES: tuple[tuple[str, Callable[[Match], str]], ...] = (
    (rf"(?<![\w.])([123]) (?=(?:{_PARTED_BOOKS}) \d)", lambda m: f"{('First', 'Second', 'Third')[int(m[1]) - 1]} "),
    (
        rf"\b((?:{_BOOKS}) )(\d{{1,3}}):([1-9]\d{{0,2}})(?:\s?[-–]\s?(\d{{1,3}}))?(?![\d:]|\s?[ap]\.?m)",
        _verses,
    ),
)
RULES: tuple[tuple[str, Callable[[Match], str]], ...] = (
    (
        rf"(?i:\b((?:{_CODE}){_LINK}(?:is )?))"
        r"((?:[A-Z]{1,4}[ -])?[A-Z0-9]{0,12}\d[A-Z0-9]{0,16}(?:-[A-Z0-9]{1,12}){0,4}(?: \d{3,4}){0,3})"
        r"(?![\w.,]?\w|:)(?! (?:digits?|times)\b)",
        _spelled,
    ),
    (rf"(?i:\b(?:number|id|order|case|invoice|ticket)){_LINK}(\d{{5,15}})(?![\w.,]\d|\w)", _number_at(1, digits)),
    (r"(?<![\w.-])(\d{3})-(\d{4})(?![\w-])", _local),
    (
        rf"(?i:\b(?:{_CALLED})) (?:me |us |it |them )?(?:at |on |to )?(\d{{3,15}})(?![\w:/-]|[.,]\d){_COUNTED}",
        _number_at(1, digits),
    ),
    (
        rf"(?i:\b((?:order|ticket|invoice|case|job)(?: number)?\s#?))()(\d{{3,4}})()(?![\w:/-]|[.,]\d)"
        rf"{_MEASURED}{_COUNTED}",
        _label,
    ),
    (
        r"(?i:\b((?:order|ticket|invoice|case|job|booking|reference|claim|parcel)s?(?: number)?\s))"
        r"((?=[A-Z0-9]{0,3}[A-Z])[A-Z0-9]{1,4}-?\d{2,8})(?![\w:/-]|[.,]\d)",
        _spelled,
    ),
    (r"\b([Tt]he |[Aa] )()(7[0-8]7)()(?= (?:flew|flies|jet|plane|lands|landed|left|takes|took|from|is|was)\b)", _label),
    (r"\b((?:US|SR|CR|FM)[- ])()(\d{3})()(?![\w:/-]|[.,]\d)", _label),
    (rf"(?<![\w.,$£€#-])911(?![\w:/-]|[.,]\d){_COUNTED}", lambda m: digits(m[0])),
    (
        rf"(?i:\b((?:{_LABEL})s?(?: number)?\s#?))(?:([A-Z]{{1,2}})[ -]?)?(\d{{3,5}})(?:\s?[-–]\s?(\d{{3,5}}))?"
        rf"(?![\w:/-]|[.,]\d){_MEASURED}",
        _label,
    ),
    (
        r"(?<![\w.,:/$£€-])(\d{3,5})"
        rf"(?=[A-Z]?(?: (?:[A-Z][a-z]{{1,20}}|\d{{1,3}}(?:st|nd|rd|th))){{1,3}} (?:{_STREET})\b)",
        lambda m: label(m[1]),
    ),
)
"""Before every other rule that reads numbers."""
