"""A microphone on a thread of its own: one whose driver never returns holds up nobody else. Knows no devices."""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import closing

from edge_tts.audio.devices import OpenMicrophone
from edge_tts.values import FloatArray

log = logging.getLogger(__name__)

_CLOSING_S = 1.0


class MicrophoneThread:
    """Opens a microphone, reads it a block at a time as it is asked to, and closes it, all on one thread.

    A driver that blocks for ever keeps that thread and nothing else; should it ever return, the device is given back.
    """

    def __init__(self, open_microphone: OpenMicrophone) -> None:
        self.sample_rate = 0
        """Hz; known from the first block on."""
        self._open = open_microphone
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._given: queue.SimpleQueue[FloatArray | BaseException] = queue.SimpleQueue()
        self._pending = False
        self._thread = threading.Thread(target=self._main, name="microphone", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> FloatArray | None:
        """The next samples, float32 [n], or None when there are none yet. Raises what the microphone raises."""
        if not self._pending:
            self._asked.put(True)
        self._pending = True
        try:
            given = self._given.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._pending = False
        if isinstance(given, BaseException):
            raise given
        return given

    def close(self) -> None:
        """Have the device given back, and wait for that, but not for long."""
        self._asked.put(False)
        self._thread.join(_CLOSING_S)
        if self._thread.is_alive():
            log.warning("the microphone's driver does not answer; it is left alone")

    def _main(self) -> None:
        try:
            with closing(self._open()) as microphone:
                self.sample_rate = microphone.sample_rate
                while self._asked.get():
                    self._given.put(microphone.read())
        except BaseException as trouble:  # noqa: BLE001 - raised again where it is read
            self._given.put(trouble)
