"""Durable writes in place: a new file, and a log that grows by lines."""

from __future__ import annotations

import os
from pathlib import Path

from edge_tts.durable.fsync import sync_file, sync_folder


def write_new(path: Path, data: bytes) -> None:
    """Write a file; its name is durable once the caller has synced the folder. Raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        sync_file(file)


def append_line(path: Path, line: bytes) -> None:
    """Append a line, first ending half a line that a power cut left. Raises OSError."""
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line + b"\n")
        sync_file(file)
    if size == 0:
        sync_folder(path.parent)
