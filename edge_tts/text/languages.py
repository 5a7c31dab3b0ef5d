"""The table of languages: language -> module, loaded on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from edge_tts.errors import TextError
from edge_tts.text.trace import Note

MODULES = {"en": "edge_tts.text.english.language", "zh": "edge_tts.text.mandarin.language"}
"""Language -> module with `normalize` and `phonemize`."""

PLANNED = {"ja": "Japanese", "ko": "Korean", "yue": "Cantonese"}
"""Languages that the options name and no module speaks yet."""


class Language(Protocol):
    """What a language module offers."""

    def normalize(self, text: str) -> str:
        """The spoken form of `text`; never raises, drops no readable word."""

    def phonemize(self, normalized: str) -> tuple[Sequence[str], Sequence[int] | None]:
        """v2 symbols of `normalized`, and their number per character (None: not aligned)."""


def load_language(name: str) -> Language:
    """The module of `name`. Raises TextError for an unsupported language."""
    if name in PLANNED:
        raise TextError(f"{PLANNED[name]} ({name}) is not supported yet; supported: {', '.join(sorted(MODULES))}")
    if name not in MODULES:
        raise TextError(f"no language {name!r}; supported: {', '.join(sorted(MODULES))}")
    return cast(Language, importlib.import_module(MODULES[name]))


def spelled(name: str, value: str) -> tuple[str, ...] | None:
    """The phonemes of a spelling that people use in the language (pinyin, `EE fa`); None for other text.

    Raises TextError for a spelling with a mistake in it.
    """
    spell: Callable[[str], tuple[str, ...] | None] | None = _optional(name, "spell")
    return spell(value) if spell else None


def explained(module: Language, text: str, normalized: str) -> list[Note]:
    """What gave `text` its spoken form and its reading; empty where a language does not tell."""
    explain: Callable[[str, str], list[Note]] | None = getattr(module, "explain", None)
    return explain(text, normalized) if explain else []


def forms(name: str, word: str, phonemes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """`word` and what the language makes of it by rule (its possessive) -> phonemes."""
    derive: Callable[[str, tuple[str, ...]], dict[str, tuple[str, ...]]] | None = _optional(name, "forms")
    return {word: phonemes} | (derive(word, phonemes) if derive else {})


def check_spelling(name: str, word: str, value: str) -> None:
    """Raises TextError where `value` can hardly be how `word` is said in the language."""
    check: Callable[[str, str], None] | None = _optional(name, "check_spelling")
    if check:
        check(word, value)


def _optional(name: str, function: str) -> Any:
    """A function that a language's module may have; None without it, or where no module speaks the language."""
    return getattr(load_language(name), function, None) if name in MODULES else None


def as_heard(module: Language) -> Language:
    """`module` as it reads written text, where that differs from how it reads a given spoken form (Mandarin)."""
    heard: Callable[[], Language] | None = getattr(module, "as_heard", None)
    return heard() if heard else module
