"""The audit log: whole lines, whoever writes and whatever ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bad_disk import full
from fakes import FakeClock, until
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.config import config_from
from edge_tts.durable.audit_log import AuditLog, open_audit

MAX_BYTES = 4000


def log_in(folder: Path, *, max_bytes: int = MAX_BYTES, old: Path | None = None) -> AuditLog:
    return AuditLog(path=folder / "audit.log", clock=FakeClock(), by="kitchen", max_bytes=max_bytes, old=old)


def numbers(log: AuditLog) -> list[int]:
    """Of the events that have one."""
    return [line["n"] for line in log.lines() if "n" in line]


def test_a_line_tells_who_did_what_when(tmp_path: Path) -> None:
    """The device, and the caller where there is one; another device where it was that; the file is private."""
    log = log_in(tmp_path / "state")
    log.append("enrolled", {"voice": "0f"})
    log.acting("http shop 10.1.2.3").append("renamed", {"voice": "0f"})
    log.append("deleted", {"voice": "0f"}, by="hall")
    assert log.lines(about=b"0f") == [
        {"time": 1000, "event": "enrolled", "by": "kitchen", "voice": "0f"},
        {"time": 1000, "event": "renamed", "by": "kitchen", "caller": "http shop 10.1.2.3", "voice": "0f"},
        {"time": 1000, "event": "deleted", "by": "hall", "voice": "0f"},
    ]
    assert log.lines(about=b"nothing") == []
    assert log.path.stat().st_mode & 0o777 == 0o600


@given(st.integers(0, 400), st.binary(max_size=20))
def test_no_half_line_is_read_as_a_good_one(tmp_path_factory: pytest.TempPathFactory, cut: int, garbage: bytes) -> None:
    """Wherever the file ends, and whatever stands there: the whole lines before it are read, and those appended
    afterwards; what is between is counted as damaged."""
    log = log_in(tmp_path_factory.mktemp("audit"))
    for n in range(5):
        log.append("said", {"n": n, "voice": "0f" * 16})
    data = log.path.read_bytes()
    whole = data[:cut].count(b"\n")
    log.path.write_bytes(data[:cut] + garbage.replace(b"\n", b"") + b"\x00")
    log.append("said", {"n": 99})
    assert numbers(log) == [*range(whole), 99]
    assert log.read().damaged == 1


def test_a_killed_process_leaves_whole_lines(tmp_path: Path) -> None:
    """SIGKILL at any moment, also while files are put aside: every line counts up, none is half, none twice; and the
    next one writes on."""
    script = (
        "import itertools, pathlib, sys\n"
        "from edge_tts.durable.audit_log import AuditLog\n"
        "log = AuditLog(path=pathlib.Path(sys.argv[1]), clock=lambda: 0, by='k', max_bytes=40_000)\n"
        "for n in itertools.count(int(sys.argv[2])):\n"
        "    log.append('said', {'n': n, 'voice': '0f' * 16}, sync=False)\n"
    )
    log, last = log_in(tmp_path, max_bytes=40_000), -1
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", script, str(log.path), str(last + 1)])
        until(lambda before=last: log.path.exists() and bool(numbers(log)) and numbers(log)[-1] > before + 100)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        found = numbers(log)
        assert found == list(range(found[0], found[-1] + 1))
        assert log.read().damaged <= 1
        last = found[-1]


def test_it_is_bounded_and_keeps_the_latest(tmp_path: Path) -> None:
    """However much is written: never more than configured, and always the end of it, at least half of what fits."""
    log = log_in(tmp_path)
    for n in range(1000):
        log.append("said", {"n": n}, sync=False)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= MAX_BYTES
    found = numbers(log)
    assert found == list(range(found[0], 1000))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) > MAX_BYTES / 2


@pytest.mark.parametrize("there", [{1}, {2}, {1, 3}, {2, 3}, {1, 2, 4}, {5, 6, 7}])
def test_a_gap_in_the_numbers_loses_nothing(tmp_path: Path, there: set[int]) -> None:
    """As a kill in the middle leaves it: all earlier files are read in their order, and at most three stay."""
    log = log_in(tmp_path, max_bytes=400)
    for number in sorted(there, reverse=True):
        (tmp_path / f"audit.log.{number}").write_text(json.dumps({"event": "said", "n": -number}) + "\n")
    for n in range(3):
        log.append("said", {"n": n})
    kept = sorted((-number for number in there), reverse=False)
    assert numbers(log)[-3:] == [0, 1, 2]
    assert numbers(log)[:-3] == kept[len(kept) - len(numbers(log)[:-3]) :]
    assert len(list(tmp_path.glob("audit.log.*"))) <= 3


def test_threads_and_processes_write_at_once(tmp_path: Path) -> None:
    """No line is lost or torn, whoever puts the file aside."""
    script = (
        "import pathlib, sys\n"
        "from edge_tts.durable.audit_log import AuditLog\n"
        "log = AuditLog(path=pathlib.Path(sys.argv[1]), clock=lambda: 0, by='k', max_bytes=80_000)\n"
        "for n in range(200):\n"
        "    log.append('said', {'n': n, 'who': sys.argv[2]}, sync=False)\n"
    )
    log = log_in(tmp_path, max_bytes=80_000)
    others = [subprocess.Popen([sys.executable, "-c", script, str(log.path), str(number)]) for number in range(2)]

    def write(who: str) -> None:
        for n in range(200):
            log.append("said", {"n": n, "who": who}, sync=False)

    threads = [threading.Thread(target=write, args=(f"thread {number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for ended in (*threads, *others):
        ended.join() if isinstance(ended, threading.Thread) else ended.wait()
    read = log.read()
    assert read.damaged == 0
    for who in ("0", "1", "thread 0", "thread 1"):
        assert [line["n"] for line in read.lines if line["who"] == who] == list(range(200))


def test_the_log_of_an_earlier_version_is_its_beginning(tmp_path: Path) -> None:
    """What lies in the voices' folder is read first, and goes first."""
    config = config_from({"device": "hall"}, folder=tmp_path)
    config.voices.dir.mkdir(parents=True)
    old = config.voices.dir / "audit.log"
    old.write_text('{"time": 1, "event": "enrolled", "owner": "anna", "voice": "0f", "by": "hall"}\n')
    log = open_audit(config, clock=FakeClock())
    log.append("renamed", {"voice": "0f"})
    assert [(line["event"], line["by"]) for line in log.lines()] == [("enrolled", "hall"), ("renamed", "hall")]
    small = log_in(tmp_path, old=old)
    for n in range(200):
        small.append("said", {"n": n}, sync=False)
    assert not old.exists()


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    """The line that does not fit is an error, and the next one that does is whole."""
    log = log_in(tmp_path)
    log.append("said", {"n": 1})
    with full(tmp_path), pytest.raises(OSError, match="No space left"):
        log.append("said", {"n": 2})
    log.append("said", {"n": 3})
    assert numbers(log) == [1, 3]
