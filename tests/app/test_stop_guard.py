"""A stop that does not end, and what is left to do."""

from __future__ import annotations

import queue
import threading

import pytest
from fakes import WAIT_S

from edge_tts.app.daemon import Stop
from edge_tts.app.stop_guard import StopGuard, leave_held_process


def test_a_stop_that_hangs_is_ended(caplog: pytest.LogCaptureFixture) -> None:
    """The process leaves with status 1 after the limit, and the log names the threads that still ran."""
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    with StopGuard(limit_s=0.01, leave=left.put) as guard:
        Stop(guard).ask()
        assert left.get(timeout=WAIT_S) == 1
    assert "MainThread" in caplog.text


def test_a_stop_in_time_and_no_stop_leave_nothing_behind() -> None:
    """Whoever ends in time, or was not asked to stop, ends as usual."""
    left: list[int] = []
    for asked in (True, False):
        with StopGuard(limit_s=WAIT_S, leave=left.append) as guard:
            if asked:
                Stop(guard).ask()
    assert left == []


def test_a_driver_that_holds_a_thread_is_not_waited_for() -> None:
    """The process leaves with the status it had; without such a thread it ends as usual."""
    left: list[int] = []
    leave_held_process(0, leave=left.append)
    assert left == []
    free = threading.Event()
    thread = threading.Thread(target=free.wait, args=(WAIT_S,), name="loudspeaker")
    thread.start()
    leave_held_process(3, leave=left.append)
    free.set()
    thread.join()
    assert left == [3]
