"""Parts of a whole: tasks done, points of a test, steps. What is measured in cups or miles stays a fraction."""

from __future__ import annotations

import re
from collections.abc import Callable

from edge_tts.text.english.numbers import decimal, number

Match = re.Match[str]
Rule = tuple[str, Callable[[Match], str]]

_NUMBERS = r"(\d{1,3})/(\d{1,3})(?![\d/]|\.\d| of\b)"
_STEP = "question|progress|episode|step|page|part|lap|set|round|lesson|level"
_POINTS = "score[ds]?|got|rating|rated|rate|quiz|exam|test|tasks"
_MEASURES = "cups|inches|miles|teaspoons|tablespoons|ounces|pounds|hours|minutes|liters|meters|votes|times"


def _of(m: Match) -> str:
    return f"{m[1]}{number(m[2])} of {number(m[3])}"


def _out_of(m: Match) -> str:
    return f"{number(m[1])} out of {number(m[2])}"


def _points(m: Match) -> str:
    return f"{m[1]}{number(m[2])} out of {number(m[3])}"


THOUSANDS: Rule = (
    r"(?<![\d/])(\d{1,3}(?:,\d{3})+)/(\d{1,3}(?:,\d{3})+)(?![\d/])",
    lambda m: f"{m[1]} of {m[2]}",
)
"""Before the commas go."""
WITH_UNIT: Rule = (
    r"(?<![\d/.])(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)(?=\s?(?:[KMGT]B|[kM]?Wh|L)\b)",
    lambda m: f"{decimal(m[1])} of {m[2]}",
)
"""Before the units."""
RULES: tuple[Rule, ...] = (
    (rf"(?i:(\b(?:{_STEP})(?: is| was|:)? )){_NUMBERS}", _of),
    (r"(?<![\d/.])(\d{1,3})/(10)(?![\d/]|\.\d| (?:of|cup|inch|mile|second)\b)", _out_of),
    (rf"(?<![\d/.])(\d{{1,3}})/(\d{{1,3}})(?= (?!{_MEASURES})[a-z]{{2,20}}(?<!s)s\b)", _out_of),
    (rf"(?i:(\b(?:{_POINTS})(?: is| was|:)?(?: an?)? )){_NUMBERS}", _points),
)
