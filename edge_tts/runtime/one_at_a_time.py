"""A part that serves one request at a time and refuses a second one: enrolment, change of models."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

from edge_tts.errors import QueueFullError
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.values import Report, Stage

_IDLE_S = 5.0


class AnyRequest(Protocol):
    """What is read of a request."""

    @property
    def id(self) -> str: ...

    def reply(self, report: Report, /) -> object: ...


RequestT = TypeVar("RequestT", bound=AnyRequest)


class OneAtATime(Part, Generic[RequestT]):
    """`begin` is for any thread and returns at once; `serve` runs in this part's own."""

    def __init__(self, *, name: str, runtime: Runtime, busy: str, stop_timeout_s: float) -> None:
        """`busy`: the message of a refusal."""
        super().__init__(name=name, runtime=runtime, stop_timeout_s=stop_timeout_s)
        self._busy = busy
        self._requests: queue.Queue[RequestT | None] = queue.Queue()
        """None wakes `work`."""
        self._free = threading.Lock()
        """Held from `begin` until the request has been served."""
        self._began = 0.0

    def begin(self, request: RequestT) -> None:
        """Raises QueueFullError while another request is served."""
        if not self._free.acquire(blocking=False):
            raise QueueFullError(self._busy)
        self.prepare(request)
        self._requests.put(request)

    def prepare(self, request: RequestT) -> None:
        """Called in the thread of `begin`, once the request is accepted."""

    def serve(self, request: RequestT) -> None:
        """Must send a closing report."""
        raise NotImplementedError

    def show_idle(self) -> None:
        """Called at the start, and after each request."""

    def idle(self) -> None:
        """Called every few seconds without a request."""

    def forget(self) -> None:
        """Called after each request, before the next can begin."""

    def wake(self) -> None:
        self._requests.put(None)

    def work(self) -> None:
        self.show_idle()
        self.ready()
        while not self.stopping.is_set():
            try:
                request = self._requests.get(timeout=_IDLE_S)
            except queue.Empty:
                self.idle()
                continue
            if request is None:
                break
            self._began = self.runtime.clock()
            self.serve(request)
            self.forget()
            self._free.release()
            self.show_idle()

    def report(self, request: RequestT, stage: Stage, details: Mapping[str, Any]) -> None:
        """Publish a report and call the request's reply with it."""
        ms = round(1000 * (self.runtime.clock() - self._began), 1)
        report = Report(id=request.id, stage=stage, ms=ms, details=details)
        self.runtime.events.report(report)
        request.reply(report)
