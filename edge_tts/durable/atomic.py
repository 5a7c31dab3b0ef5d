"""A file that is replaced whole or not at all: a reader or a power cut finds the old bytes or the new.

`write_atomic` is for the appliance's own state: private, durable. `replacing` is for files that people asked for: it
keeps links and modes, takes data as it comes, and asks nothing of the folder that a network drive cannot do.
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
    """Replace `path` by `data`, readable and writable by its owner alone, durably. Raises OSError."""
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
    """A new, empty file beside `path`, with its suffix, that takes its place when the block ends well.

    When the block raises, `path` is as it was and nothing is left beside it. A link keeps its place, a file its mode;
    missing folders are made. A device, which holds nothing that could be lost, is written to as it is. Raises OSError.
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
