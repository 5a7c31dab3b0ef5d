"""A folder that serves as a bucket: is its disk there at all? Knows that of objects only which were never finished.

A mount point outlives its mount: an empty folder may be a new bucket, or a drive that is not connected. So a file lies
in each bucket that was used, and a folder that has neither it nor any object is never used in place of one that has.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from edge_tts.durable.folders import PRIVATE
from edge_tts.durable.fsync import sync_folder
from edge_tts.errors import TransportError
from edge_tts.voices.sync.plan import ROOT

MARKER = "edge-tts-bucket.txt"
LEFTOVER_S = 86400.0
"""What a writer has not finished for so long it never will: long enough for clocks that do not agree."""

_TEXT = (
    "edge-tts keeps voices in this folder. If this file and all voices are gone, it waits for the disk to come back.\n"
)
_UNFINISHED = re.compile(r".+#[0-9]+")


def open_folder(folder: Path, *, used_before: bool, now: float) -> bool:
    """Make the bucket if it is new, and sweep up after killed writers; `now` is in seconds since 1970.

    Returns whether its marker is there: a full bucket that cannot be written to has none. Raises OSError, and
    TransportError if the bucket has been used and is not there: another is never begun in its place.
    """
    marked = (folder / MARKER).exists()
    if not marked and used_before and not _has_objects(folder):
        raise vanished(folder)
    if not marked:
        marked = _mark(folder)
    for path in (folder / ROOT).rglob("*#*"):
        with suppress(OSError):  # another's, or just finished
            if _UNFINISHED.fullmatch(path.name) and path.stat().st_mtime < now - LEFTOVER_S:
                path.unlink()
    return marked


def vanished(folder: Path) -> TransportError:
    """What to tell people."""
    return TransportError(
        f"{folder}: the bucket's folder has vanished; is its disk connected? "
        f"(If it is meant to be empty, make a file {MARKER} in it.)"
    )


def _has_objects(folder: Path) -> bool:
    """Whether anything lies where objects do: a bucket that was filled before there were such markers."""
    return (folder / ROOT).is_dir() and any((folder / ROOT).iterdir())


def _mark(folder: Path) -> bool:
    """Leave the marker in the folder, which is made if need be, readable by its owner alone; False if nobody may."""
    for path in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        path.mkdir(PRIVATE, exist_ok=True)
    try:
        (folder / MARKER).write_text(_TEXT, encoding="utf-8")
    except OSError:
        if not _has_objects(folder):
            raise
        return False
    with suppress(OSError):  # some network drives cannot
        sync_folder(folder)
    return True
