"""Keys of finished requests, to de-duplicate messages across restarts."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from edge_tts.durable.atomic import write_atomic

log = logging.getLogger(__name__)

REMEMBERED = 1024
"""How many keys are kept."""
_LARGEST = 1 << 22
"""Bytes."""

Key = str | tuple[int, str]
"""The id of a request, or number and sha256 of a message without one."""


class FinishedIds:
    """Owns a file with one line of JSON per key, rewritten at twice the kept number. Thread-safe.

    Appending does not fsync: a power cut may lose the last keys, a crash of the process none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._keys: deque[Key] = deque(maxlen=REMEMBERED)
        self._line_count, self._intact = 0, True
        try:
            self._read()
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as damaged:
            log.warning("%s: what was closed before the start may be spoken again: %s", path, damaged)
            self._intact = False

    def keys(self) -> list[Key]:
        """The latest last."""
        with self._lock:
            return list(self._keys)

    def add(self, keys: Iterable[Key]) -> None:
        """Raises OSError."""
        with self._lock:
            new = list(keys)
            self._keys.extend(new)
            self._line_count += len(new)
            if self._intact and self._line_count <= 2 * REMEMBERED:
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                with open(handle, "wb") as file:
                    file.write(_to_lines(new))
            else:
                write_atomic(self._path, _to_lines(self._keys))
                self._line_count, self._intact = len(self._keys), True

    def _read(self) -> None:
        """Keep the whole lines. Raises OSError, or ValueError for a damaged or torn file."""
        status = self._path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise ValueError("it was not written here")
        *lines, torn = self._path.read_bytes().split(b"\n")
        bad = 1 if torn else 0
        self._line_count = len(lines) + bad
        for line in lines:
            try:
                self._keys.append(_key(json.loads(line)))
            except (ValueError, RecursionError):
                bad += 1
        if bad:
            raise ValueError(f"{bad} of {self._line_count} lines are damaged")


def _to_lines(keys: Iterable[Key]) -> bytes:
    return b"".join(json.dumps(key, ensure_ascii=False).encode() + b"\n" for key in keys)


def _key(value: object) -> Key:
    """Raises ValueError."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and [type(part) for part in value] == [int, str]:
        return value[0], value[1]
    raise ValueError("neither an id nor a delivery")
