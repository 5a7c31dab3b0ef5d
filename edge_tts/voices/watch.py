"""Detects changes of the voices on disk by any process, even one killed before it could write to the audit log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from edge_tts.voices.format import CARD, NAME, SHARE, VoiceRef
from edge_tts.voices.voice_folder import FEATURES, VOICES

Outline = Mapping[VoiceRef, frozenset[tuple[str, int, int]]]


def outline(directory: Path, *, features: str) -> Outline:
    """Path, inode and mtime of each voice's mutable files: card, name, share, tombstone and the file name `features`.

    The inode tells two versions apart within one tick of the disk's clock. Unreadable files are left out.
    """
    marks: dict[VoiceRef, set[tuple[str, int, int]]] = {}
    for ref, path in _files(directory, features):
        with suppress(OSError):
            status = path.stat()
            marks.setdefault(ref, set()).add((str(path), status.st_ino, status.st_mtime_ns))
    return {ref: frozenset(of_voice) for ref, of_voice in marks.items()}


def _files(directory: Path, features: str) -> Iterator[tuple[VoiceRef, Path]]:
    with suppress(OSError):  # a folder is being removed: the outline differs anyway
        for folder in directory.glob(VOICES):
            for name in (CARD, NAME, SHARE, f"{FEATURES}/{features}"):
                yield VoiceRef(folder.parent.name, folder.name), folder / name
    with suppress(OSError):
        for kind in ("json", "pending"):
            for tombstone in directory.glob(f".deleted/{VOICES}.{kind}"):
                yield VoiceRef(tombstone.parent.name, tombstone.stem), tombstone
