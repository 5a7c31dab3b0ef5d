"""Whether four digits are a year or a quantity, by the words beside them."""

from __future__ import annotations

import re

from edge_tts.text.english.units import MONTHS

_NEAR = 32
_SAYS_YEAR = re.compile(
    r"\b(?:year|class|born|founded|built|since|circa|spring|summer|autumn|fall|winter|early|late|mid)"
    r"(?: in| of| is| was)?[ -]$",
    re.I,
)
_DATED = re.compile(rf"\b(?:{'|'.join(MONTHS)})(?: [\w-]+)?,? $")
_IN_YEAR = re.compile(r"\b(?:in|until|till|before|after|of|by)(?: the year)? $", re.I)
_SPAN = re.compile(r"\b(?:between|from) (?:\d{4} (?:and|to) )?$", re.I)
_SECOND_END = re.compile(r"\d{4} \w+ $")
_OTHER_END = re.compile(r" (?:and|to) \d{4}(?!\d)")
_SAYS_QUANTITY = re.compile(
    r"\b(?:about|over|under|nearly|almost|exactly|only|than|least|most|has|have|had|costs?|is|are|at|reads|reached|hit|"
    r"total|with|every|per|another|used|walked|burned|made|got|sold|weighs) (?:just |now |at )?$",
    re.I,
)
_AFTER_NAME = re.compile(r"\b(?:the|this|that|our|your|my|his|her|their|a|an) $", re.I)
_COUNTED = re.compile(
    r" (?!was\b|is\b|has\b|does\b|its\b|this\b|us\b|as\b|his\b|always\b)"
    r"(?:(?:[a-z]+ )?[a-z]{2,20}(?<!s)s\b(?!')|people\b|men\b|women\b|children\b|percent\b|feet\b|more\b|of\b)"
)


def is_year(m: re.Match[str]) -> bool:
    """Whether the digits of `m` are read in pairs. 1900 to 2099 are years unless they count something, 1001 to 1899 and
    2100 to 2999 are quantities unless a word in front says otherwise."""
    if len(m[0]) != 4 or not 1000 < int(m[0]) < 3000:
        return False
    before = m.string[max(0, m.start() - _NEAR) : m.start()]
    after = m.string[m.end() : m.end() + _NEAR]
    counted = bool(_COUNTED.match(after[other.end() :] if (other := _OTHER_END.match(after)) else after))
    if _SAYS_YEAR.search(before) or _DATED.search(before):
        return True
    if not 1900 <= int(m[0]) <= 2099:
        span = _SPAN.search(before) and (other or _SECOND_END.search(before))
        return bool(span or _IN_YEAR.search(before)) and not counted
    if counted:
        return bool(_AFTER_NAME.search(before) or before.lower().endswith("in "))
    return not _SAYS_QUANTITY.search(before)
