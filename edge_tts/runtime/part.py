"""A part: a thread with one owner, and how it starts, stops and fails."""

from __future__ import annotations

import logging
import threading
from typing import TypeVar

from edge_tts.errors import EdgeTTSError
from edge_tts.runtime.part_status import PartStatus, reason
from edge_tts.runtime.runtime import Runtime

log = logging.getLogger(__name__)

PartT = TypeVar("PartT", bound="Part")


class Part:
    """Owns a thread that runs `work` from `__enter__` to `__exit__`.

    `work` calls `ready` when the part can serve, and returns soon after `wake` once `stopping` is set. `__enter__`
    raises what it raises before `ready`; later exceptions go to `Runtime.fatal`.
    """

    def __init__(self, *, name: str, runtime: Runtime, stop_timeout_s: float = 10.0) -> None:
        self.name = name
        self.runtime = runtime
        self.stopping = threading.Event()
        self._stop_timeout_s = stop_timeout_s
        self._ready = threading.Event()
        self._start_error: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def work(self) -> None:
        raise NotImplementedError

    def wake(self) -> None:
        """Make `work` see `stopping` before its next time-out."""

    def ready(self) -> None:
        """Let `__enter__` return."""
        self._ready.set()

    def __enter__(self: PartT) -> PartT:
        self._thread.start()
        self._ready.wait()
        if self._start_error is not None:
            self._thread.join()
            raise self._start_error
        return self

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        self.wake()
        self._thread.join(self._stop_timeout_s)
        if self._thread.is_alive():
            raise RuntimeError(f"thread {self.name} still runs {self._stop_timeout_s:g} s after it was asked to stop")

    def _main(self) -> None:
        try:
            self.work()
        except BaseException as error:
            if self._ready.is_set():
                self.runtime.fatal(self.name, error)
                raise
            self._start_error = error
        finally:
            self.stopping.set()  # for those who wait on a part that has failed
            self._ready.set()


class OptionalPart(Part):
    """A part that costs only itself: whatever `work` raises is logged and shown in the state, and `work` is called
    again after `retry_s`. One that does not stop in time is left behind."""

    def __init__(
        self, *, name: str, runtime: Runtime, advice: str, retry_s: float, stop_timeout_s: float = 3.0
    ) -> None:
        """`advice`: what to do about a failure."""
        super().__init__(name=name, runtime=runtime, stop_timeout_s=stop_timeout_s)
        self.status = PartStatus(name.replace("-", "_"), events=runtime.events, advice=advice)
        self._retry_s = retry_s

    def __exit__(self, *exception: object) -> None:
        self.stopping.set()
        try:
            self.wake()
        except Exception as error:  # noqa: BLE001 - outside, anything can be raised
            log.warning("the thread %s could not be woken: %s", self.name, reason(error))
        self._thread.join(self._stop_timeout_s)
        if self._thread.is_alive():
            log.warning("the thread %s does not end; it is left behind", self.name)

    def _main(self) -> None:
        self.status.begin()
        while not self.stopping.is_set():
            try:
                self.work()
            except BaseException as error:
                if self.status.is_ok and not isinstance(error, EdgeTTSError):
                    log.warning("the thread %s met what nobody expected", self.name, exc_info=error)
                self.status.fail(error)
                self._ready.set()
                self.stopping.wait(self._retry_s)
        self._ready.set()
