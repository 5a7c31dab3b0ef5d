"""Abbreviations with a full stop in full: titles, streets, `Vol. 3`, `e.g.`"""

from __future__ import annotations

import re

Match = re.Match[str]

_TITLES = {
    "Dr": "Doctor", "Prof": "Professor", "Capt": "Captain", "Sgt": "Sergeant", "Lt": "Lieutenant", "Col": "Colonel",
    "Gen": "General", "Gov": "Governor", "Sen": "Senator", "Rev": "Reverend", "St": "Saint", "Mt": "Mount",
    "Ft": "Fort", "Mr": "Mr", "Mrs": "Mrs", "Ms": "Ms",
}  # fmt: skip
_BARE = frozenset(["Mr", "Mrs", "Ms"])
"""Never followed by a pause."""
_STREETS = {
    "Dr": "Drive", "St": "Street", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane", "Ct": "Court",
    "Pl": "Place", "Sq": "Square", "Hwy": "Highway", "Pkwy": "Parkway", "Ter": "Terrace", "Cir": "Circle",
}  # fmt: skip
_COUNTED = {
    "vol": "volume", "no": "number", "nos": "numbers", "nr": "number", "fig": "figure", "ch": "chapter", "p": "page",
    "pp": "pages", "pg": "page", "ep": "episode", "pt": "part", "art": "article", "rm": "room", "bldg": "building",
    "fl": "floor", "lvl": "level", "apt": "apartment", "ste": "suite", "ext": "extension", "tel": "telephone",
    "ver": "version", "sec": "section",
}  # fmt: skip
"""Only in front of a number."""
_WORDS = {
    "Ph.D.": "P H D", "Apt.": "Apartment", "ext.": "extension", "incl.": "including", "excl.": "excluding",
    "Jr.": "Junior", "Sr.": "Senior", "vs.": "versus", "vs": "versus", "approx.": "approximately",
    "dept.": "department", "i.e.": "that is", "e.g.": "for example", "w/o": "without", "w/": "with",
    "etc.": "et cetera", "temp.": "temperature", "max.": "maximum", "min.": "minimum", "avg.": "average",
    "appt.": "appointment", "est.": "estimated", "Inc.": "Incorporated", "Ltd.": "Limited", "Corp.": "Corporation",
    "Co.": "Company", "YoY": "year over year", "QoQ": "quarter over quarter",
}  # fmt: skip
_SPOKEN = {written.lower(): said for written, said in _WORDS.items()}
_STARTERS = frozenset("The A An It This That He She We They I You Turn Please There No Yes My Your Our And But".split())


def _any(words: dict[str, str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


_WORD = re.compile(rf"(?<!\w)(?<!\w\.)(?<![\d/])(?!(?<=\d )(?i:min|max)\b)(?:{_any(_WORDS)})(?!\w)", re.IGNORECASE)
_NUMBERED = re.compile(rf"(?<!\w)(?<!\w\.)({_any(_COUNTED)})(\.?)\s?(?=\d)", re.IGNORECASE)
_TITLE = re.compile(rf"(?<!\w)(?<!\w\.)({_any(_TITLES | _STREETS)})\b(\.?)(?![\w.'-])")
_NAME = re.compile(r"(?:\d(?:st|nd|rd|th)|\b[A-Z][a-z]+) $")
_FIRST = re.compile(r"(?:^|[.!?]\s)\W*[A-Z][a-z]+ $")
_HOUSE = re.compile(r"\d[A-Z]?(?: [A-Z][a-z]+){1,3} $")
_COMPASS = {"N": "North", "S": "South", "E": "East", "W": "West"}
_COMPASS |= {a + b: _COMPASS[a] + _COMPASS[b].lower() for a in "NS" for b in "EW"}
_HEADING = re.compile(
    r"\b([NS][EW]|[NSEW])\.? (?=(?:\d{1,3}(?:st|nd|rd|th)|[A-Z][a-z]+)(?: [A-Z][a-z]+)? "
    rf"(?:{_any(_STREETS)}|{'|'.join(_STREETS.values())})\b)"
)
"""`123 E. 5th St.`"""
_WIND = re.compile(r"((?i:\bwinds?:? (?:is |are )?(?:from (?:the )?)?))([NSEW]{1,3})\b(?!\.)")
_NAMED_NO = re.compile(
    r"(?i:\b(ticket|order|room|house|account|item|invoice|case|part|serial|model|bus|train|flight|gate|platform|lot|unit|apartment|"
    r"locker|table|seat|size|batch|file|job|exercise|question|chapter|lesson)) no\. ?(?=\d)"
)
_INCHES = re.compile(r"(?<=\d)\s?in\.(?=[, ]+[a-z0-9])")
_UNIT_STOP = re.compile(
    r"(?<=\d)(\s?(?:min|mins|hr|hrs|sec|secs|ft|in|oz|lb|lbs|yd|mi|kg|km|cm|mm))\.(?=[, ]+[a-z0-9])"
)


def say_abbreviations(text: str) -> str:
    """`text` with its abbreviations in words."""
    text = _UNIT_STOP.sub(r"\1", _INCHES.sub(" inches", text))
    text = _WIND.sub(lambda m: m[1] + " ".join(_COMPASS[c] for c in re.findall("[NS][EW]|[NSEW]", m[2])).lower(), text)
    text = _HEADING.sub(lambda m: f"{_COMPASS[m[1]]} ", _NAMED_NO.sub(r"\1 number ", text))
    text = _NUMBERED.sub(_numbered, text)
    return _WORD.sub(_word, _TITLE.sub(_title, text))


def _numbered(m: Match) -> str:
    written = m[1]
    if not m[2] and (written.islower() or written.lower() not in {"no", "vol", "apt", "rm"}):
        return m[0]  # "no 5" and "Ch 5" are no abbreviations
    if written in {"sec", "art", "pt"}:
        return m[0]
    if written == "no" and m[0][-1] != ".":
        return m[0]  # "no. 5" may end a sentence
    said = _COUNTED[written.lower()]
    return f"{said.capitalize() if written[0].isupper() and written != 'No' else said} "


def _title(m: Match) -> str:
    """A street behind a name, a title in front of one."""
    short, rest = m[1], m.string[m.end() : m.end() + 24]
    before = m.string[max(0, m.start() - 60) : m.start()]
    if short in _STREETS and _is_street(short, before, rest):
        return _STREETS[short] + (m[2] if not rest.strip() or _starts_sentence(rest) else "")
    if short in _BARE or (short in _TITLES and (m[2] or short in {"Dr", "St"}) and _names(rest)):
        return _TITLES[short]
    if short == "Dr" and m[2]:
        return "Doctor" + m[2] * (not rest.strip())
    return m[0]


def _names(rest: str) -> bool:
    return bool(re.match(r" ?[A-Z]", rest))


def _starts_sentence(rest: str) -> bool:
    word = re.match(r"\s+([A-Z][a-z]*)\b", rest)
    return bool(word and word[1] in _STARTERS)


def _is_street(short: str, before: str, rest: str) -> bool:
    if not _NAME.search(before):
        return False
    if short not in _TITLES or not _names(rest) or _starts_sentence(rest) or _HOUSE.search(before):
        return True
    return short == "St" and not _FIRST.search(before)


def _word(m: Match) -> str:
    written, said = m[0], _SPOKEN[m[0].lower()]
    if written[0].islower() and said[0].isupper() and said != "P H D":
        return written
    if written[0].isupper() and said[0].islower() and not written.startswith(("I", "E")):
        said = said.capitalize()
    return said if m.string[m.end() : m.end() + 9].strip() else f"{said}."
