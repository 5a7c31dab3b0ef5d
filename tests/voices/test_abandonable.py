"""Abandonable work: its result, one thread per name, and no caller left waiting."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes import WAIT_S

from edge_tts.buckets.abandonable import run_abandonable
from edge_tts.errors import TransportError

CALLERS, CALLS = 8, 50


def fail() -> None:
    """Work that raises."""
    raise OSError("no such disk")


def test_results_and_errors_come_back() -> None:
    """The caller gets the result or the exception, and the name is free again."""
    for _ in range(2):
        assert asyncio.run(run_abandonable(lambda: 7, name="lucky")) == 7
        with pytest.raises(OSError, match="no such disk"):
            asyncio.run(run_abandonable(fail, name="lucky"))


def test_callers_of_one_name_take_turns() -> None:
    """Concurrent callers of one name each get an answer, and their work never overlaps."""
    inside, most = 0, 0

    def work() -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.0005)  # let the others run, if they may
        inside -= 1
        return 1

    def ask(_: int) -> int:
        return sum(asyncio.run(run_abandonable(work, name="shared")) for _ in range(CALLS))

    with ThreadPoolExecutor(CALLERS) as pool:
        assert sum(pool.map(ask, range(CALLERS))) == CALLERS * CALLS
    assert most == 1


def test_a_hung_thread_blocks_its_name_only() -> None:
    """While the work hangs, callers of its name are refused and others are served; afterwards all are."""
    begun, over = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        over.wait(WAIT_S)

    async def give_up() -> None:
        waiting = asyncio.ensure_future(run_abandonable(hang, name="hung"))
        await asyncio.to_thread(begun.wait, WAIT_S)
        waiting.cancel()
        await asyncio.wait({waiting})

    asyncio.run(give_up())
    threads = threading.active_count()
    with pytest.raises(TransportError, match="still does not answer"):
        asyncio.run(run_abandonable(lambda: 7, name="hung"))
    assert threading.active_count() <= threads
    assert asyncio.run(run_abandonable(lambda: 7, name="other")) == 7
    over.set()
    assert asyncio.run(run_abandonable(lambda: 7, name="hung")) == 7


def test_a_thread_that_cannot_start_keeps_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started, the caller gets the error and the next call works."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            asyncio.run(run_abandonable(lambda: 7, name="unborn"))
    assert asyncio.run(run_abandonable(lambda: 7, name="unborn")) == 7
