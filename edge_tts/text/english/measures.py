"""Quantities with a unit, and units alone."""

from __future__ import annotations

import re

from edge_tts.text.english.numbers import decimal, fraction, number
from edge_tts.text.english.units import LETTER_UNITS, PER, UNITS, alternatives

Match = re.Match[str]

STANDING = alternatives(
    unit for unit in UNITS if len(unit) > 1 and unit[1:] != unit[1:].lower() and unit != unit.upper()
)
"""Units with a capital inside: nothing else is written so."""
_SIZE = re.compile(r"\s*(?:[.,;!?)]|$)|\s(?:wide|long|tall|high|deep|thick|of)\b")
_ARTICLE = re.compile(r"\b(?:a|an|the|this|that|each|my|your) $", re.I)
_NOUN = re.compile(
    r" (?!(?:of|and|or|is|was|are|were|has|have|per|in|on|at|for|to|from|left|remaining|"
    r"ago|later|away|more|less)\b)[a-z]{3}"
)
_DESCRIBED = re.compile(
    r" (?:timer|break|walk|drive|delay|cable|cord|bulb|charger|bottle|bag|box|pack|jar|can|nap|video|rope|tank|fuse|"
    r"outlet|adapter|disk|card|screen|hike|ride|radius|range|limit|window|snooze|countdown|session|lesson|class|"
    r"meeting|call|warning)\b"
)
"""What a quantity describes also without an article."""
_NAMED = re.compile(
    r"\b(?:seat|row|gate|room|platform|apartment|apt|unit|flat|block|building|bus|line|route|section|group|class|plan|"
    r"terminal|hall|wing|zone|exit|track|grade|figure|page|number|house|door|floor|option|no|"
    r"exhibit|level|model|type|size|phase|iphone)\b\W{0,2}$",
    re.I,
)


def part_of_unit(m: Match) -> str:
    if m[4] and not _is_unit(m, m[5]):
        return m[0]
    part = "a half" if m[1] and (m[2], m[3]) == ("1", "2") else fraction(m[2], m[3])
    return f"{number(m[1])} and {part} {UNITS[m[5]][1]}" if m[1] else f"{part} {UNITS[m[5]][0]}"


def unit(m: Match) -> str:
    amount, joint, short, per = m[1], m[2], m[3], m[4]
    hyphened = joint == "-"
    if not _is_unit(m, short, glued=not joint) or (hyphened and (short == "in" or short in LETTER_UNITS)):
        return m[0]
    one = amount == "1" or hyphened or describes(m)
    words = f"{decimal(amount)} {UNITS[short][0 if one else 1]}"
    return f"{words} per {PER[per]}" if per else words


def _is_unit(m: Match, unit: str, *, glued: bool = False) -> bool:
    """Whether `unit` behind the number is one: `in` is a word and `A` a name in most places."""
    rest = m.string[m.end() : m.end() + 12]
    if unit == "in" and not glued:
        return not rest or bool(_SIZE.match(rest))
    if unit == "K" and len(m[1]) < 4:
        return False  # 4K
    if unit in LETTER_UNITS:
        return not _NAMED.search(m.string[max(0, m.start() - 20) : m.start()])
    return True


def describes(m: Match) -> bool:
    """Whether the quantity describes a noun: a 60 watt bulb."""
    before, after = m.string[max(0, m.start() - 9) : m.start()], m.string[m.end() : m.end() + 12]
    return bool(_DESCRIBED.match(after) or (_ARTICLE.search(before) and _NOUN.match(after)))


def lone_unit(m: Match) -> str:
    return UNITS[m[1]][1] + (f" per {PER[m[2]]}" if m[2] else "")
