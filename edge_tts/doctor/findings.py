"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from edge_tts.errors import EdgeTTSError

Level = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check."""

    check: str
    level: Level
    text: str
    advice: str = ""
    """Empty only when nothing needs doing."""


def run_check(check: str, body: Callable[[], Iterable[Finding]], *, advice: str) -> Iterator[Finding]:
    """The findings of a check; an EdgeTTSError that it raises is one more, with this advice."""
    try:
        yield from body()
    except EdgeTTSError as error:
        yield Finding(check, "broken", str(error), advice)
