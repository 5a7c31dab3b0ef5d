"""A microphone on a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
from contextlib import closing

from edge_tts.audio.devices import OpenMicrophone
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

log = logging.getLogger(__name__)

_CLOSE_TIMEOUT_S = 1.0


class MicrophoneThread:
    """Opens a microphone, reads a block per request, closes it. A driver that never returns holds this thread only."""

    def __init__(self, open_microphone: OpenMicrophone) -> None:
        self.sample_rate = 0
        """Hz; set before the first block."""
        self._open = open_microphone
        self._requests: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[FloatArray | BaseException] = queue.SimpleQueue()
        self._pending = False
        self._thread = threading.Thread(target=self._main, name="microphone", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> FloatArray | None:
        """float32 [n], or None after the time-out. Raises AudioError for whatever goes wrong."""
        if not self._pending:
            self._requests.put(True)
        self._pending = True
        try:
            result = self._results.get(timeout=timeout_s)
        except queue.Empty:
            return None
        self._pending = False
        if isinstance(result, AudioError):
            raise result
        if isinstance(result, BaseException):
            raise AudioError(f"the microphone failed: {type(result).__name__}: {result}") from result
        return result

    def close(self) -> None:
        """Free the device; waits a second for the driver."""
        self._requests.put(False)
        self._thread.join(_CLOSE_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("the microphone's driver does not answer; it is left alone")

    def _main(self) -> None:
        try:
            with closing(self._open()) as microphone:
                self.sample_rate = microphone.sample_rate
                while self._requests.get():
                    self._results.put(microphone.read())
        except BaseException as error:  # noqa: BLE001 - raised again where it is read
            self._results.put(error)
