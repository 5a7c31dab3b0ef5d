"""Which syllables of a Mandarin word lose their tone, by part of speech and word lists."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from edge_tts.text.mandarin.units import measure_words
from edge_tts.text.mandarin.words import Word

_PARTICLES = frozenset("吧呢啊呐嘛吖哦哒哟喽啰喔诶哩嘞耶")
DIGITS = frozenset("零〇一二三四五六七八九十百千万亿幺两")
_STRUCTURE = frozenset("的地得")
_DIRECTIONS = frozenset("上下进出回过起开")
_ALSO_COUNTED = frozenset("处事时日月字")
_BEFORE_GE = DIGITS | frozenset("几有半多各整每做是")


def _listed(kind: str) -> frozenset[str]:
    """The words of the lines that begin with `kind`."""
    text = (files("edge_tts.text") / "data" / "zh_tones.txt").read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines())
    return frozenset(word for first, *words in lines if first == kind for word in words)


class NeutralTones:
    def __init__(self) -> None:
        self._light = _listed("light")
        self._full = _listed("full")
        self._counted = frozenset(measure_words()) | _ALSO_COUNTED

    def apply(self, word: Word, parts: Sequence[str], readings: list[str]) -> None:
        """Sets tone 5 in `readings` (one per character of the word) where the syllable is light."""
        text, tag = word
        for i in self._light_syllables(text, tag):
            _lighten(readings, i)
        end = 0
        for part in parts:
            end += len(part)
            if part[-1] == "子" and part in self._full:
                readings[end - 1] = "zi3"
            if part in self._light or part[-2:] in self._light:
                _lighten(readings, end - 1)

    def _light_syllables(self, text: str, tag: str) -> list[int]:
        light: list[int] = []
        if tag[:1] in ("n", "v", "a") and text not in self._full:
            border = 2 if len(text) == 4 else 0  # 银行|行长
            light += [
                i
                for i in range(1, len(text))
                if text[i] == text[i - 1] and text[i] not in DIGITS and i != border and not self._is_every(text, tag)
            ]
        last = len(text) - 1
        if self._last_is_light(text, tag):
            light.append(last)
        elif "个" in text and ((at := text.index("个")) == last == 0 or (at and text[at - 1] in _BEFORE_GE)):
            light.append(at)
        return light

    def _is_every(self, text: str, tag: str) -> bool:
        """天天 and 家家: a measure word or the like said twice."""
        return len(text) == 2 and tag[:1] != "v" and text[0] in self._counted

    def _last_is_light(self, text: str, tag: str) -> bool:
        last = text[-1]
        if last in _PARTICLES or last in _STRUCTURE:
            return True
        if len(text) == 1:
            return last in "了着过" and tag in ("ul", "uz", "ug")
        if last in "们子":
            return tag in ("r", "n") and text not in self._full
        if last in "上下里":
            return tag in ("s", "l", "f")
        if last in "来去":
            return text[-2] in _DIRECTIONS
        return text in self._light or text[-2:] in self._light


def _lighten(readings: list[str], at: int) -> None:
    if readings[at] and readings[at][-1].isdigit():
        readings[at] = readings[at][:-1] + "5"
