"""Long text to pieces by the rules of GPT-SoVITS: cut0 to cut5 and the steps around them.

Steps 1 to 5 of upstream's front end, tested against recordings of it. The cut for early sound is `chunking`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

SPLITTING_MARKS = frozenset("，。？！,.?!~:：—…")
_PAUSE_MARKS = frozenset("!?…,.- ")
_CLAUSE_MARKS = frozenset(",.;?!、，。？！：…")
FEWEST_CHARACTERS = 5
"""Shorter pieces join the next one."""
MOST_CHARACTERS = 510
"""Longer pieces are cut, at marks if there are any."""
_SHORT_FIRST_CLAUSE = 4
_CLAUSES_PER_GROUP = 4
_CHARACTERS_PER_GROUP = 50


def collapse_marks(text: str) -> str:
    """Step 1: a run of half-width marks becomes its first."""
    return re.sub(r"([!?…,.\-])[!?…,.\-]+", r"\1", text)


def before(text: str, mark: str) -> str:
    """`mark` and `text`; a blank keeps a full stop from being a decimal point."""
    return f"{mark} {text}" if mark == "." and text[:1].isdigit() else mark + text


def guard_first_clause(text: str, mark: str) -> str:
    """Step 2: a mark in front of a very short first clause, which models tend to swallow."""
    text = text.strip("\n")
    if not text or text[0] in SPLITTING_MARKS:
        return text
    end = next((i for i, c in enumerate(text) if c in SPLITTING_MARKS), len(text))
    return before(text, mark) if len(text[:end].strip()) < _SHORT_FIRST_CLAUSE else text


def _is_silent(piece: str) -> bool:
    return all(c in _PAUSE_MARKS for c in piece)


def _clauses(text: str) -> list[str]:
    text = text.replace("……", "。").replace("——", "，")
    if text[-1:] not in SPLITTING_MARKS:
        text += "。"
    return re.findall(r"[^，。？！,.?!~:：—…]*[，。？！,.?!~:：—…]", text)


def _cut0(text: str) -> list[str]:
    return [text]


def _cut1(text: str) -> list[str]:
    text = text.strip("\n")
    clauses = _clauses(text)
    if len(clauses) <= _CLAUSES_PER_GROUP:
        return [text]
    starts = range(0, len(clauses), _CLAUSES_PER_GROUP)[:-1]  # the last group, even a full one, joins the one before
    ends = [*starts[1:], len(clauses)]
    return ["".join(clauses[a:b]) for a, b in zip(starts, ends, strict=True)]


def _cut2(text: str) -> list[str]:
    text = text.strip("\n")
    clauses = _clauses(text)
    if len(clauses) < 2:
        return [text]
    groups = [""]
    for clause in clauses:
        groups[-1] += clause
        if len(groups[-1]) > _CHARACTERS_PER_GROUP:
            groups.append("")
    if not groups[-1]:
        groups.pop()
    if len(groups) > 1 and len(groups[-1]) < _CHARACTERS_PER_GROUP:
        last = groups.pop()
        groups[-1] += last
    return groups


def _cut3(text: str) -> list[str]:
    return text.strip("\n").strip("。").split("。")


def _cut4(text: str) -> list[str]:
    return re.split(r"(?<!\d)\.(?!\d)", text.strip("\n").strip("."))


def _cut5(text: str) -> list[str]:
    pieces, start = [], 0
    text = text.strip("\n")
    for i, c in enumerate(text):
        decimal = c == "." and 0 < i < len(text) - 1 and text[i - 1].isdigit() and text[i + 1].isdigit()
        if c in _CLAUSE_MARKS and not decimal:
            pieces.append(text[start : i + 1])
            start = i + 1
    return [piece for piece in [*pieces, text[start:]] if not all(c in _CLAUSE_MARKS for c in piece)]


CUTS: dict[str, Callable[[str], list[str]]] = {
    "cut0": _cut0,
    "cut1": _cut1,
    "cut2": _cut2,
    "cut3": _cut3,
    "cut4": _cut4,
    "cut5": _cut5,
}


def cut(text: str, method: str) -> str:
    """Step 3: `text` with a newline wherever `method` cuts."""
    return "\n".join(piece for piece in CUTS[method](text) if not _is_silent(piece))


def pieces_of(text: str, final_mark: str, *, join: bool = True) -> list[str]:
    """Steps 4 and 5: the lines of `text` as pieces, none blank or too long, each with a final mark; `join`s short
    ones."""
    pieces = []
    lines = [line for line in text.split("\n") if line.strip()]
    for piece in _merge_short(lines) if join else lines:
        if not re.search(r"[^\W_]", piece):
            continue
        if piece[-1] not in SPLITTING_MARKS:
            piece += final_mark
        pieces += _cut_long(piece)
    return pieces


def _merge_short(pieces: list[str]) -> list[str]:
    merged, rest = [], ""
    for piece in pieces:
        rest += piece
        if len(rest) >= FEWEST_CHARACTERS:
            merged.append(rest)
            rest = ""
    if rest and merged:
        merged[-1] += rest
    return merged or [rest][: len(pieces)]


def _cut_long(piece: str) -> list[str]:
    if len(piece) <= MOST_CHARACTERS:
        return [piece]
    pieces = [""]
    for part in re.split(r"([，。？！,.?!~:：—…])", piece):
        for stretch in _stretches(part):
            if len(pieces[-1]) + len(stretch) > MOST_CHARACTERS:
                pieces.append("")
            pieces[-1] += stretch
    return [p for p in pieces if p]


def _stretches(part: str) -> list[str]:
    """A part without marks that is too long, cut at blanks or, without them, anywhere."""
    if len(part) <= MOST_CHARACTERS:
        return [part]
    return re.findall(rf"\S{{1,{MOST_CHARACTERS - 1}}}\s?|\s", part)
