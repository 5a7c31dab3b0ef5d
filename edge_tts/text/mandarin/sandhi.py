"""Joins words that are spoken as one and changes the tones inside them.

GPT-SoVITS v2 models were trained on these rules: first words are joined, then tones change inside a word, in the order
不, 一, neutral, third tone, final 儿.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edge_tts.text.mandarin.neutral_tones import DIGITS, NeutralTones
from edge_tts.text.mandarin.words import Word

Reader = Callable[[str], list[str]]
Splitter = Callable[[str], list[str]]

_MARKS = frozenset("!?…,.-")
_NUMERALS = DIGITS - {"两"}
"""一两 is "a few", not a number."""
_CHILD = frozenset("女男婴幼孤少患胎妻侄孙乞聋健宠弃育生产浪血")
"""After these 儿 is a word (child), not a suffix that curls the syllable before it."""
_SUNG = frozenset(noun + "儿" for noun in "花鸟马鱼虫猫狗月风云星船草羊蜂蝶")
"""Words of songs and rhymes, in which 儿 is a syllable."""


def tone(reading: str) -> str:
    """The tone digit; empty for a mark or an unread character."""
    return reading[-1] if reading and reading[-1].isdigit() else ""


def _with_tone(reading: str, digit: str) -> str:
    return reading[:-1] + digit if tone(reading) else reading


def twice(reading: str, *, light: bool) -> tuple[str, str]:
    """A syllable said twice; a third tone rises before its echo, even a light one."""
    return (_with_tone(reading, "2") if tone(reading) == "3" else reading), _with_tone(
        reading, "5"
    ) if light else reading


class MandarinSandhi:
    def __init__(self, *, read: Reader, subwords: Splitter, neutral: NeutralTones) -> None:
        """`read`: readings of a word alone; `subwords`: words inside a word and the parts it falls into."""
        self._read = read
        self._subwords = subwords
        self._neutral = neutral

    def join(self, words: Sequence[Word]) -> list[Word]:
        """The words as spoken together."""
        joined = _join_repeats(_join_yi(_join_questions(_join_bu(words))))
        joined = self._join_thirds(joined, whole=True)
        joined = self._join_thirds(joined, whole=False)
        return _join_er(joined)

    def change(self, word: Word, readings: Sequence[str], fixed: Mapping[int, str]) -> list[str]:
        """The readings in speech, one per character; `fixed`: place in the word -> reading that no list makes light."""
        changed = list(readings)
        _change_bu(word.text, changed)
        _change_yi(word.text, changed)
        parts = self.parts(word.text)
        self._neutral.apply(word, parts, changed)
        for i, reading in fixed.items():
            changed[i] = reading
        _change_thirds(parts, changed)
        _change_er(word, changed)
        return changed

    def parts(self, word: str) -> tuple[str, ...]:
        """`word` as one or two parts, cut beside its shortest known word."""
        known = min(self._subwords(word), key=len, default=word)
        if len(known) == len(word):
            return (word,)
        if word.startswith(known):
            return known, word[len(known) :]
        return word[: -len(known)], word[-len(known) :]

    def _join_thirds(self, words: Sequence[Word], *, whole: bool) -> list[Word]:
        """Joins neighbours of up to three characters where third tones meet: of `whole` words, or at the border."""
        tones = [[tone(r) for r in self._read(w.text)] for w in words]
        joined: list[Word] = []
        joined_before = False
        for i, word in enumerate(words):
            before = words[i - 1] if i else None
            meets = before is not None and (
                set(tones[i - 1] + tones[i]) == {"3"} if whole else tones[i - 1][-1] == tones[i][0] == "3"
            )
            if (
                before is not None
                and meets
                and not joined_before
                and not _is_repeat(before.text)
                and len(before.text) + len(word.text) <= 3
            ):
                joined[-1] = joined[-1]._replace(text=joined[-1].text + word.text)
                joined_before = True
            else:
                joined.append(word)
                joined_before = False
        return joined


def _is_repeat(text: str) -> bool:
    return len(text) == 2 and text[0] == text[1]


def _join_bu(words: Sequence[Word]) -> list[Word]:
    """不 belongs to the word after it."""
    joined: list[Word] = []
    for word in words:
        if joined and joined[-1].text == "不":
            joined[-1] = Word("不" + word.text, word.tag)
        else:
            joined.append(word)
    return joined


def _join_questions(words: Sequence[Word]) -> list[Word]:
    """看 一 看 is one verb."""
    joined: list[Word] = []
    i = 0
    while i < len(words):
        three = words[i : i + 3]
        if len(three) == 3 and three[1].text == "一" and three[0] == three[2] and three[0].tag == "v":
            joined.append(Word("".join(w.text for w in three), "v"))
            i += 3
        else:
            joined.append(words[i])
            i += 1
    return joined


def _join_yi(words: Sequence[Word]) -> list[Word]:
    """一 belongs to the word after it."""
    joined: list[Word] = []
    for word in words:
        if joined and joined[-1].text == "一":
            joined[-1] = joined[-1]._replace(text="一" + word.text)
        else:
            joined.append(word)
    return joined


def _join_repeats(words: Sequence[Word]) -> list[Word]:
    joined: list[Word] = []
    for word in words:
        if joined and joined[-1].text == word.text:
            joined[-1] = joined[-1]._replace(text=joined[-1].text + word.text)
        else:
            joined.append(word)
    return joined


def _join_er(words: Sequence[Word]) -> list[Word]:
    """儿 belongs to the word before it."""
    joined: list[Word] = []
    for word in words:
        if joined and word.text == "儿" and joined[-1].text not in _MARKS:
            joined[-1] = joined[-1]._replace(text=joined[-1].text + "儿")
        else:
            joined.append(word)
    return joined


def _change_bu(text: str, readings: list[str]) -> None:
    """不 rises before a falling tone and is light between two characters (看不懂)."""
    if len(text) == 3 and text[1] == "不":
        readings[1] = _with_tone(readings[1], "5")
        return
    for i, character in enumerate(text[:-1]):
        if character == "不" and tone(readings[i + 1]) == "4":
            readings[i] = _with_tone(readings[i], "2")


def _change_yi(text: str, readings: list[str]) -> None:
    """一 keeps its tone in numbers and after 第, is light in 看一看, rises before a fall, else falls."""
    if "一" not in text or all(c in _NUMERALS for c in text):
        return
    if len(text) == 3 and text[1] == "一" and text[0] == text[2]:
        readings[1] = _with_tone(readings[1], "5")
        return
    if text.startswith("第一"):
        readings[1] = _with_tone(readings[1], "1")
        return
    for i, character in enumerate(text[:-1]):
        if character == "一" and text[i + 1] not in _MARKS:
            readings[i] = _with_tone(readings[i], "2" if tone(readings[i + 1]) == "4" else "4")


def _change_thirds(parts: Sequence[str], readings: list[str]) -> None:
    """A third tone before another rises, by the inner structure of words of two to four characters."""
    tones = [tone(r) for r in readings]
    size = len(readings)
    rising: list[int] = []
    if size == 2 and tones == ["3", "3"]:
        rising = [0]
    elif size == 3:
        rising = _rising_of_three(len(parts[0]), tones)
    elif size == 4:
        rising = [i for i in (0, 2) if tones[i] == tones[i + 1] == "3"]
    for i in rising:
        readings[i] = _with_tone(readings[i], "2")


def _rising_of_three(first: int, tones: Sequence[str]) -> list[int]:
    """Which of three syllables rise; `first`: syllables in the word's first part."""
    if list(tones) == ["3"] * 3:
        return [0, 1] if first == 2 else [1]
    pair = (0, 1) if first == 2 else (1, 2)
    if first < 3 and tones[pair[0]] == tones[pair[1]] == "3":
        return [pair[0]]
    return [0] if first == 1 and tones[0] == tones[1] == "3" else []


def _change_er(word: Word, readings: list[str]) -> None:
    """A final 儿 takes the tone before it, unless it is a child, sung, or part of a name."""
    text, tag = word
    if len(text) < 2 or text[-1] != "儿":
        return
    alone = tag in ("a", "j", "nr") or text[-2] in _CHILD or text in _SUNG
    readings[-1] = "er2" if alone else "er" + (tone(readings[-2]) or "2")
