"""The published report of a sync, and the notes kept between two syncs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edge_tts.durable.state_file import StateFile
from edge_tts.errors import one_line
from edge_tts.schema import Record
from edge_tts.voices.sync.plan import Key, parse_key

SyncStatus = Literal["never", "running", "done", "incomplete", "failed"]
"""incomplete: some voice failed, see `problems`. failed: the bucket cannot be reached, see `error`."""

MOST_PROBLEMS = 20
_MOST_CHARS = 300


class SyncReport(Record):
    """Progress or result of a sync. Times are seconds since 1970, by our clock."""

    bucket: str = ""
    """The address."""
    status: SyncStatus = "never"
    started: float | None = None
    finished: float | None = None
    last_success: float | None = None
    """The last sync without problems."""
    done: int = 0
    """Steps, of `planned`."""
    planned: int = 0
    sent: int = 0
    """Objects, repaired ones included."""
    fetched: int = 0
    """Voices."""
    deleted: int = 0
    """Voices, by other devices' tombstones."""
    renamed: int = 0
    problems: tuple[str, ...] = ()
    """The first MOST_PROBLEMS."""
    more_problems: int = 0
    error: str = ""

    def with_problem(self, text: str) -> SyncReport:
        if len(self.problems) >= MOST_PROBLEMS:
            return self.model_copy(update={"more_problems": self.more_problems + 1})
        return self.model_copy(update={"problems": (*self.problems, one_line(text, most=_MOST_CHARS))})


class _Notes(Record):
    format: Literal[1] = 1
    used: bool = False
    checked: dict[str, str]
    report: SyncReport


@dataclass(slots=True)
class SyncNotes:
    """What a sync keeps for the next one. Losing it costs time, and `used` until the next sync."""

    report: SyncReport
    used: bool = False
    """Whether the bucket was ever reached: an empty folder then means an unplugged disk."""
    checked: dict[Key, str] = field(default_factory=dict)
    """Object -> the mark at which its bytes were verified."""


class NotesFile:
    """The notes about `bucket`; those about another one are ignored."""

    def __init__(self, path: Path, *, bucket: str) -> None:
        self._file = StateFile(path, _Notes, what="the notes about the last sync")
        self._bucket = bucket

    def read(self) -> SyncNotes:
        """The notes, empty if there are none."""
        fresh = _Notes(checked={}, report=SyncReport(bucket=self._bucket))
        notes = self._file.read(fresh)
        if notes.report.bucket != self._bucket:
            notes = fresh
        keys = ((parse_key(text), mark) for text, mark in notes.checked.items())
        checked = {key: mark for key, mark in keys if key is not None}
        return SyncNotes(notes.report, used=notes.used or bool(checked), checked=checked)

    def write(self, notes: SyncNotes) -> None:
        """Raises OSError."""
        checked = {key.path: mark for key, mark in notes.checked.items()}
        self._file.write(_Notes(used=notes.used, checked=checked, report=notes.report))


Publish = Callable[[SyncReport], None]
"""Receives each report; must return at once."""
