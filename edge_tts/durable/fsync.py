"""fsync of a file, and of the names in a folder: a power cut may lose either."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import IO

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a disk, or of an account's share of it, that has no room left."""


def sync_file(file: IO[bytes]) -> None:
    """Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
