"""A folder as a bucket: whether its disk is connected.

An empty folder may be a new bucket or the mount point of an unplugged disk. So a bucket holds a marker file.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from edge_tts.durable.folders import PRIVATE
from edge_tts.durable.fsync import sync_folder
from edge_tts.errors import TransportError

ROOT = "v1"
"""Above all voices in any bucket."""
MARKER = "edge-tts-bucket.txt"
LEFTOVER_S = 86400.0
"""Age of a dead upload, with a margin for differing clocks."""

_TEXT = (
    "edge-tts keeps voices in this folder. If this file and all voices are gone, it waits for the disk to come back.\n"
)
_UNFINISHED = re.compile(r".+#[0-9]+")


def open_folder(folder: Path, *, used_before: bool, now: float) -> bool:
    """Make a new bucket, or remove dead uploads from an old one; `now` is in seconds since 1970.

    Returns whether the marker exists: an old, read-only bucket has none. Raises OSError, and TransportError if a used
    bucket is missing.
    """
    marked = (folder / MARKER).exists()
    if not marked and used_before and not _has_objects(folder):
        raise vanished(folder)
    if not marked:
        marked = _mark(folder)
    for path in (folder / ROOT).rglob("*#*"):
        with suppress(OSError):  # another account's, or just finished
            if _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime < now - LEFTOVER_S:
                path.unlink()
    return marked


def vanished(folder: Path) -> TransportError:
    return TransportError(
        f"{folder}: the bucket's folder has vanished; is its disk connected? "
        f"(If it is meant to be empty, make a file {MARKER} in it.)"
    )


def _has_objects(folder: Path) -> bool:
    """Buckets of earlier versions have no marker."""
    return (folder / ROOT).is_dir() and any((folder / ROOT).iterdir())


def _mark(folder: Path) -> bool:
    """Make the folder, mode 0700, and write the marker; False in a read-only bucket."""
    for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        path.mkdir(PRIVATE, exist_ok=True)
    try:
        (folder / MARKER).write_text(_TEXT, encoding="utf-8")
    except OSError:
        if not _has_objects(folder):
            raise
        return False
    with suppress(OSError):  # some network drives refuse it
        sync_folder(folder)
    return True
