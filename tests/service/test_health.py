"""Signs of life: systemd's datagrams and the pulses of the parts."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from fakes import FakeClock

from edge_tts.daemon import watch
from edge_tts.service.health import Health, sd_notify, watchdog_interval_s


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_systemd_gets_the_datagram(tmp_path: Path, kind: str) -> None:
    """The message arrives whole at the socket NOTIFY_SOCKET names, in the file system or the abstract name space."""
    address = str(tmp_path / "notify") if kind == "file" else f"@edge-tts-test-{tmp_path.name}-{id(tmp_path)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address.replace("@", "\0", 1) if kind == "abstract" else address)
        listener.settimeout(5)
        assert sd_notify("READY=1\nSTATUS=ok", environ={"NOTIFY_SOCKET": address})
        assert listener.recv(100) == b"READY=1\nSTATUS=ok"


def test_without_systemd_nothing_happens(tmp_path: Path) -> None:
    """No socket named, or one that has gone, is no error."""
    assert not sd_notify("READY=1", environ={})
    assert not sd_notify("READY=1", environ={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_the_watchdog_is_fed_twice_per_period() -> None:
    """Half of WATCHDOG_USEC, and nothing when systemd does not ask or asks another process."""
    assert watchdog_interval_s(environ={"WATCHDOG_USEC": "30000000"}) == 15.0
    assert watchdog_interval_s(environ={}) is None
    assert watchdog_interval_s(environ={"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, pid=8) is None
    assert watchdog_interval_s(environ={"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, pid=8) == 15.0


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
    stop, looks = threading.Event(), 0

    def look() -> list[str]:
        nonlocal looks
        looks += 1
        if looks == 4:
            stop.set()
        return [] if looks <= 2 else ["worker"]

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.setblocking(False)
        watch(stop, look)
        assert [listener.recv(100), listener.recv(100)] == [b"WATCHDOG=1"] * 2
        with pytest.raises(BlockingIOError):
            listener.recv(100)
