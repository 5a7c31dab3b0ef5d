"""A bounded priority queue of jobs, and those in service: one, or several that only render."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from edge_tts.errors import AbandonedError, QueueFullError
from edge_tts.request import SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job, Outcome, failure
from edge_tts.speaking.journal import Journal, Page
from edge_tts.values import Priority, Report

_RANK: Mapping[Priority, int] = {"alert": 0, "normal": 1, "low": 2}
_MAX_CRASHES = 2
"""Crashes with a request in service before it is given up."""


class JobQueue:
    """Alert before normal before low, then first come, first served. Thread-safe.

    Every accepted job gets exactly one closing report, perhaps after a restart, and leaves the journal after it. The
    disk is not accessed under the lock.
    """

    def __init__(self, *, runtime: Runtime, capacity: int, journal: Journal | None = None) -> None:
        self._runtime, self._capacity, self._journal = runtime, capacity, journal
        self._waiting: list[Job] = []
        self._closed_jobs: list[tuple[Job, Outcome]] = []
        self._served: list[Job] = []
        self._closed = False
        self._on_stop: Callable[[str | None], None] = lambda request_id: None
        self._condition = threading.Condition()

    def on_stop(self, listener: Callable[[str | None], None]) -> None:
        """Call `listener` with the id of every `stop`, for work that is not queued."""
        self._on_stop = listener

    def submit(self, job: Job) -> None:
        """Queue a job and report it accepted; one with an envelope is in the journal before. Raises QueueFullError.

        A full queue drops its youngest job of lower priority. An alert interrupts what is in service.
        """
        with self._condition:
            self._check_room(job)  # a refused job costs no disk write
        job.page = self._write_page(job)
        try:
            with self._locked():
                self._check_room(job)
                self._make_room(job)
                job.accepted_at = self._runtime.clock()
                self._enqueue([job])
                if job.request.priority == "alert":
                    for served in [one for one in self._served if one.request.priority != "alert"]:
                        served.stop(Outcome("interrupted", {"reason": "alert"}))
                self._publish_state()
                self._condition.notify_all()
        except QueueFullError:
            if self._journal is not None and job.page is not None:
                self._journal.remove([job.page])
            raise

    def resume(self, pages: Sequence[Page], *, oldest_s: float, job_of: Callable[[Page], Job]) -> None:
        """Queue what an earlier run had accepted, in its old order, and report it accepted again.

        What is `oldest_s` old, past its deadline, crashed the process too often or exceeds the capacity is closed.
        """
        with self._locked():
            jobs, now = [], self._runtime.clock()
            for page in pages:
                job = job_of(page)
                job.accepted_at, job.page = now, page
                outcome = _outcome_after_restart(page, oldest_s) or (job.stop_reason() if job.expire(now) else None)
                if outcome is None:
                    jobs.append(job)
                else:
                    self._close_job(job, outcome)
            jobs.sort(key=_rank)
            # One more than the capacity: the job that was in service had left the queue.
            room = max(0, self._capacity - len(self._waiting) + (not self._served))
            for job in jobs[room:]:
                full = QueueFullError(f"no room after a restart: {self._capacity} requests may wait (limits.queue)")
                self._close_job(job, failure(full))
            self._enqueue(jobs[:room], resumed=True)
            self._publish_state()
            self._condition.notify_all()

    def dequeue(self, timeout_s: float) -> Job | None:
        """The next job, now in service, or None after `timeout_s` or `wake`. Expired jobs are closed here."""
        with self._locked():
            if not self._waiting:
                self._condition.wait(timeout_s)
            job = self._take()
        return self._begin(job)

    def dequeue_beside(self) -> Job | None:
        """The next job, now in service beside the others, if they all only render; else None."""
        with self._locked():
            fits = self._waiting and all(job.renders for job in (self._waiting[0], *self._served))
            job = self._take() if fits else None
        return self._begin(job)

    def dequeue_before(self) -> Job | None:
        """The next job, now in service, if it is speech that is more urgent than all in service, which only render;
        else None."""
        with self._locked():
            fits = self._waiting and isinstance(self._waiting[0].request, SpeakRequest)
            fits = fits and all(job.renders and _rank(self._waiting[0]) < _rank(job) for job in self._served)
            job = self._take() if fits else None
        return self._begin(job)

    def _take(self) -> Job | None:
        job = None
        while self._waiting and job is None:
            job = self._waiting.pop(0)
            if job.expire(self._runtime.clock()):
                self._close_job(job, job.stop_reason() or Outcome("expired"))
                job = None
        self._served += [job] if job else []
        self._publish_state()
        return job

    def _begin(self, job: Job | None) -> Job | None:
        if self._journal and job and job.page:
            job.page = self._journal.begin(job.page)
        return job

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Close a job in service."""
        report = self._closing_report(job, outcome)
        with self._condition:
            self._served.remove(job)
            job.send(self._runtime, report)
            self._publish_state()
            self._condition.notify_all()

    def stop(self, request_id: str | None = None, *, reason: str = "stopped") -> None:
        """Stop the request of that id, or all; one in service fades out first."""
        outcome = Outcome("interrupted", {"reason": reason})
        self._on_stop(request_id)
        with self._locked():
            for job in [job for job in self._waiting if request_id in (None, job.request.id)]:
                self._waiting.remove(job)
                self._close_job(job, outcome)
            for job in [job for job in self._served if request_id in (None, job.request.id)]:
                job.stop(outcome)
            self._publish_state()

    def skip(self) -> None:
        """Stop the job in service, of several the oldest; what is heard here comes first."""
        with self._condition:
            if self._served:
                self._foremost().stop(Outcome("interrupted", {"reason": "skipped"}))

    def close(self, timeout_s: float) -> None:
        """Refuse new jobs, stop those in service and wait for their end. Journalled jobs stay for the next start."""
        with self._condition:
            self._closed = True
            self._waiting = [job for job in self._waiting if job.page is None]
        self.stop(reason="shutdown")
        with self._condition:
            self._condition.wait_for(lambda: not self._served, timeout_s)

    def wake(self) -> None:
        """Make `dequeue` return."""
        with self._condition:
            self._condition.notify_all()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock; the closing reports of what was closed meanwhile go out afterwards."""
        with self._condition:
            yield
            closed, self._closed_jobs = self._closed_jobs, []
        for job, outcome in closed:
            job.send(self._runtime, self._closing_report(job, outcome))

    def _closing_report(self, job: Job, outcome: Outcome) -> Report:
        """On disk before it goes out, so that nothing is spoken or reported otherwise after a crash."""
        report = job.make_report(self._runtime, outcome.stage, outcome.details)
        if self._journal is not None and job.page is not None:
            self._journal.close(job.page, report)
        return report

    def _write_page(self, job: Job) -> Page | None:
        # Two fsyncs on paho's thread: the message may be acknowledged only after them. Only the next message waits.
        if self._journal is None or job.envelope is None or not isinstance(job.request, SpeakRequest):
            return None
        return self._journal.add(job.request, job.envelope)

    def _check_room(self, job: Job) -> None:
        """Raises QueueFullError."""
        if self._closed:
            raise QueueFullError("the appliance is stopping")
        if len(self._waiting) >= self._capacity and _rank(job) >= _rank(self._waiting[-1]):
            raise QueueFullError(f"{len(self._waiting)} requests are waiting already (limits.queue)")

    def _make_room(self, job: Job) -> None:
        if len(self._waiting) >= self._capacity:
            reason = QueueFullError(f"gave way to a request of priority {job.request.priority}: the queue is full")
            self._close_job(self._waiting.pop(), failure(reason))

    def _enqueue(self, jobs: Sequence[Job], **details: Any) -> None:
        self._waiting.extend(jobs)
        self._waiting.sort(key=_rank)  # stable: first come, first served
        for job in jobs:
            job.report(self._runtime, "accepted", {"waiting": self._waiting.index(job), **details})

    def _close_job(self, job: Job, outcome: Outcome) -> None:
        self._closed_jobs.append((job, outcome))

    def _foremost(self) -> Job:
        return next((job for job in self._served if not job.renders), self._served[0])

    def _publish_state(self) -> None:
        speaking = self._foremost().request.id if self._served else None
        self._runtime.events.update(speaking=speaking, waiting=len(self._waiting))


def _rank(job: Job) -> int:
    return _RANK[job.request.priority]


def _outcome_after_restart(page: Page, oldest_s: float) -> Outcome | None:
    """Why a request of an earlier run is not retried, else None."""
    if page.begun >= _MAX_CRASHES:
        return failure(AbandonedError(f"the process died {page.begun} times while it was in service: it is given up"))
    if page.age_s >= oldest_s:
        late = f"accepted {page.age_s:.0f} s ago, before a restart (limits.resume_s is {oldest_s:g})"
        return Outcome("expired", {"message": late})
    return None
