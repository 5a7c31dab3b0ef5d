"""The table of languages: language -> module, loaded on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from edge_tts.errors import TextError

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


def as_heard(module: Language) -> Language:
    """`module` as it reads written text, where that differs from how it reads a given spoken form (Mandarin)."""
    heard: Callable[[], Language] | None = getattr(module, "as_heard", None)
    return heard() if heard else module
