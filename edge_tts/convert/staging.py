"""Makes the folder of a model set and puts it in place by an atomic rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_tts.errors import ModelError
from edge_tts.model_folder import named_files, unnamed_files


@contextmanager
def staged(out: Path, *, replace: bool) -> Iterator[Path]:
    """A folder beside `out` that becomes `out` by an atomic rename, or is removed when the body raises.

    With `replace`, files that an old set's manifest names are removed and all others kept. A link to a set stays one.
    Raises ModelError.
    """
    check_place(out, replace=replace)
    out = out.resolve()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise ModelError(f"{out}: cannot be made: {error}") from error
    try:
        yield staging
        staging.chmod(0o755)
        _put(staging, out)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


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
    """Rename `staging` to `out`; an old set is renamed first and removed last."""
    if not out.exists() or _is_empty(out):
        staging.rename(out)
        return
    for name in unnamed_files(out):
        _copy(out / name, staging / name)
    backup = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    old = backup / out.name
    out.rename(old)
    try:
        staging.rename(out)
    except OSError:
        old.rename(out)
        backup.rmdir()
        raise
    shutil.rmtree(backup, ignore_errors=True)


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
