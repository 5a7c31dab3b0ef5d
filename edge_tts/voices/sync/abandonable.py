"""Work that a disk may hold for ever, done by a thread that nobody has to wait for. Knows no disk and no bucket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from typing import Any, TypeVar

from edge_tts.errors import TransportError

T = TypeVar("T")

_PATIENCE_S = 0.5
_under_way: dict[str, Future[Any]] = {}
"""Of the whole process: whoever gave up the waiting may be gone, and the daemon started anew, while a thread hangs."""
_guard = threading.Lock()


async def run_abandonable(work: Callable[[], T], *, name: str) -> T:
    """The result of `work`, or what it raises; it runs in a thread called `name`, which goes on if this is cancelled.

    One thread of a name at a time, or there would be thousands after a month: a second caller waits a moment for the
    first one's thread, and gets a TransportError if it does not end.
    """
    mine: Future[T] = Future()
    mine.set_running_or_notify_cancel()  # so that cancelling the wrapper cannot cancel it
    while (other := _claim(name, mine)) is not mine:
        try:
            other.exception(_PATIENCE_S)
        except StillRunning:
            raise TransportError("the disk still does not answer") from None
    try:
        threading.Thread(target=_run, args=(work, name, mine), name=name, daemon=True).start()
    except BaseException:
        _release(name)
        raise
    return await asyncio.wrap_future(mine)


def _claim(name: str, mine: Future[T]) -> Future[Any]:
    """Whose turn it is: that of `mine` if no other was first."""
    with _guard:
        return _under_way.setdefault(name, mine)


def _run(work: Callable[[], T], name: str, done: Future[T]) -> None:
    try:
        result = work()
    except BaseException as trouble:  # noqa: BLE001 - raised again where it is waited for
        _release(name)
        done.set_exception(trouble)
    else:
        _release(name)
        done.set_result(result)


def _release(name: str) -> None:
    """The next one may begin, before those who wait are told."""
    with _guard:
        del _under_way[name]
