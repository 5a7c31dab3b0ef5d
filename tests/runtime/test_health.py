"""Health: systemd's datagrams and the heartbeats of the parts."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from fakes import WAIT_S, FakeClock

from edge_tts.app.daemon import Stop, watch
from edge_tts.runtime.health import Health, sd_notify, watchdog_interval_s, watchdog_line


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_systemd_gets_the_datagram(tmp_path: Path, kind: str) -> None:
    """The message arrives whole at the socket NOTIFY_SOCKET names, in the file system or the abstract name space."""
    address = str(tmp_path / "notify") if kind == "file" else f"@edge-tts-test-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1) if kind == "abstract" else address)
        listener.settimeout(WAIT_S)
        assert sd_notify("READY=1\nSTATUS=ok", environ={"NOTIFY_SOCKET": address})
        assert listener.recv(100) == b"READY=1\nSTATUS=ok"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    """No socket named, or one that has gone, is no error."""
    assert not sd_notify("READY=1", environ={})
    assert not sd_notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_a_listener_that_reads_nothing_holds_nobody_up(tmp_path: Path) -> None:
    """When the socket is full, sending gives up after a moment instead of stopping the main thread for good."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        sent = 0
        while sd_notify("WATCHDOG=1", environ={"NOTIFY_SOCKET": address}):
            sent += 1
            assert sent < 100_000
    assert sent > 0


def test_the_watchdog_is_fed_twice_per_period() -> None:
    """Half of WATCHDOG_USEC, and nothing when systemd does not ask or asks another process."""
    assert watchdog_interval_s(environ={"WATCHDOG_USEC": "30000000"}) == 15.0
    assert watchdog_interval_s(environ={}) is None
    assert watchdog_interval_s(environ={"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, pid=8) is None
    assert watchdog_interval_s(environ={"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, pid=8) == 15.0


def test_systemd_is_asked_for_patience_and_for_care_again() -> None:
    """The line that lengthens the watchdog for a fresh start, the one that ends that; none where nobody watches."""
    watched = {"WATCHDOG_USEC": "30000000"}
    assert watchdog_line(900, environ=watched) == "\nWATCHDOG_USEC=900000000"
    assert watchdog_line(environ=watched) == "\nWATCHDOG_USEC=30000000"
    assert watchdog_line(900, environ={}) == ""


def test_a_part_without_a_pulse_is_stuck() -> None:
    """Only the part that has shown no progress for longer than the limit is named, until it gets on again."""
    clock = FakeClock()
    health = Health(stall_s=10, clock=clock)
    worker, player = health.pulse("worker"), health.pulse("player")
    clock.now += 8
    player()
    assert health.stuck() == []
    clock.now += 3
    assert health.stuck() == ["worker"]
    worker()
    assert health.stuck() == []


def test_a_stuck_part_starves_the_watchdog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The main loop sends WATCHDOG=1 while nothing is stuck and keeps silent as soon as something is."""
    address = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    stop, looks = Stop(), 0

    def look() -> list[str]:
        nonlocal looks
        looks += 1
        if looks == 4:
            stop.ask()
        return [] if looks <= 2 else ["worker"]

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.setblocking(False)
        watch(stop, look)
        assert [listener.recv(100), listener.recv(100)] == [b"WATCHDOG=1"] * 2
        with pytest.raises(BlockingIOError):
            listener.recv(100)


def test_a_signal_is_taken_at_any_moment() -> None:
    """A handler that interrupts the waiting thread itself, wherever that is, asks it to stop and blocks nobody."""
    before = signal.getsignal(signal.SIGUSR1)
    stop = Stop()
    signal.signal(signal.SIGUSR1, lambda *_: stop.ask())
    try:
        for _ in range(2000):
            os.kill(os.getpid(), signal.SIGUSR1)
            while not stop.wait(0.0001):
                pass
    finally:
        signal.signal(signal.SIGUSR1, before)
