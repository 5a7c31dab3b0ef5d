"""Bad disks for tests: a spot that cannot be read, a file that cannot be removed, a disk that is full.

Python's audit events tell of every open, listing, mkdir, rename and remove before it happens, and may refuse it.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from audit_hook import install

Refuses = Callable[[str, str, int], "int | None"]
"""Event, path, flags of an open -> the errno to answer with, if any."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EVENTS = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "os.rmdir")
_rules: list[Refuses] = []
_inside = threading.local()


@contextmanager
def unreadable(path: Path, *, code: int = errno.EIO) -> Iterator[None]:
    """While the block runs, `path` and all below it cannot be looked at, opened or listed."""
    real = Path.stat

    def rule(event: str, name: str, flags: int) -> int | None:
        is_bad = name == str(path) or name.startswith(f"{path}/")
        return code if is_bad and event in ("open", "os.listdir", "os.scandir", "stat") else None

    def stat(self: Path, **options: Any) -> os.stat_result:
        if self != path:  # what is known of a bad file's name is in its folder, which is well
            _refuse("stat", os.fspath(self), 0)
        return real(self, **options)

    with _ruled(rule), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "stat", stat)
        yield


@contextmanager
def undeletable(path: Path) -> Iterator[None]:
    """While the block runs, the file cannot be removed."""

    def rule(event: str, name: str, flags: int) -> int | None:
        return errno.EIO if event == "os.remove" and name == str(path) else None

    with _ruled(rule):
        yield


@contextmanager
def before_listing(folder: Path, act: Callable[[], object]) -> Iterator[None]:
    """While the block runs, somebody else does `act` whenever the folder is about to be listed."""

    def rule(event: str, name: str, flags: int) -> int | None:
        if name == str(folder) and event in ("os.listdir", "os.scandir"):
            act()
        return None

    with _ruled(rule):
        yield


@contextmanager
def full(root: Path, *, once: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """While the block runs, nothing can be written below `root` any more, as soon as `once` is true."""

    def rule(event: str, name: str, flags: int) -> int | None:
        writes = event == "os.mkdir" or (event == "open" and flags & _WRITES and not name.endswith(".lock"))
        return errno.ENOSPC if writes and name.startswith(f"{root}/") and once() else None

    with _ruled(rule):
        yield


_BLOCK = 4096


class Filling:
    """A disk with room for so many changes; then for as many as what is removed gives back, a block for each."""

    def __init__(self, root: Path, *, room: int) -> None:
        self.changes = 0
        self._root, self._left = f"{root}/", room

    def rule(self, event: str, name: str, flags: int) -> int | None:
        """A rule of this module."""
        if not name.startswith(self._root) or name.endswith(".lock"):
            return None
        if event in ("os.remove", "os.rmdir") and os.path.lexists(name):
            self._left += max(1, os.lstat(name).st_size // _BLOCK)
        return self._take() if event == "os.mkdir" or (event == "open" and flags & _WRITES) else None

    def fsync(self, handle: int) -> None:
        """Some disks find out that they are full only when what was written has to lie somewhere."""
        name = os.readlink(f"/proc/self/fd/{handle}")
        if name.startswith(self._root) and not os.path.isdir(name) and self._take():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    def _take(self) -> int | None:
        self.changes += 1
        self._left -= 1
        if self._left >= 0:
            return None
        self._left = 0
        return errno.ENOSPC


@contextmanager
def filling(root: Path, *, room: int) -> Iterator[Filling]:
    """While the block runs, the disk below `root` has room for so many changes and for what is given back."""
    disk, real = Filling(root, room=room), os.fsync

    def fsync(handle: int) -> None:
        disk.fsync(handle)
        real(handle)

    os.fsync = fsync
    try:
        with _ruled(disk.rule):
            yield disk
    finally:
        os.fsync = real


@contextmanager
def _ruled(rule: Refuses) -> Iterator[None]:
    install(_hook)
    _rules.append(rule)
    try:
        yield
    finally:
        _rules.remove(rule)


def _refuse(event: str, path: str, flags: int, *, name: str | None = None) -> None:
    """Ask the rules about the whole `path`; the error tells the `name` that the system was given."""
    if getattr(_inside, "a_rule", False):
        return  # what a rule itself looks at is not refused
    _inside.a_rule = True
    try:
        answers = [rule(event, path, flags) for rule in list(_rules)]
    finally:
        _inside.a_rule = False
    for code in answers:
        if code is not None:
            raise OSError(code, os.strerror(code), name or path)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _rules and event in _EVENTS and isinstance(arguments[0], str | os.PathLike):
        path, last = os.fspath(arguments[0]), arguments[-1]
        name = path
        if event in ("os.remove", "os.rmdir") and isinstance(last, int) and last > 2:
            path = os.path.join(os.readlink(f"/proc/self/fd/{last}"), path)  # rmtree: relative to an open folder
        _refuse(event, path, last if event == "open" and isinstance(last, int) else 0, name=name)
