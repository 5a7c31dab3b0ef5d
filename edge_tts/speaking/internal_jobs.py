"""What a part puts into the worker's line on its own account, and how each of it ended. Knows not what it is for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from edge_tts.errors import QueueFullError
from edge_tts.runtime.event_bus import EventBus
from edge_tts.speaking.job_queue import JobQueue, failure
from edge_tts.speaking.worker import Speaker, Task
from edge_tts.values import AudioChunk, Priority, Report, SpeakRequest

log = logging.getLogger(__name__)

_TICK_S = 0.5

Work = Callable[[Speaker, Callable[[], bool]], Iterator[AudioChunk]]
"""See `Task.work`."""


class InternalJobs:
    """Remembers the closing reports of its own requests, whatever others say or ask for under their ids."""

    def __init__(self, *, jobs: JobQueue, events: EventBus, new_id: Callable[[], str], min_volume: float = 0.0) -> None:
        """`min_volume`: all of them are heard at least so loud, 0 to 1, whatever the volume is."""
        self._jobs, self._events, self._new_id, self._min_volume = jobs, events, new_id, min_volume
        self._open: dict[str, Report | None] = {}
        self._condition = threading.Condition()

    def speak(self, text: str, *, voice: str | None = None) -> str:
        """Put a text in line, in the default voice unless told otherwise; its id. A full line is logged, not raised."""
        return self._submit(SpeakRequest(text=text, id=self._new_id(), voice=voice or self._events.state.voice))

    def do(self, work: Work, *, priority: Priority = "normal") -> str:
        """Put a task in line; its id."""
        return self._submit(Task(id=self._new_id(), work=work, priority=priority))

    def cancel(self, job_id: str) -> None:
        """End it, whether it waits or is in service."""
        self._jobs.stop(job_id)

    def ended(self, job_id: str) -> Report | None:
        """Its closing report, if there is one yet."""
        return self._open.get(job_id)

    def wait(self, job_id: str, give_up: threading.Event) -> Report | None:
        """Its closing report, as soon as it is there; None when `give_up` is set before."""
        with self._condition:
            while self._open.get(job_id) is None and not give_up.is_set():
                self._condition.wait(_TICK_S)
            return self._open.get(job_id)

    def forget(self) -> None:
        """All errands so far are of no interest any more."""
        with self._condition:
            self._open.clear()

    def _submit(self, request: SpeakRequest | Task) -> str:
        with self._condition:
            self._open[request.id] = None
        try:
            self._jobs.submit(request, closed=self._close, min_volume=self._min_volume)
        except QueueFullError as full:
            log.warning("left unsaid or undone: %s", full)
            outcome = failure(full)
            self._close(Report(request.id, outcome.stage, 0.0, outcome.details))
        return request.id

    def _close(self, report: Report) -> None:
        with self._condition:
            if report.id in self._open:
                self._open[report.id] = report
                self._condition.notify_all()
