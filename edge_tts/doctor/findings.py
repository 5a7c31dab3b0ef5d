"""What doctor finds: one value per look, its weight, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from edge_tts.errors import EdgeTTSError

Level = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    text: str
    advice: str = ""
    """What to do; empty only when nothing needs doing."""


def look(check: str, body: Callable[[], Iterable[Finding]], *, advice: str) -> Iterator[Finding]:
    """The findings of a check; a named error that it raises is one more finding, with this advice."""
    try:
        yield from body()
    except EdgeTTSError as error:
        yield Finding(check, "broken", str(error), advice)
