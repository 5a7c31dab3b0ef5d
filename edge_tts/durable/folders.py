"""Folders that appear atomically and survive a power cut."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edge_tts.durable.files import write_new
from edge_tts.durable.fsync import sync_folder

PRIVATE = 0o700


def make_folder(folder: Path) -> Path:
    """Make `folder` and its missing parents, mode 0700, durably. Raises OSError."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(PRIVATE, exist_ok=True)
        sync_folder(path.parent)
    return folder


def other_owner(folder: Path, mark: Path | None = None) -> str | None:
    """The account that `folder` (or `mark`, if it exists) belongs to, when we are root and what we wrote there would be
    out of its reach; else None. Raises OSError."""
    owner = (mark if mark is not None and mark.exists() else folder).stat().st_uid
    if os.geteuid() != 0 or owner == 0:
        return None
    with tempfile.TemporaryFile(dir=folder) as probe:
        if os.fstat(probe.fileno()).st_uid == owner:
            return None  # a stick or a share where one account owns everything
    try:
        return pwd.getpwuid(owner).pw_name
    except KeyError:
        return f"#{owner}"


def publish(files: Mapping[str, bytes], target: Path, *, staging: Path) -> None:
    """Create the folder `target` with `files` atomically. Raises OSError."""
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
    """Remove a folder with its contents as far as possible; False if there is none.

    Raises the first OSError, with the full path of what stays: rmtree's own may lack the folder or the file.
    """
    if not os.path.lexists(folder):
        return False
    errors: list[OSError] = []

    def collect(_: object, path: str, info: tuple[type, BaseException, object]) -> None:
        if isinstance(info[1], OSError):
            info[1].filename = path
            errors.append(info[1])

    shutil.rmtree(folder, onerror=collect)  # one undeletable file must not keep the others
    if errors and os.path.lexists(folder):
        raise errors[0]
    sync_folder(folder.parent)
    return True
