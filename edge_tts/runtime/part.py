"""A part: a thread with one owner, and how it starts, stops and fails."""

from __future__ import annotations

import logging
import threading
from typing import TypeVar

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
