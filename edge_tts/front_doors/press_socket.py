"""Button presses by programs on this machine, such as tools/enroll_button, over a Unix socket in the state folder that
only the daemon's account may use. They count as presses at the device; those over MQTT do not."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_tts.errors import named
from edge_tts.front_doors.payloads import EnrolPayload, parse_enroll
from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.runtime import Runtime

log = logging.getLogger(__name__)

NAME = "press.sock"
_WAIT_S, _CLIENT_S, _RETRY_S = 0.5, 1.0, 5.0
_LARGEST = 4096


def send_press(folder: Path, payload: bytes) -> str:
    """Press at the daemon of a state folder; `payload` as in MQTT's `enroll`. Returns the reason of a refusal, else "".
    Raises OSError where no daemon serves the folder, or not this account."""
    with _address(folder) as address, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(10 * _CLIENT_S)
        client.connect(address)
        client.send(payload or b" ")
        return client.recv(_LARGEST).decode("utf-8", "replace").strip()


class PressSocket(OptionalPart):
    """Serves the socket. Making it is retried: nothing else depends on it."""

    def __init__(self, *, runtime: Runtime, folder: Path, press: Callable[[EnrolPayload], None]) -> None:
        """`press` may raise RequestError, whose message goes to the client."""
        advice = "`state_dir` must be a folder of the daemon's own account"
        super().__init__(name="press-socket", runtime=runtime, advice=advice, retry_s=_RETRY_S)
        self._folder, self._press = folder, press

    def wake(self) -> None:
        """A connection without data ends `accept`."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(_WAIT_S)
            with _address(self._folder) as address:
                client.connect(address)

    def work(self) -> None:
        while not self.stopping.is_set():
            try:
                with self._listening() as listener:
                    self.status.ok(quiet=True)
                    self.ready()
                    self._serve(listener)
            except OSError as error:
                if self.status.is_ok:
                    log.warning("no presses by programs on this machine for now (%s), the rest goes on", error)
                self.status.fail(error, quiet=True)
                self.ready()
                self.stopping.wait(_RETRY_S)

    @contextmanager
    def _listening(self) -> Iterator[socket.socket]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with _address(self._folder) as address, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            with suppress(FileNotFoundError):
                os.unlink(address)  # left by an earlier process
            listener.bind(address)
            os.chmod(address, 0o600)
            listener.listen()
            listener.settimeout(_WAIT_S)
            try:
                yield listener
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(address)

    def _serve(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            with client, suppress(OSError):  # a client that is gone or silent
                client.settimeout(_CLIENT_S)
                if payload := client.recv(_LARGEST):  # empty: it has gone
                    client.send(self._answer(payload).encode("utf-8") or b" ")

    def _answer(self, payload: bytes) -> str:
        """Why a press was refused, else ""."""
        try:
            self._press(parse_enroll(payload))
        except Exception as error:  # noqa: BLE001 - one press must not end the others
            refused = named(error, "press")
            log.warning("refused a press: %s", refused)
            return str(refused)
        return ""


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The socket's path, spelled to fit into the 107 bytes of a Unix address."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{NAME}"
    finally:
        os.close(handle)
