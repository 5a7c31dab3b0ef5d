"""Whether a folder is the voices' own, and what a crash leaves in it. Touches nothing that was not written by us."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_tts.durable.folders import make_folder
from edge_tts.durable.lock import locked
from edge_tts.errors import VoiceError
from edge_tts.voices.format import CARD, ID_DIGITS, VoiceRef

OWNERS, IDS = "[a-z0-9]*", "[0-9a-f]" * ID_DIGITS
VOICES = f"{OWNERS}/{IDS}"
"""The folders of voices below the voices' folder, as a pattern."""

FEATURES = "features"
"""Below each of them: what model sets derived."""

_LOCK = ".lock"
_LEFTOVERS = (  # what the work of `publish` and `write_atomic` is called until they are renamed
    ".staging/tmp*",
    ".trash/tmp*",  # of earlier versions
    "..*.json.*",
    f"{VOICES}/.*.*.*",
    f"{VOICES}/{FEATURES}/.*.*.*",
    f".incoming/{VOICES}/.*.*",  # of earlier versions
    ".deleted/*/.*.json.*",
)


def folder_of(directory: Path, ref: VoiceRef) -> Path:
    """Where that voice lies, or would."""
    return directory / ref.owner / ref.id


def incoming_of(directory: Path, ref: VoiceRef) -> Path:
    """Where the files of a voice are collected that is being fetched from elsewhere."""
    return directory / ".incoming" / ref.owner / ref.id


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Make the voices' folder if need be and hold it: one holder at a time, whoever it is.

    Raises OSError, or VoiceError when it is not the voices' or not this account's.
    """
    make_folder(directory)
    lock = directory / _LOCK
    if not lock.exists():
        _refuse_foreign(directory, lock)
    _refuse_root(directory, lock)
    with locked(lock):
        yield


def sweep(directory: Path) -> None:
    """Remove what a crash left half done. Only while it is held. Raises OSError."""
    for pattern in _LEFTOVERS:
        for path in list(directory.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _refuse_foreign(directory: Path, lock: Path) -> None:
    """A folder with other things in it is used only if voices are among them: by a slip it may be anybody's."""
    if any(True for pattern in (f"{VOICES}/{CARD}", f".deleted/{VOICES}.json") for _ in directory.glob(pattern)):
        return
    others = sorted(path.name for path in directory.iterdir() if path.name != "lost+found")
    if others and not lock.exists():  # else another process was first, this very moment
        raise VoiceError(
            f"{directory}: is not a folder of voices, for it holds other things ({others[0]!a}); "
            "give voices.dir a folder of its own"
        )


def _refuse_root(directory: Path, lock: Path) -> None:
    """root may write everywhere, but what it writes here the account of the service could not read."""
    owner = (lock if lock.exists() else directory).stat().st_uid
    if os.geteuid() != 0 or owner == 0:
        return
    with tempfile.TemporaryFile(dir=directory) as probe:
        if os.fstat(probe.fileno()).st_uid == owner:
            return  # a stick or a share on which everything belongs to one account
    try:
        account = pwd.getpwuid(owner).pw_name
    except KeyError:
        account = f"#{owner}"
    raise VoiceError(f"{directory}: belongs to the account {account}; change voices as that one: sudo -u {account} ...")
