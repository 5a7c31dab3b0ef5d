"""Numbers with what they measure: ranges, money, temperatures, units, percentages, sums. Knows no dates and no codes.

A range step rewrites only what stands between its ends (and a first end without a unit), so that each end is then
spoken by the step of its own kind.
"""

from __future__ import annotations

from edge_tts.text.chinese_dates import TO
from edge_tts.text.chinese_numbers import Match, Step, cardinal, counted, number, step
from edge_tts.text.chinese_units import UNIT, unit_name

N = r"[0-9]{1,24}(?:\.[0-9]{1,24})?"
"""A number without a sign."""
START = r"(?<![0-9.])"
"""Not inside a number."""

_CURRENCIES = {
    "HK$": "港元", "US$": "美元", "NT$": "新台币", "$": "美元", "¥": "元", "￥": "元", "€": "欧元", "£": "英镑",
}  # fmt: skip
_CURRENCY = r"HK\$|US\$|NT\$|[$¥￥€£]"
_DEGREE = "℃|°[CF]|℉|摄氏度|华氏度|度|°"
_NUMBERED = "[日号月章楼级班路期集题版档]|年级|世纪"
"""What a range may span besides measure words; 2 stays 二 before these."""
_SCORE = "比分[^0-9!?。！？，,]{0,6}|[胜负平赢输以][^0-9!?。！？，,]{0,4}"


def quantities(measure: str) -> tuple[Step, ...]:
    """The steps; `measure` is the alternation of all measure words."""
    unit = f"(?:{_DEGREE}|[%‰]|{measure})"
    return (
        step(rf"{START}({N})({UNIT})", lambda m: m[1] + (unit_name(m[2]) or m[2])),
        *_sums(),
        step(rf"({START}{N}{unit}){TO}(?=-?{N}{unit})", lambda m: m[1] + "至"),
        step(rf"{START}({N})[-~～–—－]({N})(?=([%‰]))", lambda m: f"{m[1]}{m[3]}至{m[2]}"),
        step(rf"(-?){START}({N}){TO}(-?)({N})(?={_DEGREE})", _degrees),
        step(rf"{START}({N}){TO}(?={N}(?:{_NUMBERED}))", lambda m: number(m[1]) + "到"),
        step(rf"{START}({N}){TO}(?={N}(?:{measure}))", lambda m: counted(m[1]) + "到"),
        step(rf"({_CURRENCY})({N})([万亿]?)元?", lambda m: number(m[2]) + m[3] + _CURRENCIES[m[1]]),
        step(rf"{START}({N})([万亿]?)([$€£])", lambda m: number(m[1]) + m[2] + _CURRENCIES[m[3]]),
        step(rf"(-?){START}({N})({_DEGREE})", _temperature),
        step(rf"((?<=[0-9])(?:{measure})|元|千克|公斤|公里)/(?=[\u4e00-\u9fa5])", lambda m: m[1] + "每"),
        step(r"(?<![0-9/])([0-9]{1,24})/([0-9]{1,24})(?![0-9/])", lambda m: f"{cardinal(m[2])}分之{cardinal(m[1])}"),
        step(rf"((?<![0-9A-Za-z])-)?{START}({N})([%‰])", _share),
    )


def _sums() -> tuple[Step, ...]:
    """Scores, ratios and sums. A hyphen is a minus only where an equals sign follows."""
    return (
        step(rf"({_SCORE})([0-9]{{1,3}})[-:：]([0-9]{{1,3}})(?![0-9])", lambda m: f"{m[1]}{cardinal(m[2])}比{cardinal(m[3])}"),
        step(rf"{START}([0-9]{{1,6}})[:：∶]([0-9]{{1,6}})(?![0-9:：])", lambda m: f"{cardinal(m[1])}比{cardinal(m[2])}"),
        step(rf"{START}({N})-(?={N}(?:=|等于))", lambda m: number(m[1]) + "减"),
        step(rf"{START}({N})([+×÷*])(?={N})", lambda m: number(m[1]) + {"+": "加", "÷": "除"}.get(m[2], "乘")),
        step(rf"(?<=[加减乘除])({N})(?=[-+×÷*=]|等于)", lambda m: number(m[1])),
        step(rf"=(-?)({N})", lambda m: "等于" + ("负" if m[1] else "") + number(m[2])),
    )


def _degrees(found: Match) -> str:
    """The first end of a range of temperatures, with its sign; the second keeps its digits."""
    return ("零下" if found[1] else "") + number(found[2]) + "到" + found[3] + found[4]


def _temperature(found: Match) -> str:
    below = "零下" if found[3] != "°" else "负"
    name = {"°F": "华氏度", "℉": "华氏度", "摄氏度": "摄氏度", "华氏度": "华氏度"}.get(found[3], "度")
    return (below if found[1] else "") + number(found[2]) + name


def _share(found: Match) -> str:
    return ("负" if found[1] else "") + ("百分之" if found[3] == "%" else "千分之") + number(found[2])
