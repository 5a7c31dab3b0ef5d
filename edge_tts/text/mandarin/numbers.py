"""Digits to spoken Mandarin numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

Match = re.Match[str]

_DIGITS = "零一二三四五六七八九"
_SPELLED = str.maketrans("0123456789", _DIGITS)
_PLACES = ("", "十", "百", "千")
_GROUPS = ("", "万", "亿", "万亿")
LONGEST = 4 * len(_GROUPS)
"""Longer numbers have no name in daily use and are spelled."""


class Substitution(NamedTuple):
    """One rewriting of written into spoken text."""

    pattern: re.Pattern[str]
    speak: Callable[[Match], str]


def substitution(pattern: str, speak: Callable[[Match], str]) -> Substitution:
    return Substitution(re.compile(pattern), speak)


def spell(digits: str, *, one: str = "一") -> str:
    """Digit by digit; `one` is 幺 in telephone, room and order numbers."""
    return digits.translate(_SPELLED).replace("一", one)


def cardinal(digits: str) -> str:
    """ASCII digits as a quantity: 105 is 一百零五, 10 is 十. Leading zeros are ignored."""
    digits = digits.lstrip("0")
    if not digits:
        return "零"
    if len(digits) > LONGEST:
        return spell(digits)
    size = -(-len(digits) // 4) * 4
    padded = digits.zfill(size)
    groups = [padded[i : i + 4] for i in range(0, size, 4)]
    spoken, skipped = "", False
    for place, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True):
        if group == "0000":
            skipped = True
            continue
        if spoken and (skipped or group[0] == "0"):
            spoken += "零"
        # 一万亿 is followed by 亿 only once: 一万二千亿, not 一万亿二千亿.
        name = _GROUPS[place] if place != 3 or groups[1] == "0000" else "万"
        spoken += _below_ten_thousand(group) + name
        skipped = False
    return spoken[1:] if spoken.startswith("一十") else spoken


def number(text: str) -> str:
    """A quantity with an optional decimal part: 3.14 is 三点一四."""
    whole, _, part = text.partition(".")
    return cardinal(whole) + ("点" + spell(part) if part else "")


def code(digits: str) -> str:
    """A number that names: one or two digits as a quantity; more, or a leading zero, digit by digit with 幺."""
    if len(digits) > 1 and digits[0] == "0":
        return spell(digits, one="幺" if len(digits) > 2 else "一")
    return cardinal(digits) if len(digits) < 3 else spell(digits, one="幺")


def counted(text: str) -> str:
    """A number before a measure word: a lone 2 is 两, a leading zero is said."""
    if text == "2":
        return "两"
    return "零" + cardinal(text) if len(text) == 2 and text[0] == "0" else number(text)


def _below_ten_thousand(group: str) -> str:
    spoken, zero = "", False
    for place, digit in zip((3, 2, 1, 0), group, strict=True):
        if digit == "0":
            zero = bool(spoken)
            continue
        spoken += ("零" if zero else "") + _DIGITS[int(digit)] + _PLACES[place]
        zero = False
    return spoken
