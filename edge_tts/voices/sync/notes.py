"""How sync stands: the report that everybody may see, and the notes kept between two runs. Knows no bucket."""

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
"""incomplete: some voice could not be used, see `problems`. failed: the bucket is out of reach, see `error`."""


MOST_PROBLEMS = 20
_MOST_CHARS = 300


class SyncReport(Record):
    """How far the sync with the bucket is, or how the last one ended. Times are seconds since 1970, by our clock."""

    bucket: str = ""
    """Where to; never with credentials."""
    status: SyncStatus = "never"
    started: float | None = None
    finished: float | None = None
    last_success: float | None = None
    """When everything was last known to be the same here and there."""
    done: int = 0
    """Steps taken so far, of `planned`."""
    planned: int = 0
    sent: int = 0
    """Objects put into the bucket, mended ones included."""
    fetched: int = 0
    """Voices taken from the bucket."""
    deleted: int = 0
    """Voices deleted here because another device did."""
    renamed: int = 0
    problems: tuple[str, ...] = ()
    """The first MOST_PROBLEMS of them."""
    more_problems: int = 0
    error: str = ""

    def with_problem(self, text: str) -> SyncReport:
        """This report and one more problem."""
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
    """What a sync remembers for the next one. Losing it costs time, and `used` until the next sync."""

    report: SyncReport
    used: bool = False
    """Whether the bucket has ever been reached: if it is a folder and empty now, its disk is not connected."""
    checked: dict[Key, str] = field(default_factory=dict)
    """Objects whose bytes were right when they had this mark."""


class NotesFile:
    """The notes about the bucket at that address; those about another one are not used."""

    def __init__(self, path: Path, *, bucket: str) -> None:
        self._file = StateFile(path, _Notes, what="the notes about the last sync")
        self._bucket = bucket

    def read(self) -> SyncNotes:
        """What is noted about this bucket; fresh notes if there are none."""
        fresh = _Notes(checked={}, report=SyncReport(bucket=self._bucket))
        notes = self._file.read(fresh)
        if notes.report.bucket != self._bucket:
            notes = fresh
        keys = ((parse_key(text), mark) for text, mark in notes.checked.items())
        checked = {key: mark for key, mark in keys if key is not None}
        return SyncNotes(notes.report, used=notes.used or bool(checked), checked=checked)

    def write(self, notes: SyncNotes) -> None:
        """Keep `notes`. Raises OSError."""
        checked = {key.path: mark for key, mark in notes.checked.items()}
        self._file.write(_Notes(used=notes.used, checked=checked, report=notes.report))


Publish = Callable[[SyncReport], None]
"""Shows a report to whoever is interested; must return at once."""
