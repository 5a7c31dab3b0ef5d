"""Dates and times of day: years digit by digit, the rest as quantities."""

from __future__ import annotations

from edge_tts.text.mandarin.numbers import Match, Substitution, cardinal, counted, spell, substitution
from edge_tts.text.mandarin.short_dates import SHORT_DATES

TO = "([-~～〜–—－−至到])"
"""Separator of a range; a group, because a written word is kept."""

_DAY = "(0?[1-9]|[12][0-9]|3[01])"
_MONTH = "(0?[1-9]|1[0-2])"
_YEAR = "(1[0-9]{3}|2[01][0-9]{2})"
_TIME = "([01]?[0-9]|2[0-4])[:：]([0-5][0-9])(?:[:：]([0-5][0-9]))?"
_ALONE, _END = r"(?<![0-9])(?<![0-9][:：.])", "(?![0-9:：])"


_SPENT = "((?:[用耗历]时|时长|[用花]了|还剩|剩余|倒?计时|成绩)[是为约:：]{0,2})"
"""Before minutes and seconds. With an hour in front upstream's reading (一点二十三分四十五秒) is kept."""


def joint(written: str, spoken: str) -> str:
    """What is said between the ends of a range: `spoken` for a sign, a word as written."""
    return written if written in "至到" else spoken


def _date(match: Match) -> str:
    return f"{spell(match[1])}年{cardinal(match[3])}月{cardinal(match[4])}日"


def _years(match: Match) -> str:
    return f"{spell(match[1])}{joint(match[2], '到')}{spell(match[3])}"


def _time(hour: str, minute: str, second: str | None) -> str:
    """On the hour, half past, or minutes with 零 below ten; seconds likewise."""
    spoken = ("两" if int(hour) == 2 else cardinal(hour)) + "点"
    if second is not None and int(second):
        return spoken + _sixtieths(minute) + "分" + _sixtieths(second) + "秒"
    if minute == "30":
        return spoken + "半"
    return spoken + (_sixtieths(minute) + "分" if int(minute) else "")


def _sixtieths(digits: str) -> str:
    return "零" + spell(digits[1]) if digits[0] == "0" and digits[1] != "0" else cardinal(digits)


def _duration(match: Match) -> str:
    """Minutes and seconds; what is zero is left out."""
    named = ((str(int(n)), name) for n, name in ((match[2], "分"), (match[3], "秒")) if int(n))
    return match[1] + ("".join(counted(n) + name for n, name in named) or "零秒")


def _range(match: Match) -> str:
    return _time(match[1], match[2], match[3]) + joint(match[4], "至") + _time(match[5], match[6], match[7])


DATES: tuple[Substitution, ...] = (
    substitution(rf"(?<![0-9]){_YEAR}([-/.]){_MONTH}\2{_DAY}(?![0-9])日?", _date),
    *SHORT_DATES,
    substitution(rf"(?<![0-9]){_YEAR}年?{TO}{_YEAR}(?=年)", _years),
    substitution(rf"(?<![0-9]){_YEAR}([-~～–]){_YEAR}(?![0-9])", _years),
    # 1000年 is a thousand years; 2000年 is a year.
    substitution(rf"(?<![0-9])(?!1000){_YEAR}(?=年)", lambda m: spell(m[1])),
    # People born in a decade: 九零后.
    substitution("(?<![0-9第到达至过满])([0-9][05])(?=后(?:$|[^来面方续]))", lambda m: spell(m[1])),
    # Two digits are a year where a month follows or a zero leads, and late in a century; 20年 is twenty years.
    substitution(rf"(?<![0-9])([0-9]{{2}})(?=年{_MONTH}月)|(?<![0-9])(0[0-9])(?=年)", lambda m: spell(m[0])),
    substitution("(?<![0-9第了近约过满达有])([89][0-9])(?=年(?![前后来间内以之多代]))", lambda m: spell(m[1])),
    substitution(rf"(?<![0-9]){_MONTH}月{_DAY}(?=[日号])", lambda m: f"{cardinal(m[1])}月{cardinal(m[2])}"),
)
TIMES: tuple[Substitution, ...] = (
    substitution(rf"{_SPENT}(?:00?[:：])?([0-9]{{1,2}})[:：]([0-5][0-9]){_END}", _duration),
    substitution(_ALONE + _TIME + TO + _TIME + _END, _range),
    substitution(_ALONE + _TIME + _END, lambda m: _time(m[1], m[2], m[3])),
    substitution(r"(?<=[0-9]点)0([1-9])(?=分)", lambda m: "零" + spell(m[1])),
)
