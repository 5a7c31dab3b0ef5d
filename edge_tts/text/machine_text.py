"""HTML entities and tags, time stamps and durations to what a person would type.

Templates, feeds and calendars send them. Every expression is bounded: time is linear.
"""

from __future__ import annotations

import html
import re

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_TAG = re.compile(
    r"</?(?:a|b|big|code|div|em|font|h[1-6]|i|img|li|ol|p|small|span|strong|u|ul)"
    r"(?:\s{1,9}[a-z-]{1,30}=[^<>]{0,300})?\s?/?>"
)
_LINE_BREAK = re.compile(r"<br\s?/?>|</(?:p|div|li|h[1-6])>")
_TIME_STAMP = re.compile(
    r"(?<![\d-])(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?(?![\d:])"
)
_DURATION = re.compile(r"(?<=\d)(h|m|min)(?=\d{1,2}\s?(?:m|min|s|sec)\b)")


def plain(text: str) -> str:
    """`text` without entities and tags; a time stamp is its date and its time to the minute."""
    text = _ENTITY.sub(lambda m: html.unescape(m[0]), _TAG.sub("", _LINE_BREAK.sub("\n", text)))
    return _DURATION.sub(r"\1 ", _TIME_STAMP.sub(r"\1, \2", text))
