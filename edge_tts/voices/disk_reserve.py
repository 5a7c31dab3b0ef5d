"""Disk space reserved for deletions, by a file that is removed when needed."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from edge_tts.durable.files import write_new

RESERVE_BYTES = 1 << 16
"""A tombstone, its folder and a log line take a block (4 KiB) each."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_no_room(error: OSError) -> bool:
    """Whether the disk, or the account's quota, is full."""
    return error.errno in _NO_ROOM


class DiskReserve:
    """A file of RESERVE_BYTES; used under the caller's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> None:
        """Make the file whole; without room for that, remove it."""
        try:
            if not self._path.exists() or self._path.stat().st_size < RESERVE_BYTES:
                write_new(self._path, os.urandom(RESERVE_BYTES))  # some file systems compress zeros to nothing
        except OSError:
            self.release()

    def release(self) -> bool:
        """Free the space; True if there was any."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False
