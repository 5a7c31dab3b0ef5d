"""The audit log: one JSON line per event, without personal data, as it outlives the voice."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from edge_tts.durable.files import append_line
from edge_tts.voices.format import VoiceRef


class AuditLog:
    """Used under the caller's lock. `clock` gives seconds since 1970."""

    def __init__(self, *, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock

    def append(self, event: str, ref: VoiceRef, *, by: str) -> None:
        """`by` is the device. Raises OSError."""
        line = {"time": int(self._clock()), "event": event, "owner": ref.owner, "voice": ref.id, "by": by}
        append_line(self._path, json.dumps(line).encode())

    def lines(self, *, about: bytes = b"") -> list[dict[str, Any]]:
        """The lines that contain `about`, except torn ones. Raises OSError."""
        if not self._path.exists():
            return []
        parsed = (_parse(line) for line in self._path.read_bytes().splitlines() if about in line)
        return [line for line in parsed if line is not None]

    def events(self, refs: Collection[VoiceRef]) -> dict[str, set[str]]:
        """Voice id -> its events, for `refs` at least. Raises OSError."""
        events: dict[str, set[str]] = {}
        about = next(iter(refs)).id.encode() if len(refs) == 1 else b""  # do not parse years of log for one voice
        for line in self.lines(about=about):
            events.setdefault(str(line.get("voice")), set()).add(str(line.get("event")))
        return events


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
