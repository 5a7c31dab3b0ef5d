"""Readings of polyphones by the characters around them (`data/zh_contexts.txt`), where no model chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

_CLASS = re.compile(r"\[[^\]]*\]")
_END = r"(?![^!?…,.\-])"
"""A clause ends with its mark or the text."""
_TITLES = (
    ("[总姐哥某工董氏](?![是共结体之数作])", 0),
    ("(?:先生|小姐|女士)", 2),
    (
        "(?:太太|老师|医生|大夫|教授|师傅|同学|阿姨|叔叔|爷爷|奶奶|律师|护士|警官|博士|教练|老板|经理|主任|局长|校长|院长|处长"
        "|科长|部长|主席|总理|总监|主管|队长|班长|书记|秘书|会计|院士|同志|医师)",
        2,
    ),
    ("(?:工程师|董事长|副总|老先生)", 3),
)
"""A title, and its length; 0 where the two must not be a word (员工)."""
_VERBS = "任解查盖召种过要应占撒相强教折区洗"
"""Surnames that are other words as well: only first in a clause or after a word of calling, or before 先生."""
_BEFORE_ANYBODY = "过要应占洗教"
"""Of those, words that stand before 先生 as well."""
_CALLING = ("^", "[请找是叫和给向对跟问约与位系知迎烦见谢诉送]")


class Context(NamedTuple):
    reading: str
    name: str
    """Of a surname; empty for one that its neighbours explain."""
    before: int
    """Characters of the context before its own."""
    after: int
    pattern: re.Pattern[str]

    def told(self, text: str, at: int) -> str:
        """Why it decides, for a person."""
        before, after = text[at - self.before : at], text[at + 1 : at + 1 + self.after]
        sides = [f"after {before}"] * bool(before) + [f"before {after}"] * bool(after)
        return self.name or " and ".join(sides) or "as a word of its own"


class Contexts:
    """Linear in the text: few bounded patterns per character that is in the table."""

    def __init__(self) -> None:
        self._items: dict[str, list[tuple[str, str]]] = {}
        for character, reading, *items in _lines("zh_contexts.txt"):
            self._items.setdefault(character, []).extend((reading, item) for item in items)
        surnames = [field for fields in _lines("zh_surnames.txt") for field in fields]
        self._surnames = dict(zip(surnames[::2], surnames[1::2], strict=True))
        self._compiled: dict[str, list[Context]] = {}

    def find(self, text: str, spans: Sequence[tuple[int, int]]) -> dict[int, Context]:
        """Place -> the context that decides its reading.

        `spans`: per character the (start, end) of the known words and phrases around it.
        """
        chosen: dict[int, Context] = {}
        for i, character in enumerate(text):
            for context in self._of(character):
                start, end = i - context.before, i + 1 + context.after
                if spans[i][0] >= start and spans[i][1] <= end and context.pattern.match(text, i):
                    chosen[i] = context
                    break
        return chosen

    def _of(self, character: str) -> Sequence[Context]:
        """The contexts of a character, longest first, compiled when it is first met."""
        if character not in self._items and character not in self._surnames:
            return ()
        if character not in self._compiled:
            contexts = [_compile(character, reading, item) for reading, item in self._items.get(character, ())]
            if character in self._surnames:
                contexts += _name_contexts(character, self._surnames[character])
            self._compiled[character] = sorted(contexts, key=lambda c: -(c.before + c.after))
        return self._compiled[character]


def _lines(name: str) -> Iterator[list[str]]:
    text = (files("edge_tts.text") / "data" / name).read_text(encoding="utf-8")
    return (line.split() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _compile(character: str, reading: str, item: str) -> Context:
    before, _, after = item.partition("~")
    after = after.replace("~", character).replace("$", _END)
    pattern = re.compile(f"(?<={before}){character}(?={after})")
    return Context(reading, "", _length(before), _length(after.partition("(?!")[0]), pattern)


def _length(part: str) -> int:
    return len(_CLASS.sub("x", part).replace("^", "").replace(_END, ""))


def _name_contexts(surname: str, reading: str) -> Iterator[Context]:
    """Before a title and after 姓."""
    for title, size in _TITLES:
        free = surname not in _VERBS or ("先生" in title and surname not in _BEFORE_ANYBODY)
        for start in ("",) if free else _CALLING:
            yield Context(reading, "surname before a title", 0, size, re.compile(f"(?<={start}){surname}(?={title})"))
    yield Context(reading, "surname after 姓", 1, 0, re.compile(f"(?<=姓){surname}"))
