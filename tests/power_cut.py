"""A power cut for tests: the n-th change of the disk does not happen, and what was not fsynced is lost.

Python's audit events tell of every open, rename, mkdir and remove before it happens; os.fsync is watched by a patch.
Names (of new files and folders, and after a rename) count as safe once their folder was fsynced, bytes once their file
was; a removal counts as safe at once.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from audit_hook import install

_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class PowerCutError(BaseException):
    """The lights went out. No `except OSError` or `except Exception` may see it."""


class Disk:
    """What has been changed below `root`, and which of it would survive."""

    def __init__(self, root: Path, *, cut_at: int | None) -> None:
        self.root = str(root)
        self.steps = 0
        self.dead = False
        self._cut_at = cut_at
        self._sizes: dict[str, int] = {}
        self._renames: list[tuple[str, str, bytes | None]] = []
        """Old name, new name, and what was there under the new one."""
        self._made: list[str] = []

    def step(self) -> None:
        """Another change is about to happen, or not."""
        if self.dead or self.steps == self._cut_at:
            self.dead = True
            raise PowerCutError
        self.steps += 1

    def on_event(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if self._is_here(path) and flags & _WRITES:
                self.step()
                self._on_write(os.fspath(path), flags)
        elif event in _CHANGES and (self._is_here(arguments[0]) or self._is_below_handle(arguments)):
            self.step()
            if event == "os.mkdir":
                self._made.append(os.fspath(arguments[0]))
            if event == "os.rename":
                self._on_rename(os.fspath(arguments[0]), os.fspath(arguments[1]))

    def on_fsync(self, handle: int) -> None:
        path = os.readlink(f"/proc/self/fd/{handle}")
        if self._is_here(path):
            self.step()
            self._sizes.pop(path, None)
            self._made = [made for made in self._made if os.path.dirname(made) != path]
            self._renames = [known for known in self._renames if path not in map(os.path.dirname, known[:2])]

    def lose(self) -> None:
        """Take away what no fsync had made safe: bytes are cut in the middle, new names go, renamed ones go back."""
        for path, size in self._sizes.items():
            if os.path.exists(path) and os.path.getsize(path) > size:
                os.truncate(path, (os.path.getsize(path) + size) // 2)
        for path in self._made:
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.remove(path)
        for old, new, replaced in reversed(self._renames):
            if os.path.exists(new) and not os.path.exists(old) and os.path.isdir(os.path.dirname(old)):
                shutil.move(new, old)
                if replaced is not None:
                    Path(new).write_bytes(replaced)

    def _on_write(self, path: str, flags: int) -> None:
        if not os.path.exists(path):
            self._made.append(path)
        size = os.path.getsize(path) if os.path.exists(path) and not flags & os.O_TRUNC else 0
        self._sizes.setdefault(path, size)

    def _on_rename(self, old: str, new: str) -> None:
        """What was unsafe under its old name is so under the new one; the name itself may go back."""

        def moved(path: str) -> str:
            return new + path.removeprefix(old) if path == old or path.startswith(old + "/") else path

        self._sizes.pop(new, None)  # what is replaced is of no interest any more
        self._sizes = {moved(path): size for path, size in self._sizes.items()}
        self._made = [moved(path) for path in self._made if path != old]
        self._renames.append((old, new, Path(new).read_bytes() if os.path.isfile(new) else None))

    def _is_here(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.root)

    def _is_below_handle(self, arguments: tuple[Any, ...]) -> bool:
        """shutil.rmtree removes by name relative to an open folder."""
        handle = arguments[-1]
        return isinstance(handle, int) and handle > 2 and self._is_here(os.readlink(f"/proc/self/fd/{handle}"))


_watching: list[Disk] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and (event == "open" or event in _CHANGES):
        disk = _watching.pop()  # what the watcher itself does is not watched
        try:
            disk.on_event(event, arguments)
        finally:
            _watching.append(disk)


@contextmanager
def power(root: Path, *, cut_at: int | None) -> Iterator[Disk]:
    """Run the block with the power cut at that change below `root`; None only counts the changes."""
    install(_hook)
    disk = Disk(root, cut_at=cut_at)
    real = os.fsync

    def fsync(handle: int) -> None:
        disk.on_fsync(handle)
        real(handle)

    os.fsync = fsync
    _watching.append(disk)
    try:
        yield disk
    except PowerCutError:
        pass
    finally:
        _watching.clear()
        os.fsync = real


def cut_everywhere(
    folder: Path, *, start: Callable[[Path], None], work: Callable[[Path], None], check: Callable[[Path, bool], None]
) -> int:
    """`start`, then `work` with the power cut at each of its changes in turn, then `check`; returns how many there are.

    Each cut is tried twice: as the kill of a process (what was written stays) and as the loss of all that was not safe.
    `check` is told whether `work` had come to its end: then nothing of it may be lost.
    """
    for cut_at in itertools.count():
        for lossy in (False, True):
            root = folder / f"{cut_at}-{lossy}"
            root.mkdir()
            start(root)
            with power(root, cut_at=cut_at) as disk:
                work(root)
            if lossy:
                disk.lose()
            check(root, not disk.dead)
        if not disk.dead:
            return cut_at
    raise AssertionError("unreachable")
