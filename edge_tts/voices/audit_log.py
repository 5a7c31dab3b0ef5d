"""The log of what was done to voices: one JSON line each, without names or words of a person, for it outlives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from edge_tts.durable.files import append_line
from edge_tts.voices.format import VoiceRef


class AuditLog:
    """Appends to a file; the caller sees to it that only one does so at a time. `clock` gives seconds since 1970."""

    def __init__(self, *, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock

    def append(self, event: str, ref: VoiceRef, *, by: str) -> None:
        """Note that the device `by` did this to that voice. Raises OSError."""
        line = {"time": int(self._clock()), "event": event, "owner": ref.owner, "voice": ref.id, "by": by}
        append_line(self._path, json.dumps(line).encode())

    def lines(self, *, about: bytes = b"") -> list[dict[str, Any]]:
        """Every whole line in which those bytes are, oldest first; a line that a power cut tore is left out.

        Raises OSError.
        """
        if not self._path.exists():
            return []
        parsed = (_parse(line) for line in self._path.read_bytes().splitlines() if about in line)
        return [line for line in parsed if line is not None]

    def events(self, refs: Collection[VoiceRef]) -> dict[str, set[str]]:
        """Id -> what was done to that voice, of those at least. Raises OSError."""
        found: dict[str, set[str]] = {}
        one = next(iter(refs)).id.encode() if len(refs) == 1 else b""  # a log of years is not parsed for one voice
        for line in self.lines(about=one):
            found.setdefault(str(line.get("voice")), set()).add(str(line.get("event")))
        return found


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
