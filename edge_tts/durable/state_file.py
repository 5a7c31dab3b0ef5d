"""A small record kept over a restart, as JSON in a file."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.errors import EdgeTTSError
from edge_tts.schema import Record, check_json

log = logging.getLogger(__name__)

RecordT = TypeVar("RecordT", bound=Record)


class StateFile(Generic[RecordT]):
    """For state that may be lost: a damaged file is logged once, as `what`, and kept as NAME.damaged by `write`."""

    def __init__(self, path: Path, kind: type[RecordT], *, what: str) -> None:
        self.path = path
        self._kind, self._what = kind, what
        self._damaged = False

    def read(self, default: RecordT) -> RecordT:
        """The stored record; `default` if there is none or it is damaged."""
        try:
            return check_json(self._kind, self.path.read_bytes(), error=EdgeTTSError, what=str(self.path))
        except FileNotFoundError:
            return default
        except (OSError, EdgeTTSError) as damaged:
            if not self._damaged:
                log.warning("%s cannot be used: %s", self._what, damaged)
            self._damaged = True
            return default

    def write(self, record: RecordT) -> None:
        """Replace the record atomically; missing folders are made. Raises OSError."""
        make_folder(self.path.parent)
        if self._damaged:
            with suppress(OSError):  # evidence must not prevent the write
                self.path.replace(self.path.with_name(f"{self.path.name}.damaged"))
        write_atomic(self.path, record.model_dump_json().encode())
        self._damaged = False
