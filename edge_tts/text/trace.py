"""What gave a text its reading, for a person who asks: notes that rules and dictionaries leave in a `Trace`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial

_MARKS = tuple(".,!?;:")


@dataclass(frozen=True, slots=True)
class Note:
    written: str
    said: str
    """Words, or how they are said."""
    why: str
    """The rule or the dictionary."""
    entry: tuple[str, str] | None = None
    """Word and pronunciation of a lexicon entry that says the same: what to change it in."""


class Trace:
    """Collects the notes of one normalisation."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def step(self, rule: str, before: str, after: str) -> None:
        """A note for every run of words that `rule` has changed."""
        if before == after:
            return
        old, new = before.split(), after.split()
        for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            if kind != "equal":
                self._add(" ".join(old[a:b]), " ".join(new[c:d]), rule)

    def watch(self, say: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
        """`say`, with a note for every match that it changes."""

        def watched(m: re.Match[str]) -> str:
            said = say(m)
            if said != m[0]:
                self._add(m[0].strip(), said.strip(), rule_name(say))
            return said

        return watched

    def _add(self, written: str, said: str, rule: str) -> None:
        while written[-1:] in _MARKS and written[-1:] == said[-1:] != "":
            written, said = written[:-1], said[:-1]
        if _words(written) != _words(said):
            entry = (written, said) if _words(written) and _words(said) else None
            self.notes.append(Note(written, said, rule, entry))


def _words(text: str) -> list[str]:
    """Without marks, which are nobody's question."""
    return re.findall(r"\w+", text)


def rule_name(say: Callable[..., str]) -> str:
    """A function's name in words, or that of its module."""
    say = say.func if isinstance(say, partial) else say
    name = say.__name__ if say.__name__.isidentifier() else say.__module__.rsplit(".", 1)[-1]
    return name.strip("_").replace("_", " ")
