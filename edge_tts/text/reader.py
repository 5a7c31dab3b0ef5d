"""Who reads a text: the languages that are spoken, and what becomes of the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_tts.errors import TextError, one_line
from edge_tts.text.languages import MODULES, PLANNED
from edge_tts.text.scripts import is_wide
from edge_tts.values import Run

_SMALL_PART = 0.25
"""Of the letters of a text: so much may be left out."""
_LETTER = 0.35
"""A letter as a part of a syllable, which an ideograph is."""


_OUTER = re.compile(r"^\W+|\W+$")


def _ignore(warning: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    languages: tuple[str, ...] = tuple(sorted(MODULES))
    home: str = "zh"
    """The language of numbers, units and marks with no word beside them; one of `languages`."""
    name: str = "the text front end"
    """In errors."""
    warn: Callable[[str], None] = _ignore
    """Called with a sentence for each language of which a small part was left out."""

    def leave_out(self, foreign: Sequence[Run], spoken: Sequence[Run]) -> None:
        """Warns of `foreign`. Raises TextError where it is more than a small part."""
        parts: dict[str, str] = {}
        for run in foreign:
            parts[run.language] = f"{parts.get(run.language, '')} {_OUTER.sub('', run.text)}".strip()
        left_out, said = _letters(foreign), _letters(spoken)
        if left_out > _SMALL_PART * (left_out + said):
            raise TextError(self._refusal(sorted(parts)))
        for language, text in parts.items():
            self.warn(f"left out: {one_line(text, most=80)} ({_named(language)}, which {self.name} does not speak)")

    def _refusal(self, languages: Sequence[str]) -> str:
        says = f"{self.name} speaks {', '.join(self.languages)}, not {', '.join(map(_named, languages))}"
        if MODULES.keys() >= set(languages):
            return f"{says}; install GPT-SoVITS weights that do with tools/convert"
        return f"{says}; only {', '.join(sorted(MODULES))} can be read so far"


def _named(language: str) -> str:
    return f"{PLANNED[language]} ({language})" if language in PLANNED else language


def _letters(runs: Sequence[Run]) -> float:
    return sum(1.0 if is_wide(c) else _LETTER for run in runs for c in run.text if c.isalpha())
