"""Room on the disk that is kept for deletions: a file that is given up when there is none left. Knows no voices."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from edge_tts.durable.files import write_new

RESERVE_BYTES = 1 << 16
"""A tombstone, the folder it lies in and a line in the log take a block each, of 4 KiB as a rule."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_no_room(trouble: OSError) -> bool:
    """Whether that is what a full disk says, or an account that has used up its share of one."""
    return trouble.errno in _NO_ROOM


class DiskReserve:
    """A file of RESERVE_BYTES whose contents mean nothing. The caller sees to it that one at a time uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> None:
        """Make it if it is not there, or not whole; where there is no room for it, there is none to keep."""
        try:
            if not self._path.exists() or self._path.stat().st_size < RESERVE_BYTES:
                write_new(self._path, os.urandom(RESERVE_BYTES))  # some disks pack zeros to nothing
        except OSError:
            self.give_up()

    def give_up(self) -> bool:
        """Let others have the room; True if there was any."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False
