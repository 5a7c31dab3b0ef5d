"""Counts what is done: files opened and fsyncs of a block, calls of a function. So work is measured without a clock."""

from __future__ import annotations

import cProfile
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit_hook import install

_open: list[tuple[str, Counter[str]]] = []


@contextmanager
def counting(root: Path) -> Iterator[Counter[str]]:
    """How often each file below `root` is opened, by its name; and `fsync` for every one of the process."""
    install(_hook)
    counts: Counter[str] = Counter()
    real = os.fsync

    def fsync(handle: int) -> None:
        counts["fsync"] += 1
        real(handle)

    os.fsync = fsync
    _open.append((f"{root}/", counts))
    try:
        yield counts
    finally:
        _open.pop()
        os.fsync = real


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _open and event == "open" and isinstance(arguments[0], str | os.PathLike):
        path = os.fspath(arguments[0])
        for root, counts in _open:
            if isinstance(path, str) and path.startswith(root):
                counts[os.path.basename(path)] += 1


def steps(work: Callable[[], object]) -> int:
    """How many functions are called to do `work`, those written in C included."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())
