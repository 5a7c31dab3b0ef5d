"""The last resort of a stop: a process that has not ended in time leaves at once."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

STOP_S = 15.0
"""A stop in order is given up after this time, before systemd would kill (TimeoutStopSec=20)."""
DRIVER_THREADS = frozenset({"loudspeaker", "microphone"})
"""Threads that are left behind in a driver that does not return."""

Leave = Callable[[int], object]
"""`os._exit`."""


class StopGuard:
    """A thread that ends the process with status 1 if the block is not left `limit_s` after `arm`."""

    def __init__(self, *, limit_s: float = STOP_S, leave: Leave = os._exit) -> None:
        self._limit_s, self._leave = limit_s, leave
        self._armed: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._main, name="stop-guard", daemon=True)

    def arm(self) -> None:
        """For signal handlers, too: a SimpleQueue holds no lock that the interrupted thread could hold."""
        self._armed.put(True)

    def __enter__(self) -> StopGuard:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._armed.put(False)
        self._thread.join()

    def _main(self) -> None:
        if self._armed.get() and not self._over.wait(self._limit_s):
            names = ", ".join(sorted(thread.name for thread in threading.enumerate()))
            log.critical("not ended %g s after the stop: leaving at once; threads: %s", self._limit_s, names)
            logging.shutdown()
            self._leave(1)


def leave_held_process(status: int, *, leave: Leave = os._exit) -> None:
    """Leave at once where a driver holds a thread: PortAudio closes its streams at the interpreter's exit, and would
    wait for a frozen sound server for good."""
    held = sorted(DRIVER_THREADS & {thread.name for thread in threading.enumerate()})
    if held:
        log.warning("leaving without closing sound devices, whose driver does not answer: %s", ", ".join(held))
        logging.shutdown()
        leave(status)
