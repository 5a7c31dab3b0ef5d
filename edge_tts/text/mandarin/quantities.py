"""Numbers with what they measure: ranges, money, temperatures, units, percentages, sums.

A range step rewrites only the separator (and a first end without a unit); each end is then spoken by the step of its
own kind.
"""

from __future__ import annotations

import re
import unicodedata

from edge_tts.text.mandarin.dates import TO, joint
from edge_tts.text.mandarin.numbers import Match, Substitution, cardinal, counted, number, spell, substitution
from edge_tts.text.mandarin.units import UNIT, unit_name

N = r"[0-9]{1,24}(?:\.[0-9]{1,24})?"
"""A number without a sign."""
_RATIO = r"[0-9]{1,6}(?:\.[0-9]{1,4})?"
START = r"(?<![0-9.])"
"""Not inside a number."""

_CURRENCIES = {
    "HK$": "港元", "US$": "美元", "NT$": "新台币", "$": "美元", "¥": "元", "￥": "元", "€": "欧元", "£": "英镑",
}  # fmt: skip
_CURRENCY = r"HK\$|US\$|NT\$|[$¥￥€£]"
_DEGREE = "℃|°[CF]|℉|摄氏度|华氏度|度|°"
_NUMBERED = "[日号月章楼级班路期集题版档]|年级|世纪"
"""What a range may span besides measure words; 2 stays 二 before these."""
_OPERATORS = {"+": "加", "-": "减", "×": "乘", "*": "乘", "÷": "除以", "/": "除以"}
_VERSUS = "(?:比[分例率]|配比|赔率)[^0-9!?。！？，,]{0,6}|[胜负平赢输以][^0-9!?。！？，,]{0,4}"
_DECIDED = "[大小]?[胜负赢输]|战[平胜]|击败|领先|落后|晋级|告负|平局"
SCORES = (
    substitution(
        rf"(?<![0-9./:-])([0-9]{{1,3}})[-:：]([0-9]{{1,3}})(?=(?:的比分)?(?:{_DECIDED}))",
        lambda m: f"{cardinal(m[1])}比{cardinal(m[2])}",
    ),
    substitution(
        rf"({_VERSUS})(?<![0-9])([0-9]{{1,4}})[-:：]([0-9]{{1,4}})(?![0-9:：])",
        lambda m: f"{m[1]}{cardinal(m[2])}比{cardinal(m[3])}",
    ),
)
"""Before the times of day, which look the same."""


def quantities(measure: str) -> tuple[Substitution, ...]:
    """The steps; `measure`: alternation of all measure words."""
    unit = f"(?:{_DEGREE}|[%‰]|{measure})"
    return (
        substitution(
            "(?<=血压)([是为:：约]{0,2})([0-9]{2,3})/([0-9]{2,3})(?!mmHg|毫米汞柱)",
            lambda m: f"{m[1]}{cardinal(m[2])},{cardinal(m[3])}",
        ),
        substitution("(?<![0-9])([0-9]{2,3})/([0-9]{2,3})(?=mmHg|毫米汞柱)", lambda m: f"{cardinal(m[1])},{m[2]}"),
        substitution(rf"满({N})([减送返赠])({N})", lambda m: f"满{number(m[1])}{m[2]}{number(m[3])}"),
        substitution(rf"{START}({N})({UNIT})", lambda m: m[1] + (unit_name(m[2]) or m[2])),
        substitution(rf"(?<=每)({UNIT})|(?<=[\u4e00-\u9fa5])/({UNIT})", _per),
        substitution(rf"{START}([0-9])米([0-9]{{2}})(?![0-9.米])", lambda m: f"{counted(m[1])}米{spell(m[2])}"),
        *_sums(),
        substitution(r"(?<=[年月日号])[-~～–—](?=[0-9零一二三四五六七八九十])", lambda m: "至"),
        substitution(rf"({START}{N}{unit}){TO}(?=-?{N}{unit})", lambda m: m[1] + joint(m[2], "至")),
        substitution(rf"{START}({N})[-~～–—－]({N})(?=([%‰]))", lambda m: f"{m[1]}{m[3]}至{m[2]}"),
        substitution(rf"(-?){START}({N}){TO}(-?)({N})(?={_DEGREE})", _degrees),
        substitution(rf"{START}({N}){TO}(?={N}(?:{_NUMBERED}))", lambda m: number(m[1]) + joint(m[2], "到")),
        substitution(rf"{START}({N}){TO}(?={N}(?:{measure}))", lambda m: counted(m[1]) + joint(m[2], "到")),
        substitution(rf"({_CURRENCY})({N})([万亿]?)元?", lambda m: number(m[2]) + m[3] + _CURRENCIES[m[1]]),
        substitution(rf"{START}({N})([万亿]?)([$€£])", lambda m: number(m[1]) + m[2] + _CURRENCIES[m[3]]),
        substitution(rf"(?:华氏)?(-?){START}({N})({_DEGREE})", _temperature),
        substitution(rf"((?<=[0-9])(?:{measure})|元|千克|公斤|公里)/(?=[\u4e00-\u9fa5])", lambda m: m[1] + "每"),
        substitution("(?<=[0-9])/(?=小时|分钟|[年月天周晚人次台件斤])", lambda m: "每"),
        substitution(
            rf"((?<![0-9A-Za-z])-)?(?:{START}([0-9]{{1,8}})\x00)?(?<![0-9/])([0-9]{{1,24}})/([0-9]{{1,24}})(?![0-9/])",
            _fraction,
        ),
        substitution(rf"((?<![0-9A-Za-z])-)?{START}({N})([%‰])", _share),
    )


