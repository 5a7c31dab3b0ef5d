"""A name in syllables, as newspapers print it: `EE fa`, `shi-VAWN`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge_tts.text.english.capitals import is_spelled
from edge_tts.text.english.words import in_letters, known, syllable

_PART = re.compile(r"[A-Z]{1,7}|[a-z]{1,7}")


def spell(value: str) -> tuple[str, ...] | None:
    """Phonemes of the syllables, each pronounced as a word; those in capitals are stressed, else the first. None for
    words: no syllable is in capitals, and a dictionary has them all."""
    parts = re.split(r"[\s-]+", value.strip())
    if len(parts) < 2 or not all(map(_PART.fullmatch, parts)):
        return None
    stressed = [part for part in parts if part.isupper() and len(part) > 1]
    if len(stressed) == len(parts) or any(map(is_spelled, stressed)):
        return None
    if not stressed and all(len(part) == 1 or (known(part) and not in_letters(part)) for part in parts):
        return None
    stressed = stressed or parts[:1]
    return tuple(p for part in parts for p in _stress(part, syllable(part.lower()), "1" if part in stressed else "0"))


def _stress(part: str, phonemes: Sequence[str], digit: str) -> list[str]:
    """The syllable with its stress; without one a last `a` is a schwa."""
    said = [p[:-1] + digit if p[-1].isdigit() else p for p in phonemes]
    return [*said[:-1], "AH0"] if said[-1] == "AA0" and part.endswith("a") else said
