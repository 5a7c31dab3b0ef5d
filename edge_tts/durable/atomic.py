"""Atomic replacement of one file.

`write_atomic` is for the appliance's own state: private, durable. `replacing` is for a user's output: it keeps links
and modes, and does not sync the folder, which some network drives refuse.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_tts.durable.fsync import sync_file, sync_folder


def write_atomic(path: Path, data: bytes | memoryview) -> None:
    """Replace `path` by `data`, mode 0600, durably. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    staged = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            sync_file(file)
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield an empty file, with the suffix of `path`, that replaces `path` when the block ends without an error.

    Links are followed, the mode is kept, missing folders are made. A device is written to directly. Raises OSError.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(path))
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield beside
        with beside.open("rb") as written:  # a power cut must not find the new name before the new bytes
            os.fsync(written.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(path, beside)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
