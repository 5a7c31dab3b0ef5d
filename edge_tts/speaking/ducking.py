"""Turns other sound down while we speak, by a command or an MQTT message, and up again afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge_tts.config import DuckingConfig
from edge_tts.durable.folders import make_folder
from edge_tts.errors import AudioError
from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.runtime import Runtime

_ADVICE = "try the command of `ducking` as the account of the service; speech goes on without it"
_TICK_S = 0.1


class Ducking(OptionalPart):
    """`begin` waits until the other sound is down, `ducking.limit_s` at most; `end` returns at once.

    What was turned down is turned up `ducking.linger_s` after the last `end`, at a stop, and, by a mark in the state
    folder, after a crash.
    """

    def __init__(
        self, *, runtime: Runtime, config: DuckingConfig, mark: Path, publish: Callable[[str, str], None]
    ) -> None:
        super().__init__(name="ducking", runtime=runtime, advice=_ADVICE, retry_s=0.0)
        self._config, self._mark, self._publish = config, mark, publish
        self._condition = threading.Condition()
        self._is_down = mark.exists()
        self._up_at: float | None = float("-inf")
        """When it is to be turned up, by the runtime's clock; None: it is to be down."""

    def begin(self, waiting: Callable[[], None]) -> None:
        with self._condition:
            self._up_at = None
            self._condition.notify_all()
            left_s = self._config.limit_s
            while not self._is_down and left_s > 0 and not self.stopping.is_set():
                waiting()
                self._condition.wait(_TICK_S)
                left_s -= _TICK_S

    def end(self) -> None:
        with self._condition:
            self._up_at = self.runtime.clock() + self._config.linger_s

    def wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def work(self) -> None:
        self.ready()
        while not self.stopping.is_set():
            with self._condition:
                if self._is_due():
                    down = self._up_at is None
                else:
                    self._condition.wait(_TICK_S)
                    continue
            self._turn(down)
        if self._is_down:
            self._turn(False)

    def _is_due(self) -> bool:
        if self._up_at is None:
            return not self._is_down
        return self._is_down and self.runtime.clock() >= self._up_at

    def _turn(self, down: bool) -> None:
        """Raises AudioError; then, too, it counts as done, since nobody knows how far it went."""
        try:
            if down:
                self._note(True)
            if self._config.topic is not None:
                self._publish(self._config.topic, self._config.payload_on if down else self._config.payload_off)
            command = self._config.before if down else self._config.after
            if command:
                _run(command, self._config.limit_s)
            self.status.ok()
        finally:
            if not down:
                self._note(False)
            with self._condition:
                self._is_down = down
                self._condition.notify_all()

    def _note(self, down: bool) -> None:
        with suppress(OSError):
            if down:
                make_folder(self._mark.parent)
                self._mark.touch()
            else:
                self._mark.unlink(missing_ok=True)


def _run(command: tuple[str, ...], limit_s: float) -> None:
    """Raises AudioError for a command that is not there, fails or takes longer; then it is killed with its children."""
    what = f"the command {command[0]}"
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as missing:
        raise AudioError(f"{what} cannot be run ({missing.strerror})") from missing
    try:
        status = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AudioError(f"{what} took longer than {limit_s:g} s and was ended") from None
    if status:
        raise AudioError(f"{what} ended with status {status}")
