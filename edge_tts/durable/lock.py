"""Lock files between threads and processes; the kernel releases it when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HeldError(OSError):
    """Another process holds the lock; the message is its pid."""


@contextmanager
def held_alone(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, with our pid in it. Raises HeldError at once when another process has it, OSError."""
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise HeldError(file.read(20).strip()) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`. Blocks. Raises OSError."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
