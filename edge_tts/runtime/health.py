"""Heartbeats of the parts, and systemd's notification socket."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping


def sd_notify(message: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Notify systemd (`READY=1`, `WATCHDOG=1`, `STATUS=...`), see sd_notify(3); False where nothing listens."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # the abstract name space
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(1.0)  # a full socket would block for good
            channel.sendto(message.encode(), address)
    except OSError:
        return False  # speech does not depend on it
    return True


def watchdog_line(limit_s: float | None = None, *, environ: Mapping[str, str] = os.environ) -> str:
    """Notification line that sets systemd's watchdog time-out, None: to the unit's. Empty without a watchdog."""
    if watchdog_interval_s(environ=environ) is None:
        return ""
    return f"\nWATCHDOG_USEC={environ['WATCHDOG_USEC'] if limit_s is None else int(limit_s * 1e6)}"


def watchdog_interval_s(*, environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """Half of systemd's watchdog time-out, in seconds; None without a watchdog."""
    timeout_us = environ.get("WATCHDOG_USEC", "")
    if not timeout_us.isdigit() or int(timeout_us) == 0:
        return None
    if environ.get("WATCHDOG_PID") not in (None, str(os.getpid() if pid is None else pid)):
        return None
    return int(timeout_us) / 2e6


class Health:
    """A part is stuck when its last heartbeat is older than `stall_s`. Thread-safe."""

    def __init__(self, *, stall_s: float, clock: Callable[[], float]) -> None:
        self._stall_s = stall_s
        self._clock = clock
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def pulse(self, name: str) -> Callable[[], None]:
        """The heartbeat of the part `name`: cheap enough for every step of a loop."""
        self._beat(name)
        return lambda: self._beat(name)

    def stuck(self) -> list[str]:
        now = self._clock()
        with self._lock:
            return sorted(name for name, last in self._last.items() if now - last > self._stall_s)

    def _beat(self, name: str) -> None:
        with self._lock:
            self._last[name] = self._clock()
