"""Whether the voices on the disk have changed, whoever changed them. Looks at names and times, reads no file.

Every change of a voice ends in one rename (see `VoiceStore`), and the rename itself is what is seen here: also the one
of a process that was killed before it could write its line into the log. So the log's size would not do.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from edge_tts.store.voice_format import CARD, NAME
from edge_tts.store.voice_store import FEATURES

_VOICE = "[a-z0-9]*/[0-9a-f]*"

Outline = frozenset[tuple[str, int, int]]


def outline(directory: Path, *, features: str) -> Outline:
    """Path, inode and time of the files that a change replaces: cards, names, `features` (a file name), tombstones.
    Another one after every change; what cannot be read is left out.

    The inode tells apart two files of one name even within one tick of the disk's clock.
    """
    found = set()
    for pattern in (*(f"{_VOICE}/{name}" for name in (CARD, NAME, f"{FEATURES}/{features}")), ".deleted/*/*.json"):
        with suppress(OSError):  # a folder went while we looked: the outline differs anyway
            for path in directory.glob(pattern):
                status = path.stat()
                found.add((str(path), status.st_ino, status.st_mtime_ns))
    return frozenset(found)
