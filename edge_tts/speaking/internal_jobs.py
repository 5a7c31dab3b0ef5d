"""Jobs that the appliance queues itself, and how each ended."""

from __future__ import annotations

import logging
import threading

from edge_tts.errors import QueueFullError
from edge_tts.request import SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job, Sink, failure
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.worker import Task, Work
from edge_tts.values import CLOSING, Priority, Report

log = logging.getLogger(__name__)

_TICK_S = 0.5


class InternalJobs:
    """Queues jobs and keeps their closing reports. Thread-safe."""

    def __init__(
        self, *, runtime: Runtime, jobs: JobQueue, sink: Sink, min_volume: float = 0.0, kind: str = "internal"
    ) -> None:
        """`min_volume` and `kind` as in `Job`."""
        self._runtime, self._jobs, self._sink, self._min_volume = runtime, jobs, sink, min_volume
        self._kind = kind
        self._closing_reports: dict[str, Report | None] = {}
        self._condition = threading.Condition()

    def speak(self, text: str, *, voice: str | None = None) -> str:
        """Queue a text; its job id. In a full queue the job fails; nothing is raised."""
        voice = voice or self._runtime.events.state.voice
        return self._submit(SpeakRequest(text=text, id=self._runtime.new_id(), voice=voice))

    def do(self, work: Work, *, priority: Priority = "normal") -> str:
        """Queue a task; its job id."""
        return self._submit(Task(id=self._runtime.new_id(), work=work, priority=priority))

    def cancel(self, job_id: str) -> None:
        self._jobs.stop(job_id)

    def ended(self, job_id: str) -> Report | None:
        """Its closing report, if there is one yet."""
        return self._closing_reports.get(job_id)

    def wait(self, job_id: str, give_up: threading.Event) -> Report | None:
        """Block until its closing report; None when `give_up` is set before."""
        with self._condition:
            while self._closing_reports.get(job_id) is None and not give_up.is_set():
                self._condition.wait(_TICK_S)
            return self._closing_reports.get(job_id)

    def forget(self) -> None:
        """Drop the reports of all jobs so far."""
        with self._condition:
            self._closing_reports.clear()

    def _submit(self, request: SpeakRequest | Task) -> str:
        with self._condition:
            self._closing_reports[request.id] = None
        job = Job(request, sink=self._sink, reply=self._on_report, min_volume=self._min_volume, kind=self._kind)
        try:
            self._jobs.submit(job)
        except QueueFullError as error:
            log.warning("left unsaid or undone: %s", error)
            outcome = failure(error)
            self._on_report(Report(request.id, outcome.stage, 0.0, outcome.details))
        return request.id

    def _on_report(self, report: Report) -> None:
        with self._condition:
            if report.stage in CLOSING and report.id in self._closing_reports:
                self._closing_reports[report.id] = report
                self._condition.notify_all()
