"""Folders that appear and go by one rename, a lock, a log: all survive a power cut. Knows nothing of their contents."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from edge_tts.durable.atomic import sync_folder

PRIVATE = 0o700


def make_folder(folder: Path) -> Path:
    """`folder`, readable by its owner alone, made durably with whatever of its parents is missing. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(PRIVATE, exist_ok=True)
        sync_folder(path.parent)
    return folder


def write_new(path: Path, data: bytes) -> None:
    """A file in a folder that nobody else looks into yet, safely on the disk on return. Raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def publish(files: Mapping[str, bytes], target: Path, *, staging: Path) -> None:
    """Let the folder `target` with `files` in it appear at once: readers find all of it or nothing. Raises OSError."""
    staged = Path(tempfile.mkdtemp(dir=make_folder(staging)))
    try:
        for name, data in files.items():
            write_new(staged / name, data)
        sync_folder(staged)
        staged.rename(target)
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    sync_folder(target.parent)


def remove(folder: Path) -> bool:
    """Take a folder and all that is in it off the disk, as far as it goes; False if there is none. Raises OSError."""
    if not os.path.lexists(folder):
        return False
    shutil.rmtree(folder, ignore_errors=True)  # one file that stays must not keep the others
    if os.path.lexists(folder):
        shutil.rmtree(folder)  # says why
    sync_folder(folder.parent)
    return True


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a log, durably; half a line that a power cut left there is ended first. Raises OSError."""
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    if size == 0:
        sync_folder(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`: one holder at a time among all threads and processes. Waits. Raises OSError."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
