"""The journal: an accepted request stays on disk until it is closed, and its closing report until that has left."""

from __future__ import annotations

import itertools
import logging
import re
import stat
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.durable.fsync import sync_folder
from edge_tts.errors import PayloadError
from edge_tts.request import SpeakRequest
from edge_tts.schema import Field, Record, RequestId, check, check_json
from edge_tts.speaking.finished_ids import FinishedIds, Key
from edge_tts.values import Caller, Door, Report, Stage

log = logging.getLogger(__name__)

QUARANTINE = "damaged"
"""Quarantine folder below the journal."""
LARGEST = 1 << 22
"""Bytes of a file."""

_NAME = re.compile(r"(?P<number>[0-9]{12})-(?P<begun>[0-9]{1,3})\.json")
_CLOSED = re.compile(r"(?P<number>[0-9]{12})-closed\.json")
_STAGED = re.compile(r"\.[0-9]{12}-(?:[0-9]{1,3}|closed)\.json\..*")
"""What a crash during `write_atomic` leaves."""


@dataclass(frozen=True, slots=True)
class Uptime:
    """Time since boot, including suspend; unlike the wall clock it is never set."""

    boot: str
    """Boot id."""
    s: float


def uptime() -> Uptime | None:
    """None where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return Uptime(boot, time.clock_gettime(time.CLOCK_BOOTTIME))
    except (OSError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """MQTT 5 response topic and correlation data."""

    topic: str
    correlation: bytes | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What came with a request and is no part of it."""

    expires_at: float | None = None
    """Deadline to begin, in seconds of the runtime's clock."""
    reply_to: ReplyTo | None = None
    delivery: tuple[int, str] | None = None
    """Packet identifier and sha256 of a message without id."""
    caller: Caller | None = None
    """None: of an earlier version."""


@dataclass(frozen=True, slots=True)
class Page:
    """One accepted request in the journal."""

    path: Path
    request: SpeakRequest
    envelope: Envelope
    age_s: float = 0.0
    """Age when it was read, across a reboot by the wall clock; never negative."""
    begun: int = 0
    """Times it went into service."""

    @property
    def key(self) -> Key:
        """For de-duplication."""
        return self.envelope.delivery or self.request.id


@dataclass(frozen=True, slots=True)
class ClosedPage:
    """The closing report of a request."""

    path: Path
    report: Report
    reply_to: ReplyTo | None


class _Reply(Record):
    topic: str
    correlation: str | None = Field(pattern="^([0-9a-f]{2})*$")
    """In hex."""


class _Caller(Record):
    door: Door
    name: str = Field(max_length=64)
    address: str = Field(max_length=64)


_WallTime = Annotated[float, Field(ge=-1e12, le=1e12)]
"""Seconds since 1970."""


class _Uptime(Record):
    boot: str = Field(max_length=64)
    s: float = Field(ge=0, le=1e12)


class _Page(Record):
    format: Literal[2] = 2
    accepted: _WallTime
    uptime: _Uptime | None = None
    """At acceptance: the wall clock may be set by hours later, where it has no battery."""
    deadline: _WallTime | None
    reply_to: _Reply | None
    delivery: tuple[int, str] | None
    caller: _Caller | None = None
    request: SpeakRequest
    """Checked against the same limits as a message."""


class _ClosedPage(Record):
    format: Literal[2] = 2
    id: RequestId
    stage: Stage
    ms: float
    details: dict[str, Any]
    reply_to: _Reply | None


