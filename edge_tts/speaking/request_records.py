"""What became of each request, for a day: asked later, and shown on the page. No texts on disk."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edge_tts.durable.folders import make_folder
from edge_tts.runtime.caller_errors import without_texts
from edge_tts.values import CLOSING, Report, Stage

log = logging.getLogger(__name__)

KEPT_S = 86400.0
MOST_KEPT = 20000
"""Records on disk; the oldest give way."""
LATEST, MOST_UNSAVED = 50, 2000
"""Records in memory: the latest, and those that are open or that the disk has not taken yet."""
_PRUNE_S = 3600.0
_MOST_DETAILS = 8192
"""Bytes of one record's details."""
_PRIVATE = frozenset({"word", "read_as", "phonemes", "sentence", "name", "warning"})
"""Details that quote what somebody wrote."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (id TEXT PRIMARY KEY, at REAL NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
"""


@dataclass(slots=True)
class RequestRecord:
    id: str
    at: float
    """Of its first report, in seconds since 1970."""
    owner: str = ""
    """Whose it is."""
    stages: dict[Stage, float] = field(default_factory=dict)
    """In their order, with the milliseconds since it was accepted."""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def stage(self) -> Stage | None:
        """The latest; None before the first report."""
        return next(reversed(self.stages), None)

    @property
    def is_closed(self) -> bool:
        return self.stage in CLOSING


class RequestRecords:
    """An event listener. Owns a database, which is written by `save`: a crash loses what came after the last one, and
    the journal's requests report again. Thread-safe; nothing here raises, and without the disk the latest are known.
    """

    def __init__(self, path: Path, *, texts: bool = False, now: Callable[[], float] = time.time) -> None:
        """`texts`: keep messages that may quote the text of a request."""
        self._path, self._texts, self._now = path, texts, now
        self._lock, self._disk = threading.Lock(), threading.Lock()
        self._unsaved: OrderedDict[str, RequestRecord] = OrderedDict()
        self._latest: OrderedDict[str, RequestRecord] = OrderedDict()
        self._database: sqlite3.Connection | None = None
        self._failing = False
        self._prune_at = 0.0
        """When the disk is looked through for old records at the latest."""
        self._recall()

    def on_report(self, report: Report) -> None:
        with self._lock:
            record = self._of(report)
            if record.is_closed and report.stage != "accepted":
                return  # such as the refusal of another message with its id
            record.stages[report.stage] = report.ms
            record.details.update(report.details)
            self._changed(record)

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """Only reports are recorded."""

    def belongs_to(self, request_id: str, owner: str) -> None:
        """Call it before the first report on a request."""
        with self._lock:
            self._changed(RequestRecord(request_id, self._now(), owner))

    def latest(self) -> list[RequestRecord]:
        """The oldest first."""
        with self._lock:
            kept = [record for record in self._latest.values() if record.stages and self._is_kept(record)]
            return [replace(record, stages=dict(record.stages), details=dict(record.details)) for record in kept]

    def find(self, request_id: str) -> RequestRecord | None:
        """As it is kept on disk."""
        with self._lock:
            record = self._unsaved.get(request_id) or self._latest.get(request_id)
        if record is None or not record.stages:
            with self._disk:
                record = next(iter(self._select("WHERE id = ?", request_id)), None)
        return self._without_texts(record) if record is not None and self._is_kept(record) else None

    def save(self) -> None:
        """Call it every few seconds, and at the end."""
        with self._lock:
            records = [record for record in self._unsaved.values() if record.stages]
            rows = [(record.id, record.at, _to_json(self._without_texts(record))) for record in records]
            closed = [record for record in records if record.is_closed]
        if not rows and self._now() < self._prune_at:
            return
        with self._disk:
            written = self._write(rows)
        with self._lock:
            for record in closed if written else ():
                if self._unsaved.get(record.id) is record:
                    del self._unsaved[record.id]

    def _of(self, report: Report) -> RequestRecord:
        """The record that a report goes into: an id that comes again is another request."""
        known = self._latest.get(report.id) or self._unsaved.get(report.id)
        if known is None or (report.stage == "accepted" and known.stages):
            owner = "" if known is None else known.owner
            known = RequestRecord(report.id, self._now(), owner)
        return known

    def _changed(self, record: RequestRecord) -> None:
        if self._latest.get(record.id) is not record:
            self._latest.pop(record.id, None)
            self._latest[record.id] = record
        if "kind" not in record.details:  # the device's own are nobody's requests
            self._unsaved[record.id] = record
        self._bound()

    def _bound(self) -> None:
        while len(self._latest) > LATEST:
            self._latest.popitem(last=False)
        while len(self._unsaved) > MOST_UNSAVED:
            self._unsaved.popitem(last=False)

    def _without_texts(self, record: RequestRecord) -> RequestRecord:
        details = dict(record.details)
        if not self._texts:
            details = {name: value for name, value in without_texts(details).items() if name not in _PRIVATE}
        return replace(record, stages=dict(record.stages), details=details)

    def _recall(self) -> None:
        with self._disk:
            for row in self._select("ORDER BY at DESC LIMIT ?", LATEST)[::-1]:
                self._latest[row.id] = row

    def _is_kept(self, record: RequestRecord) -> bool:
        return record.at >= self._now() - KEPT_S

    def _select(self, where: str, *values: Any) -> list[RequestRecord]:
        try:
            rows = self._open().execute(f"SELECT record FROM requests {where}", values).fetchall()
            return [RequestRecord(**json.loads(row)) for (row,) in rows]
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            self._fail(error)
            return []

    def _write(self, rows: list[tuple[str, float, str]]) -> bool:
        try:
            with self._open() as database:
                database.executemany("INSERT OR REPLACE INTO requests VALUES (?, ?, ?)", rows)
                database.execute("DELETE FROM requests WHERE at < ?", (self._now() - KEPT_S,))
                database.execute(
                    "DELETE FROM requests WHERE at <= (SELECT at FROM requests ORDER BY at DESC LIMIT 1 OFFSET ?)",
                    (MOST_KEPT,),
                )
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return False
        self._failing, self._prune_at = False, self._now() + _PRUNE_S
        return True

    def _open(self) -> sqlite3.Connection:
        """Raises sqlite3.Error, OSError."""
        if self._database is None:
            make_folder(self._path.parent)
            database = sqlite3.connect(self._path, check_same_thread=False, timeout=1.0)
            try:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA secure_delete = ON")
                database.execute("PRAGMA synchronous = NORMAL")  # a power cut may lose the latest, and damages nothing
                database.executescript(_SCHEMA)
            except sqlite3.Error:
                database.close()
                raise
            self._database = database
        return self._database

    def _fail(self, error: Exception) -> None:
        """Log it once; a damaged database is kept as NAME.damaged, and begun anew."""
        if not self._failing:
            log.warning("%s: what became of requests is not kept over a restart: %s", self._path, error)
        self._failing = True
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            self.close()
            with suppress(OSError):
                self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _to_json(record: RequestRecord) -> str:
    values = asdict(record)
    if len(json.dumps(values["details"])) > _MOST_DETAILS:
        values["details"] = {"left_out": f"details of more than {_MOST_DETAILS} bytes"}
    return json.dumps(values)
