"""Written Mandarin to spoken Mandarin: the order of the steps.

Each step rewrites what it recognises into ideographs that later steps do not see: the order is part of the rules. Long
runs of digits are cut first and every expression is bounded: time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from edge_tts.text.mandarin.characters import simplify, speak_symbols
from edge_tts.text.mandarin.codes import CODES, ORDINALS, counts
from edge_tts.text.mandarin.dates import DATES, TIMES
from edge_tts.text.mandarin.numbers import LONGEST, Substitution, cardinal, spell, substitution
from edge_tts.text.mandarin.quantities import SCORES, quantities
from edge_tts.text.mandarin.units import measure_words
from edge_tts.text.trace import Trace

_BLANK = r"[ \t\r\f\v\u00a0\u2000-\u200f\u3000\ufeff]+"
_APART = "\x00"
"""Separates numbers that had a blank between them; dropped at the end."""
_BLANKS: tuple[Substitution, ...] = (
    substitution(r"(?<![0-9])(1[3-9][0-9])[ -]([0-9]{4})[ -]([0-9]{4})(?![0-9])", lambda m: m[1] + m[2] + m[3]),
    substitution(rf"(?<=[0-9]){_BLANK}(?=[0-9])", lambda m: _APART),
    substitution(_BLANK, lambda m: ""),
    substitution(
        r"(?<![0-9,$¥￥€£+-])[0-9]{1,3}(?:,[0-9]{3}){1,5}(?=[^0-9A-Za-z,.%‰℃°~～/:+*×÷=-]|$)",
        lambda m: cardinal(m[0].replace(",", "")),
    ),
    substitution(r"(?<![0-9,])[0-9]{1,3}(?:,[0-9]{3}){1,5}(?![0-9,])", lambda m: m[0].replace(",", "")),
    substitution(r"(?<=[0-9一二三四五六七八九十日])[)）](?=[0-9])", lambda m: ","),
    substitution(r"([#*])号?(?=键)", lambda m: "井号" if m[1] == "#" else "星号"),
    substitution(rf"[0-9]{{{LONGEST + 1},}}", lambda m: spell(m[0], one="幺")),
)


class MandarinNormalizer:
    def __init__(self, *, simplified: Mapping[int, str], has_reading: Callable[[str], bool]) -> None:
        """`simplified`: for str.translate; `has_reading`: of an ideograph."""
        self._simplified = simplified
        self._has_reading = has_reading
        measure = "|".join(map(re.escape, measure_words()))
        self._steps = (*_BLANKS, *SCORES, *DATES, *TIMES, *ORDINALS, *quantities(measure), *CODES, *counts(measure))

    def normalize(self, text: str, trace: Trace | None = None) -> str:
        """Spoken text of ideographs and the marks `! ? … , .`; empty when nothing can be spoken. Never raises.

        `trace`: gets a note of every rewriting.
        """
        text = simplify(text, self._simplified)
        for pattern, speak in self._steps:
            text = pattern.sub(speak if trace is None else trace.watch(speak), text)
        return speak_symbols(text, self._has_reading)