class Journal:
    """Owns a folder with one file per accepted request, and the finished ids beside it. Thread-safe.

    A request is closed on disk before its closing report goes out, and the report is kept until `sweep`: after a
    crash in between it is reported again, and never spoken again.

    Nothing here raises: a disk error is logged once, and speech goes on without a journal.
    """

    def __init__(
        self,
        folder: Path,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
        uptime: Callable[[], Uptime | None] = uptime,
    ) -> None:
        self._folder, self._clock, self._wall, self._uptime = folder, clock, wall, uptime
        self._lock = threading.Lock()
        self._failing = False
        self._unremoved: list[Path] = []
        self._reported: list[Path] = []
        self._swept: list[Path] = []
        self._finished = FinishedIds(folder.with_name(f"{folder.name}.closed"))
        names = [_NAME.fullmatch(path.name) or _CLOSED.fullmatch(path.name) for path in self._listing()]
        self._numbers = itertools.count(1 + max((int(name["number"]) for name in names if name), default=0))

    def read(self) -> list[Page]:
        """What an earlier run did not close, in order. Other files go into quarantine."""
        pages, listing = [], self._listing()
        closed = {path.name[:12] for path in listing if _CLOSED.fullmatch(path.name)}
        for path in listing:
            try:
                if _STAGED.fullmatch(path.name) or (_NAME.fullmatch(path.name) and path.name[:12] in closed):
                    path.unlink()
                elif _CLOSED.fullmatch(path.name):
                    continue
                else:
                    pages.append(self._read_page(path))
            except (OSError, PayloadError) as damaged:
                self._quarantine(path, damaged)
        return pages

    def add(self, request: SpeakRequest, envelope: Envelope) -> Page | None:
        """Make a request survive a power cut; None on a disk error."""
        page = Page(self._folder / f"{next(self._numbers):012d}-0.json", request, envelope)
        try:
            data = self._to_bytes(page)
            make_folder(self._folder)
            write_atomic(page.path, data)
        except (OSError, PayloadError) as error:
            self._log_disk_error(error)
            return None
        with self._lock:
            recovered, self._failing = self._failing, False
        if recovered:
            log.info("%s: accepted requests are kept again", self._folder)
        return page

    def begin(self, page: Page) -> Page:
        """Count a begin in the file's name: one fsync, and no space on a full disk."""
        name = f"{page.path.name.partition('-')[0]}-{page.begun + 1}.json"
        begun = replace(page, path=page.path.with_name(name), begun=page.begun + 1)
        try:
            page.path.rename(begun.path)
        except OSError as error:
            self._log_disk_error(error)
            return page
        self._sync()
        return begun

    def read_closed(self) -> list[ClosedPage]:
        """Closing reports of an earlier run that may not have left."""
        pages = []
        for path in self._listing():
            if _CLOSED.fullmatch(path.name):
                try:
                    pages.append(self._read_closed_page(path))
                    self._reported.append(path)
                except (OSError, PayloadError) as damaged:
                    self._quarantine(path, damaged)
        return pages

    def close(self, page: Page, report: Report) -> None:
        """Keep the closing report in place of the request, and remember its key. Call it before the report goes out."""
        path = self._folder / f"{page.path.name[:12]}-closed.json"
        record = {**report.as_published(), "reply_to": _reply(page.envelope.reply_to)}
        try:
            self._finished.add([page.key])
            data = check(_ClosedPage, record, error=PayloadError, what="journal").model_dump_json().encode()
            write_atomic(path, data)
            with self._lock:
                self._reported.append(path)
        except (OSError, PayloadError) as error:
            self._log_disk_error(error)
        self.remove([page])

    def sweep(self) -> None:
        """Forget the closing reports that were there at the sweep before. Call it regularly, with no report left to
        send."""
        with self._lock:
            swept, self._swept, self._reported = self._swept, self._reported, []
        self._remove(swept)

    def finished(self) -> list[Key]:
        """In this run and earlier ones."""
        return self._finished.keys()

    def remove(self, pages: Sequence[Page]) -> None:
        """Remove requests without remembering them. A failed removal is retried with the next one."""
        self._remove([page.path for page in pages])

    def _remove(self, paths: Sequence[Path]) -> None:
        with self._lock:
            removed, self._unremoved = [*self._unremoved, *paths], []
        for path in removed:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self._log_disk_error(error)
                with self._lock:
                    self._unremoved.append(path)
        if removed:
            self._sync()

    def size(self) -> tuple[int, int]:
        """The files of the folder, and their bytes."""
        sizes = []
        for path in self._listing():
            with suppress(OSError):  # removed meanwhile
                sizes.append(path.stat().st_size)
        return len(sizes), sum(sizes)

    def _listing(self) -> list[Path]:
        try:
            return sorted(path for path in self._folder.iterdir() if path.name != QUARANTINE)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._log_disk_error(error)
            return []

    def _to_bytes(self, page: Page) -> bytes:
        """Raises PayloadError."""
        accepted, envelope, up = self._wall(), page.envelope, self._uptime()
        record = {
            "accepted": accepted,
            "uptime": None if up is None else asdict(up),
            "deadline": None if envelope.expires_at is None else accepted + (envelope.expires_at - self._clock()),
            "reply_to": _reply(envelope.reply_to),
            "delivery": envelope.delivery,
            "caller": None if envelope.caller is None else asdict(envelope.caller),
            "request": page.request,
        }
        return check(_Page, record, error=PayloadError, what="journal").model_dump_json().encode()

    def _read_closed_page(self, path: Path) -> ClosedPage:
        record = check_json(_ClosedPage, _content(path), error=PayloadError, what="damaged")
        return ClosedPage(path, Report(record.id, record.stage, record.ms, record.details), _reply_to(record.reply_to))

    def _read_page(self, path: Path) -> Page:
        name = _NAME.fullmatch(path.name)
        if name is None:
            raise PayloadError("it was not written here")
        record = check_json(_Page, _content(path), error=PayloadError, what="damaged")
        age_s = max(0.0, self._age_s(record))
        expires_at = None
        if record.deadline is not None:
            # age_s is not negative: a clock that was set back must not extend a deadline.
            expires_at = self._clock() + (record.deadline - record.accepted) - age_s
        caller = None if record.caller is None else Caller(**record.caller.model_dump())
        envelope = Envelope(expires_at, _reply_to(record.reply_to), record.delivery, caller)
        return Page(path, record.request, envelope, age_s, int(name["begun"]))

    def _age_s(self, record: _Page) -> float:
        now, then = self._uptime(), record.uptime
        if now is not None and then is not None and now.boot == then.boot:
            return now.s - then.s
        return self._wall() - record.accepted

    def _quarantine(self, path: Path, why: Exception) -> None:
        target = self._folder / QUARANTINE / path.name
        try:
            make_folder(target.parent)
            path.replace(target)
        except OSError as error:
            log.error("the journal cannot use %r (%.200s), nor move it aside: %s", str(path), why, error)
        else:
            log.error("the journal cannot use %r (%.200s); it is in %s now", str(path), why, target.parent)

    def _sync(self) -> None:
        try:
            sync_folder(self._folder)
        except OSError as error:
            self._log_disk_error(error)

    def _log_disk_error(self, why: Exception) -> None:
        with self._lock:
            logged, self._failing = self._failing, True
        if not logged:
            log.error("%s: a restart may lose accepted requests or say them again: %s", self._folder, why)


def _content(path: Path) -> bytes:
    """Raises OSError, or PayloadError for what the journal never writes."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise PayloadError("it was not written here")
    if status.st_size > LARGEST:
        raise PayloadError(f"it has {status.st_size} bytes")
    return path.read_bytes()


def _reply(address: ReplyTo | None) -> _Reply | None:
    if address is None:
        return None
    return _Reply(topic=address.topic, correlation=None if address.correlation is None else address.correlation.hex())


def _reply_to(reply: _Reply | None) -> ReplyTo | None:
    if reply is None:
        return None
    return ReplyTo(reply.topic, None if reply.correlation is None else bytes.fromhex(reply.correlation))
