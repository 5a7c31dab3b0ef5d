"""The voices' folder: its paths and lock, the check that it is ours, and the clean-up after a crash."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_tts.durable.folders import make_folder, other_owner
from edge_tts.durable.lock import locked
from edge_tts.errors import VoiceError
from edge_tts.voices.format import CARD, ID_DIGITS, VoiceRef

OWNERS, IDS = "[a-z0-9]*", "[0-9a-f]" * ID_DIGITS
VOICES = f"{OWNERS}/{IDS}"
"""Glob pattern of the voices in it."""

FEATURES = "features"
"""Sub-folder of each voice."""

_LOCK = ".lock"
_LEFTOVERS = (  # what `publish` and `write_atomic` leave when they are killed
    ".staging/tmp*",
    ".trash/tmp*",  # of earlier versions
    "..*.json.*",
    f"{VOICES}/.*.*.*",
    f"{VOICES}/{FEATURES}/.*.*.*",
    f".incoming/{VOICES}/.*.*",  # of earlier versions
    ".deleted/*/.*.json.*",
    ".deleted/*/.*.pending.*",
)


def folder_of(directory: Path, ref: VoiceRef) -> Path:
    return directory / ref.owner / ref.id


def incoming_of(directory: Path, ref: VoiceRef) -> Path:
    """Where a partial fetch is kept."""
    return directory / ".incoming" / ref.owner / ref.id


@contextmanager
def locked_folder(directory: Path) -> Iterator[None]:
    """Make the voices' folder and hold its lock. Raises OSError, or VoiceError for a foreign folder or account."""
    make_folder(directory)
    lock = directory / _LOCK
    if not lock.exists():
        _refuse_foreign(directory, lock)
    _refuse_root(directory, lock)
    with locked(lock):
        yield


def sweep(directory: Path) -> None:
    """Remove what a crash left. Needs the lock. Raises OSError."""
    for pattern in _LEFTOVERS:
        for path in list(directory.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _refuse_foreign(directory: Path, lock: Path) -> None:
    """`voices.dir` may be a slip: refuse a folder of other things."""
    if any(True for pattern in (f"{VOICES}/{CARD}", f".deleted/{VOICES}.json") for _ in directory.glob(pattern)):
        return
    others = sorted(path.name for path in directory.iterdir() if path.name != "lost+found")
    if others and not lock.exists():  # else another process has just begun to use it
        raise VoiceError(
            f"{directory}: is not a folder of voices, for it holds other things ({others[0]!a}); "
            "give voices.dir a folder of its own"
        )


def _refuse_root(directory: Path, lock: Path) -> None:
    """The service could not read what root writes."""
    account = other_owner(directory, lock)
    if account is not None:
        message = f"{directory}: belongs to the account {account}; change voices as that one: sudo -u {account} ..."
        raise VoiceError(message)
