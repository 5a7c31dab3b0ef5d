"""The hashes of files that may be larger than memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_BLOCK = 1 << 20
_AT_ONCE = 4
"""More no disk and no memory feeds."""


def sha256_of(path: Path) -> str:
    """In hex. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_each(paths: Iterable[Path]) -> list[tuple[Path, Future[str]]]:
    """Of many files, several at a time. A result raises what `sha256_of` does."""
    with ThreadPoolExecutor(_AT_ONCE, "sha256") as pool:
        return [(path, pool.submit(sha256_of, path)) for path in paths]
