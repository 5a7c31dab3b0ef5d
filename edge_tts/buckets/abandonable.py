"""Runs blocking disk work in a thread that can be abandoned when the disk hangs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as StillRunning
from typing import Any, TypeVar

from edge_tts.errors import TransportError

T = TypeVar("T")

_WAIT_S = 0.5
_running: dict[str, Future[Any]] = {}
"""By thread name. Global: a hung thread may outlive what started it."""
_lock = threading.Lock()


async def run_abandonable(work: Callable[[], T], *, name: str) -> T:
    """Await `work` in a thread called `name`, which goes on if this is cancelled.

    One thread per name, so that retries do not pile up threads: a second caller waits for the first, and raises
    TransportError if it hangs.
    """
    mine: Future[T] = Future()
    mine.set_running_or_notify_cancel()  # so that cancelling the awaiter cannot cancel it
    while (other := _claim(name, mine)) is not mine:
        try:
            other.exception(_WAIT_S)
        except StillRunning:
            raise TransportError("the disk still does not answer") from None
    try:
        threading.Thread(target=_run, args=(work, name, mine), name=name, daemon=True).start()
    except BaseException:
        _release(name)
        raise
    return await asyncio.wrap_future(mine)


def _claim(name: str, mine: Future[T]) -> Future[Any]:
    """The running future of that name; `mine` if there was none."""
    with _lock:
        return _running.setdefault(name, mine)


def _run(work: Callable[[], T], name: str, done: Future[T]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - raised again in the awaiter
        _release(name)
        done.set_exception(error)
    else:
        _release(name)
        done.set_result(result)


def _release(name: str) -> None:
    with _lock:
        del _running[name]
