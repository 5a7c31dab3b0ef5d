"""A rotten spot on the disk for tests: one file or folder that refuses to be looked at, opened or listed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_bad: list[tuple[str, int]] = []


@contextmanager
def unreadable(path: Path, *, code: int = errno.EIO) -> Iterator[None]:
    """While the block runs, `path` and all below it answer with that error."""
    _install()
    real = Path.stat

    def stat(self: Path, **options: Any) -> os.stat_result:
        if self != path:  # the name of a bad file is in its folder, which is well
            _refuse(os.fspath(self))
        return real(self, **options)

    _bad.append((os.fspath(path), code))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Path, "stat", stat)
            yield
    finally:
        _bad.pop()


def _refuse(path: str) -> None:
    for bad, code in _bad:
        if path == bad or path.startswith(bad + "/"):
            raise OSError(code, os.strerror(code), path)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _bad and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | os.PathLike):
        _refuse(os.fspath(arguments[0]))


def _install(installed: list[bool] = []) -> None:  # noqa: B006 - an audit hook can be added once and never removed
    if not installed:
        installed.append(True)
        sys.addaudithook(_hook)
