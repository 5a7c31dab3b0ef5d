"""A new file, written in place and durably."""

from __future__ import annotations

from pathlib import Path

from edge_tts.durable.fsync import sync_file


def write_new(path: Path, data: bytes) -> None:
    """Write a file; its name is durable once the caller has synced the folder. Raises OSError."""
    with path.open("wb") as file:
        file.write(data)
        sync_file(file)
