"""Signs of life: pulses of the parts, and systemd's notification socket. Knows nothing of what the parts do."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Mapping


def sd_notify(message: str, *, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell systemd (`READY=1`, `WATCHDOG=1`, `STATUS=...`); False when nothing listens (not started by systemd).

    A datagram to the socket that NOTIFY_SOCKET names; a leading @ means the abstract name space (sd_notify(3)).
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(1.0)  # a listener that reads nothing fills the socket, and sending would wait for good
            channel.sendto(message.encode(), address)
    except OSError:
        return False  # a vanished or deaf listener must not take the speech with it
    return True


def watchdog_line(limit_s: float | None = None, *, environ: Mapping[str, str] = os.environ) -> str:
    """The line of a notification that has systemd wait `limit_s` for signs of life, None: as long as the unit says.

    Empty where systemd does not ask for any.
    """
    if watchdog_interval_s(environ=environ) is None:
        return ""
    return f"\nWATCHDOG_USEC={environ['WATCHDOG_USEC'] if limit_s is None else int(limit_s * 1e6)}"


def watchdog_interval_s(*, environ: Mapping[str, str] = os.environ, pid: int | None = None) -> float | None:
    """Half of the time within which systemd wants a `WATCHDOG=1`, in seconds; None when it does not ask."""
    wanted = environ.get("WATCHDOG_USEC", "")
    if not wanted.isdigit() or int(wanted) == 0:
        return None
    if environ.get("WATCHDOG_PID") not in (None, str(os.getpid() if pid is None else pid)):
        return None
    return int(wanted) / 2e6


class Health:
    """Who has shown progress lately. A part is stuck when its last pulse is older than `stall_s`."""

    def __init__(self, *, stall_s: float, clock: Callable[[], float]) -> None:
        self._stall_s = stall_s
        self._clock = clock
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def pulse(self, name: str) -> Callable[[], None]:
        """A function for the part `name` to call whenever it gets on; it costs next to nothing."""
        self._beat(name)
        return lambda: self._beat(name)

    def stuck(self) -> list[str]:
        """Names of the parts that have shown no progress for too long."""
        now = self._clock()
        with self._lock:
            return sorted(name for name, last in self._last.items() if now - last > self._stall_s)

    def _beat(self, name: str) -> None:
        with self._lock:
            self._last[name] = self._clock()
