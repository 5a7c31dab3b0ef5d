"""Month and day with a mark between them (12/31, 12-31, 5.1): a date where the words around say so.

12/31 is one without such words too, unless they make it a fraction (占12/31).
"""

from __future__ import annotations

import re

from edge_tts.text.mandarin.numbers import Match, Substitution, cardinal, substitution

_MONTH = "(?P<month>0?[1-9]|1[0-2])"
_DAY = "(?P<day>0?[1-9]|[12][0-9]|3[01])"
_REACH = 5
"""Characters looked back."""
_BEFORE = re.compile(
    "(?:日期|截止|截至|到期|[今明昨后前]天|[今明去]年|生日|假期|[改定订推提]迟?前?[到于在至]|(?:周|星期)[一二三四五六日天])[日是为于在到:：]?$"
)
_HOLIDAY = (
    "[到过]期|截[止至]|放假|假期|之?前(?![进后])|生日|开[学业幕]|国庆|元旦|圣诞|春节|活动|出发|结束"
    "|(?:劳动|儿童|情人|妇女|教师|植树|青年|建军|建党|万圣|愚人|光棍|护士|圣诞)节"
)
_AFTER = re.compile(
    f"[\x00(（]?(?:{_HOLIDAY}|开[始会工]|起|上线|发[布货]|送达|见面|交[付货]|入住|退房|体检|还款|更新|[早晚]上|[上下中]午|凌晨"
    "|周[一二三四五六日天末]|星期|[0-2]?[0-9][点:：]|[一二三四五六七八九十两]{1,3}点)"
)
"""After a slash."""
_AFTER_ANY = re.compile(f"[\x00(（]?(?:{_HOLIDAY})")
"""After a hyphen or point, which more often make a range or a decimal."""
_PART_BEFORE = re.compile("[占剩了约达为是近有满的吃喝用]$")
_PART_AFTER = re.compile("[的以毫mM×÷*+=%处圈杯页量]")


def _date(month: str, day: str) -> str:
    return f"{cardinal(month)}月{cardinal(day)}日"


def _short_date(match: Match) -> str:
    text, slash = match.string, match["mark"] == "/"
    before = text[max(0, match.start() - _REACH) : match.start()]
    after = (_AFTER if slash else _AFTER_ANY).match(text, match.end())
    if after or _BEFORE.search(before) or (slash and _no_fraction(match, before)):
        return _date(match["month"], match["day"])
    return match[0]


def _no_fraction(match: Match, before: str) -> bool:
    month, day = int(match["month"]), int(match["day"])
    if _PART_BEFORE.search(before) or _PART_AFTER.match(match.string, match.end()):
        return False
    return day > 12 or month > day or month == day > 9


def _range(match: Match) -> str:
    ends = re.findall("[0-9]+", match[0])
    to = match["to"] if match["to"] in "到至" else "至"
    return _date(*ends[:2]) + to + _date(*ends[2:])


_PLAIN = "(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12][0-9]|3[01])"
SHORT_DATES: tuple[Substitution, ...] = (
    substitution(rf"(?<![0-9/.-]){_PLAIN}(?P<to>[-~～—–至到]){_PLAIN}(?![0-9/.%])", _range),
    substitution(rf"(?<![0-9/.:$￥¥+-]){_MONTH}(?P<mark>[-/.]){_DAY}(?![0-9/.:%℃°-])", _short_date),
)
