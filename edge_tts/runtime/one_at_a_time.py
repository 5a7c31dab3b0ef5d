"""A part that serves one request after another and refuses a second one meanwhile: enrolment, a change of models."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from edge_tts.errors import QueueFullError
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.values import Report, Stage


class Asked(Protocol):
    """What is known of a request, whatever it asks for."""

    @property
    def id(self) -> str:
        """Names it in every report."""

    def reply(self, report: Report, /) -> object:
        """Tell its sender."""


RequestT = TypeVar("RequestT", bound=Asked)


class OneAtATime(Part, Generic[RequestT]):
    """`begin` is for any thread and returns at once; `serve` runs on this part's own."""

    def __init__(self, *, name: str, runtime: Runtime, busy: str, stop_timeout_s: float) -> None:
        """`busy` says why a second request is refused."""
        super().__init__(name=name, runtime=runtime, stop_timeout_s=stop_timeout_s)
        self._busy = busy
        self._requests: queue.Queue[RequestT | None] = queue.Queue()
        """None ends the waiting for one."""
        self._free = threading.Lock()
        """Held from the moment that a request is taken until it has been served."""
        self._began = 0.0

    def begin(self, request: RequestT) -> None:
        """Serve the request as soon as possible. Raises QueueFullError while another is served."""
        if not self._free.acquire(blocking=False):
            raise QueueFullError(self._busy)
        self.prepare(request)
        self._requests.put(request)

    def prepare(self, request: RequestT) -> None:
        """Called in the thread that asks, once it is certain that the request will be served."""

    def serve(self, request: RequestT) -> None:
        """Serve one request; it ends with a closing report."""
        raise NotImplementedError

    def show_idle(self) -> None:
        """Publish that nothing is being served: at the start, and after each request."""

    def forget(self) -> None:
        """A request has been served: give back what was kept for it."""

    def wake(self) -> None:
        """See `Part.wake`."""
        self._requests.put(None)

    def work(self) -> None:
        """One request after another until asked to stop."""
        self.show_idle()
        self.ready()
        while not self.stopping.is_set():
            request = self._requests.get()
            if request is None:
                break
            self._began = self.runtime.clock()
            self.serve(request)
            self.forget()
            self._free.release()
            self.show_idle()

    def report(self, request: RequestT, stage: Stage, details: Mapping[str, Any]) -> None:
        """Publish how far the request has come, and tell its sender."""
        ms = round(1000 * (self.runtime.clock() - self._began), 1)
        report = Report(id=request.id, stage=stage, ms=ms, details=details)
        self.runtime.events.report(report)
        request.reply(report)
