"""Whether the voices on the disk have changed, whoever changed them. Looks at names and times, reads no file.

Every change of a voice ends in one rename (see `VoiceStore`), and the rename itself is what is seen here: also the one
of a process that was killed before it could write its line into the log. So the log's size would not do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from edge_tts.voices.format import CARD, NAME, VoiceRef
from edge_tts.voices.voice_folder import FEATURES, VOICES

Outline = Mapping[VoiceRef, frozenset[tuple[str, int, int]]]


def outline(directory: Path, *, features: str) -> Outline:
    """Of each voice path, inode and time of the files that a change replaces: card, name, `features` (a file name),
    tombstone. Another one after every change of that voice; what cannot be read is left out.

    The inode tells apart two files of one name even within one tick of the disk's clock.
    """
    found: dict[VoiceRef, set[tuple[str, int, int]]] = {}
    for ref, path in _files(directory, features):
        with suppress(OSError):  # there is none
            status = path.stat()
            found.setdefault(ref, set()).add((str(path), status.st_ino, status.st_mtime_ns))
    return {ref: frozenset(marks) for ref, marks in found.items()}


def _files(directory: Path, features: str) -> Iterator[tuple[VoiceRef, Path]]:
    """Where those files are, or would be."""
    with suppress(OSError):  # a folder went while we looked: the outline differs anyway
        for folder in directory.glob(VOICES):
            for name in (CARD, NAME, f"{FEATURES}/{features}"):
                yield VoiceRef(folder.parent.name, folder.name), folder / name
    with suppress(OSError):
        for stone in directory.glob(f".deleted/{VOICES}.json"):
            yield VoiceRef(stone.parent.name, stone.stem), stone
