"""The socket for presses by programs on this machine: who may use it, what it takes, what it survives."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rig import make_runtime

from edge_tts.errors import PayloadError
from edge_tts.front_doors.payloads import EnrolPayload
from edge_tts.front_doors.press_socket import NAME, PressSocket, send_press


@contextmanager
def serving(folder: Path, presses: list[EnrolPayload]) -> Iterator[None]:
    """A socket in that folder that writes down what was pressed; the name `nobody` is refused, `bug` is a defect."""

    def press(payload: EnrolPayload) -> None:
        if payload.name == "nobody":
            raise PayloadError("there is no such person")
        presses.append(payload)
        if payload.name == "bug":
            raise ZeroDivisionError

    with PressSocket(runtime=make_runtime(), folder=folder, press=press):
        yield


@pytest.mark.parametrize("depth", [0, 20])
def test_a_press_arrives(tmp_path: Path, depth: int) -> None:
    """With a name or without, however long the path of the state folder is; the socket goes with its owner."""
    folder, presses = tmp_path.joinpath(*["a long name of a folder"] * depth), list[EnrolPayload]()
    with serving(folder, presses):
        assert send_press(folder, b"") == ""
        assert send_press(folder, b'{"name": "Anna", "language": "en"}') == ""
    assert [(press.name, press.language) for press in presses] == [(None, None), ("Anna", "en")]
    assert os.listdir(folder) == []
    with pytest.raises(OSError, match="No such file"):
        send_press(folder, b"")


def test_a_stop_is_no_trouble(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Being stopped while nobody presses is not logged as a fault, and a new one begins."""
    for _ in range(3):
        with serving(tmp_path, []):
            assert send_press(tmp_path, b"") == ""
    assert caplog.records == []


def test_only_the_daemons_own_account_may_press(tmp_path: Path) -> None:
    """Nobody else may write to the socket, whatever the umask of the process is."""
    umask = os.umask(0)
    try:
        with serving(tmp_path, []):
            assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    finally:
        os.umask(umask)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b'{"name": "nobody"}', "no such person"),
        (b"press", "JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"name": "Anna", "age": 7}', "age"),
        (b'{"name": "bug"}', "ZeroDivisionError"),
    ],
)
def test_a_press_that_is_refused_hears_why_and_the_next_is_served(tmp_path: Path, payload: bytes, says: str) -> None:
    """Whatever comes in is answered, and ends nothing."""
    presses: list[EnrolPayload] = []
    with serving(tmp_path, presses):
        assert says in send_press(tmp_path, payload)
        assert send_press(tmp_path, b'{"name": "Anna"}') == ""
    assert presses[-1].name == "Anna"


def test_a_program_that_goes_away_disturbs_nobody(tmp_path: Path) -> None:
    """One that connects and leaves without a word, too."""
    presses: list[EnrolPayload] = []
    with serving(tmp_path, presses):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(tmp_path / NAME))
        assert send_press(tmp_path, b"") == ""
    assert len(presses) == 1


def test_the_socket_of_a_dead_process_is_replaced(tmp_path: Path) -> None:
    """After a kill the file is still there; nobody answers until the next start, which takes its place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(tmp_path / NAME))
    with pytest.raises(ConnectionRefusedError):
        send_press(tmp_path, b"")
    presses: list[EnrolPayload] = []
    with serving(tmp_path, presses):
        assert send_press(tmp_path, b"") == ""
    assert len(presses) == 1


def test_no_socket_costs_only_the_socket(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where it cannot be made the part starts and stops all the same, and the log says what is missing."""
    (tmp_path / "file").write_text("")
    with serving(tmp_path / "file", []):
        assert "no presses by programs on this machine" in caplog.text
