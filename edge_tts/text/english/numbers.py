"""Numbers in English words, from digits.

Hyphens and commas are those of ordinary spelling ("twelve thousand, three hundred forty-five").
"""

from __future__ import annotations

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
LONGEST = 15
"""Digits; longer strings are codes and are read digit by digit."""


def digits(text: str) -> str:
    return " ".join(ONES[int(c)] for c in text if c.isdecimal())


def _below_100(n: int) -> str:
    if n < 20:
        return ONES[n]
    return _TENS[n // 10] + (f"-{ONES[n % 10]}" if n % 10 else "")


def _below_1000(n: int, joint: str) -> str:
    words = [f"{ONES[n // 100]} hundred"] if n >= 100 else []
    if n % 100 or not words:
        words.append(_below_100(n % 100))
    return joint.join(words)


def cardinal(n: int, joint: str = " ") -> str:
    """`n` (0 to 10^18) with commas between the groups of three, none before a last group under one hundred.

    `joint` precedes tens and ones: " " or " and ".
    """
    if n < 1000:
        return _below_1000(n, joint)
    groups, rest, scale = [], n, 0
    while rest:
        rest, group = divmod(rest, 1000)
        if group:
            groups.append(f"{_below_1000(group, joint)} {_SCALES[scale]}".strip())
        scale += 1
    groups.reverse()
    if 0 < n % 1000 < 100:
        last = groups.pop()
        return f"{', '.join(groups)}{joint}{last}"
    return ", ".join(groups)


def in_pairs(n: int) -> str:
    """A year-like number, 1001 to 2999: nineteen ninety-eight, nineteen oh five, twenty-five hundred."""
    century, rest = divmod(n, 100)
    if 2000 <= n < 2010:
        return cardinal(n)
    if not rest:
        return f"{_below_100(century)} hundred"
    return f"{_below_100(century)} {oh(rest)}"


def number(text: str) -> str:
    """A run of digits as commonly read: leading zeros and very long runs digit by digit."""
    if len(text) > LONGEST or (len(text) > 1 and text.startswith("0")):
        return digits(text)
    return cardinal(int(text))


def year(text: str) -> str:
    """A year: 1001 to 2999 in pairs, others as numbers."""
    return in_pairs(int(text)) if len(text) == 4 and 1000 < int(text) < 3000 else number(text)


def label(text: str) -> str:
    """The number of a room, flight or street: three oh two, twelve thirty-four; five digits and more one by one."""
    if not 3 <= len(text) <= 4 or text.startswith("0") or text.endswith("000"):
        return digits(text) if len(text) > 4 else number(text)
    hundreds, rest = divmod(int(text), 100)
    if not rest:
        return f"{_below_100(hundreds)} hundred"
    return f"{_below_100(hundreds)} {oh(rest)}"


def oh(n: int) -> str:
    """Two digits behind others: oh five, forty."""
    return f"oh {ONES[n]}" if n < 10 else _below_100(n)


def decimal(text: str) -> str:
    """`12.75`: the whole part as a number, then each digit."""
    whole, _, fraction = text.partition(".")
    words = number(whole) if whole else "zero"
    return f"{words} point {digits(fraction)}" if fraction else words


def to_ordinal(words: str) -> str:
    """The ordinal of number words: twenty-one -> twenty-first."""
    start = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[start:]
    if last in _IRREGULAR_ORDINALS:
        last = _IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = f"{last[:-1]}ieth"
    else:
        last = f"{last}th"
    return words[:start] + last


def ordinal(text: str) -> str:
    """The ordinal of a run of digits: one hundred and first."""
    return to_ordinal(cardinal(int(text), " and ") if len(text) <= LONGEST else digits(text))


def plural(words: str) -> str:
    """The plural of number words: nineties, two thousands, sixes."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith(("x", "s")) else f"{words}s"


def fraction(above: str, below: str) -> str:
    """`3/4`: three fourths; `over` for denominators beyond 100 and below 2, and for what is no part (120/80)."""
    n, d = int(above[:LONGEST]), int(below[:LONGEST])
    if d < 2 or d > 100 or n > d > 10:
        return f"{number(above)} over {number(below)}"
    words = "half" if d == 2 else to_ordinal(cardinal(d))
    if n != 1:
        words = "halves" if d == 2 else f"{words}s"
    return f"{number(above)} {words}"
