"""The folder of a model set, made beside its place and put there by one rename. Destroys nothing that is not a set."""

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
    """A folder beside `out` that becomes `out` by one rename, or vanishes when the body raises. Raises ModelError.

    With `replace` a model set that is there gives way: the files that its manifest names go, whatever else lies in its
    folder stays there. A link to a set stays a link.
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
    """Raise ModelError unless a set can be made at `out`: nothing is there, an empty folder, or a set to `replace`."""
    if not os.path.lexists(out) or _is_empty(out):
        return
    if not replace:
        raise ModelError(f"{out}: exists already; choose another name, or replace the model set there with --replace")
    try:
        named_files(out)
    except ModelError as stranger:
        raise ModelError(f"{stranger}; --replace only replaces a model set") from stranger


def _is_empty(folder: Path) -> bool:
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _put(staging: Path, out: Path) -> None:
    """Rename `staging` to `out`; a set that is there moves aside first and is removed last."""
    if not out.exists() or _is_empty(out):
        staging.rename(out)
        return
    for name in unnamed_files(out):
        _keep(out / name, staging / name)
    aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
    old = aside / out.name
    out.rename(old)
    try:
        staging.rename(out)
    except OSError:
        old.rename(out)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _keep(stranger: Path, target: Path) -> None:
    """Have a file of somebody else's in the new folder as well: as a second name where the disk can, else as a copy."""
    if os.path.lexists(target):
        raise ModelError(f"{stranger}: is not part of the old model set but of the new one; move it away first")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as taken:
        raise ModelError(f"{stranger.parent}: the new model set has a file of that name; move it away") from taken
    try:
        os.link(stranger, target, follow_symlinks=False)
    except OSError:  # a disk without hard links
        shutil.copy2(stranger, target, follow_symlinks=False)