def _sums() -> tuple[Substitution, ...]:
    """Ratios and sums. A hyphen is a minus only where an equals sign follows."""
    return (
        substitution(
            rf"{START}({_RATIO})[:：∶]({_RATIO})(?![0-9:：]|\.[0-9])", lambda m: f"{number(m[1])}比{number(m[2])}"
        ),
        substitution(
            rf"(?:(?<![0-9A-Za-z])-)?{START}{N}(?:(?:[-+×÷*/]{N}){{1,20}}(?==|等于)|(?:[+×÷*]{N}){{1,20}})", _sum
        ),
        substitution(
            "(?:(?<=[0-9])|(?<![^，。！？,.!?；;：:]))[<>＜＞](?=[0-9])", lambda m: "小于" if m[0] in "<＜" else "大于"
        ),
        substitution(rf"=(-?)({N})", lambda m: "等于" + ("负" if m[1] else "") + number(m[2])),
        substitution(r"(?:\^(-)?|(?=[⁻⁰¹²³⁴-⁹])(⁻)?)([0-9⁰¹²³⁴-⁹]{1,4})", _power),
    )


def _power(match: Match) -> str:
    exponent = unicodedata.normalize("NFKC", match[3])
    return f"的{'负' if match[1] or match[2] else ''}{cardinal(exponent)}次方"


def _sum(match: Match) -> str:
    terms = match[0].removeprefix("-")
    sign = "" if terms == match[0] else "负"
    return sign + re.sub(rf"{N}|[-+×÷*/]", lambda m: _OPERATORS.get(m[0]) or number(m[0]), terms)


def _degrees(match: Match) -> str:
    """The first end of a temperature range, with its sign; the second keeps its digits."""
    return ("零下" if match[1] else "") + number(match[2]) + joint(match[3], "到") + match[4] + match[5]


def _temperature(match: Match) -> str:
    """Degrees of heat (零下 below zero) or of an angle."""
    below = "零下" if match[3] != "°" else "负"
    name = {"°F": "华氏度", "℉": "华氏度", "摄氏度": "摄氏度", "华氏度": "华氏度"}.get(match[3], "度")
    name = "华氏度" if match[0].startswith("华氏") else name
    return (below if match[1] else "") + number(match[2]) + name


def _per(match: Match) -> str:
    """A unit symbol without a number: 每kg, 元/kg."""
    if match[1]:
        return unit_name(match[1]) or match[1]
    return "每" + (unit_name(match[2]) or match[2])


def _fraction(match: Match) -> str:
    """A fraction; a whole number before it is joined with 又."""
    sign, whole = "负" if match[1] else "", f"{cardinal(match[2])}又" if match[2] else ""
    return f"{sign}{whole}{cardinal(match[4])}分之{cardinal(match[3])}"


def _share(match: Match) -> str:
    return ("负" if match[1] else "") + ("百分之" if match[3] == "%" else "千分之") + number(match[2])
