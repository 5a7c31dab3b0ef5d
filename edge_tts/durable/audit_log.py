"""The audit log: who did what, one JSON line each, appended by any process, bounded.

audit.log               the current file
audit.log.1, .2, .3     earlier ones, .1 the latest; the oldest goes when a fourth would come

It outlives what it tells of, so it holds ids and callers, and no names of people, no words.
"""

from __future__ import annotations

import copy
import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from edge_tts.config import Config
from edge_tts.durable.folders import make_folder
from edge_tts.durable.fsync import sync_file, sync_folder

log = logging.getLogger(__name__)

MAX_BYTES = 8 << 20
_EARLIER = 3

AuditLine = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditLines:
    """The oldest first."""

    lines: tuple[AuditLine, ...]
    damaged: int = 0
    """Lines that are left out: half ones, of a power cut, or not written here."""


class AuditLog:
    """Safe for threads and processes: they hold a lock on the current file, which the kernel releases when one dies."""

    def __init__(
        self,
        *,
        path: Path,
        clock: Callable[[], float],
        by: str = "",
        max_bytes: int = MAX_BYTES,
        old: Path | None = None,
    ) -> None:
        """`clock` gives seconds since 1970. `by`: this device. `old`: a file that an earlier version wrote elsewhere,
        which counts as the oldest."""
        self.path, self._clock, self._by, self._old = path, clock, by, old
        self._most = max_bytes // (_EARLIER + 1)
        self._caller = ""
        self._told: set[str] = set()
        """Errors that were logged; shared with `acting`."""

    def acting(self, caller: str) -> AuditLog:
        """The same log, with the caller on whose behalf things are done."""
        acting = copy.copy(self)
        acting._caller = caller
        return acting

    def append(
        self, event: str, details: Mapping[str, Any] = MappingProxyType({}), *, by: str | None = None, sync: bool = True
    ) -> None:
        """`by`: another device. `sync` False: a power cut may forget it, a killed process not. Raises OSError."""
        line: AuditLine = {"time": int(self._clock()), "event": event, "by": self._by if by is None else by}
        line |= ({"caller": self._caller} if self._caller else {}) | dict(details)
        data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        with self._locked(len(data)) as (file, size):
            if size:  # end half a line first
                file.seek(size - 1)
                data = data if file.read(1) == b"\n" else b"\n" + data
            file.write(data)
            file.flush()
            if sync:
                sync_file(file)
        if size == 0:
            sync_folder(self.path.parent)

    def note(self, event: str, details: Mapping[str, Any] = MappingProxyType({}), *, sync: bool = True) -> None:
        """`append` where a disk that refuses must not stop what is done: it costs the line, and is logged."""
        try:
            self.append(event, details, sync=sync)
            self._told.clear()
        except OSError as error:
            if error.strerror not in self._told:
                log.error("the audit log %s cannot be written: %s", self.path, error.strerror)
            self._told.add(str(error.strerror))

    def read(self, *, about: bytes = b"") -> AuditLines:
        """The lines that contain `about`. Raises OSError."""
        lines, damaged = list[AuditLine](), 0
        with self._reading():
            for path in self._files():
                with suppress(FileNotFoundError):
                    for data in path.read_bytes().split(b"\n"):
                        line = _parse(data) if data and about in data else {}
                        damaged += line is None
                        lines += [line] if line else []
        return AuditLines(tuple(lines), damaged)

    def lines(self, *, about: bytes = b"") -> list[AuditLine]:
        """Those of `read`. Raises OSError."""
        return list(self.read(about=about).lines)

    @contextmanager
    def _locked(self, room: int) -> Iterator[tuple[IO[bytes], int]]:
        """The current file with room for so many bytes, and its size."""
        make_folder(self.path.parent)
        while True:
            with open(self.path, "a+b", opener=_private) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not self._is_current(file):
                    continue  # another process has put it aside
                size = file.seek(0, os.SEEK_END)
                if size and size + room > self._most:
                    self._put_aside()
                    continue
                yield file, size
                return

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """While nobody puts files aside."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            yield
            return
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def _is_current(self, file: IO[bytes]) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        return False

    def _earlier(self) -> dict[int, Path]:
        """Number -> file."""
        found = self.path.parent.glob(f"{self.path.name}.*")
        return {int(path.suffix[1:]): path for path in found if path.suffix[1:].isdecimal()}

    def _files(self) -> list[Path]:
        """The oldest first."""
        earlier = self._earlier()
        old = [] if self._old is None else [self._old]
        return [*old, *(earlier[number] for number in sorted(earlier, reverse=True)), self.path]

    def _put_aside(self) -> None:
        """Killed in the middle it leaves a gap in the numbers, and no line less."""
        earlier = self._earlier()
        if self._old is not None and self._old.exists() and len(earlier) >= _EARLIER:
            self._old.unlink()
        for number in sorted(earlier)[_EARLIER - 1 :]:
            earlier.pop(number).unlink()
        for number in sorted(earlier, reverse=True):
            earlier[number].rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.rename(self.path.with_name(f"{self.path.name}.1"))
        sync_folder(self.path.parent)


def open_audit(config: Config, *, clock: Callable[[], float]) -> AuditLog:
    """As configured."""
    path, old = config.state_dir / "audit.log", config.voices.dir / "audit.log"
    return AuditLog(
        path=path,
        clock=clock,
        by=config.device,
        max_bytes=config.audit.max_mb << 20,
        old=old if old != path else None,
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _parse(data: bytes) -> AuditLine | None:
    """None for what is no whole line: no beginning of a JSON object is one."""
    try:
        value = json.loads(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
