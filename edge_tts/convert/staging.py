"""Makes the folder of a model set and puts it in place by an atomic rename.

All that a conversion writes lies in a folder `.NAME.converting.XXXXXXXX` beside the set's, locked while it runs: `set`,
and `old` for the moment in which an old set gives way. What a killed conversion left is cleared by the next one.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_tts.durable.fsync import FULL
from edge_tts.errors import ModelError
from edge_tts.model_folder import named_files, unnamed_files

_WORK = re.compile(r"\.(.+)\.converting\.[a-z0-9_]{8}")


@contextmanager
def staged(out: Path, *, replace: bool) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` by an atomic rename, or is removed when the body raises.

    With `replace`, files that an old set's manifest names are removed and all others kept. A link to a set stays one.
    The folder's parent is for whatever else the body writes. Raises ModelError, also for an OSError of the body.
    """
    real = out.resolve()
    try:
        _sweep(real.parent)
        check_place(out, replace=replace)
        real.parent.mkdir(parents=True, exist_ok=True)
        with _work_folder(real) as work:
            staging = work / "set"
            staging.mkdir()
            yield staging
            staging.chmod(0o755)
            _put(staging, real)
    except OSError as error:
        reason = "the disk is full" if error.errno in FULL else str(error)
        raise ModelError(f"{out}: cannot be written: {reason}") from error


def require_space(folder: Path, needed: int) -> None:
    """Raise ModelError unless so many bytes are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        sizes = f"about {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free"
        raise ModelError(f"the disk is full, nothing was written: {sizes}; make room, or give --out on another disk")


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.converting.", dir=out.parent))
    with _locked(work):
        try:
            yield work
        finally:
            _clear(work, out)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the lock is ours; the kernel releases it when its holder dies."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or a drive without locks
        return False
    return True


def _sweep(parent: Path) -> None:
    """Clear what killed conversions left in `parent`; what cannot be cleared, another account's, hinders nobody."""
    for work in parent.glob(".*.converting.*"):
        match = _WORK.fullmatch(work.name)
        if match and not work.is_symlink():
            with suppress(OSError), _locked(work) as ours:
                if ours:
                    _clear(work, parent / match[1])


def _clear(work: Path, out: Path) -> None:
    """Remove a work folder; an old set in it that nothing has replaced goes back to its place."""
    old = work / "old"
    if os.path.lexists(old) and not os.path.lexists(out):
        old.rename(out)
    shutil.rmtree(work, ignore_errors=True)


def check_place(out: Path, *, replace: bool) -> None:
    """Raise ModelError unless nothing is at `out`, or an empty folder, or a set to `replace`."""
    if not os.path.lexists(out) or _is_empty(out):
        return
    if not replace:
        raise ModelError(f"{out}: exists already; choose another name, or replace the model set there with --replace")
    try:
        named_files(out)
    except ModelError as error:
        raise ModelError(f"{error}; --replace only replaces a model set") from error


def _is_empty(folder: Path) -> bool:
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _put(staging: Path, out: Path) -> None:
    """Rename `staging` to `out`; an old set is moved beside it first, and goes with the work folder."""
    if not out.exists() or _is_empty(out):
        staging.rename(out)
        return
    for name in unnamed_files(out):
        _copy(out / name, staging / name)
    out.rename(staging.with_name("old"))
    staging.rename(out)


def _copy(source: Path, target: Path) -> None:
    """Hard link, or copy, a file that the old manifest does not name. Raises ModelError."""
    if os.path.lexists(target):
        raise ModelError(f"{source}: is not part of the old model set but of the new one; move it away first")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ModelError(f"{source.parent}: the new model set has a file of that name; move it away") from error
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # no hard links
        shutil.copy2(source, target, follow_symlinks=False)
