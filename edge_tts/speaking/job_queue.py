"""Who is next: a bounded queue of requests by priority, and the one in service. Knows nothing of speech or MQTT."""

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
from edge_tts.values import Priority

_RANK: Mapping[Priority, int] = {"alert": 0, "normal": 1, "low": 2}
_TRIES = 2
"""A request during which the process died so often may be what it died of."""


class JobQueue:
    """The waiting jobs (bounded, alert before normal before low) and the one in service. Safe from any thread.

    Every job that was accepted gets exactly one closing report, and all of them are sent from here. One that is in the
    journal may get it in a later life; it leaves the journal after the report, never before. The disk
    is never waited for with the lock held.
    """

    def __init__(self, *, runtime: Runtime, capacity: int, journal: Journal | None = None) -> None:
        self._runtime, self._capacity, self._journal = runtime, capacity, journal
        self._waiting: list[Job] = []
        self._ended: list[Page] = []
        self._current: Job | None = None
        self._closed = False
        self._on_stop: Callable[[str | None], None] = lambda request_id: None
        self._condition = threading.Condition()

    def on_stop(self, hear: Callable[[str | None], None]) -> None:
        """Have `hear` told of every `stop`, with its id: something may be under way that is not queued."""
        self._on_stop = hear

    def submit(self, job: Job) -> None:
        """Put a job in the queue and report it accepted; never waits for its turn. Raises QueueFullError.

        In a full queue a job takes the place of the youngest of lower priority. An alert ends the job in service.
        A job with an envelope is in the journal before it is reported.
        """
        with self._condition:
            self._check_room(job)  # before the disk is asked: what is refused costs no write
        job.page = self._keep(job)
        try:
            with self._locked():
                self._check_room(job)
                self._make_room(job)
                job.accepted_at = self._runtime.clock()
                self._enter([job])
                if job.request.priority == "alert" and self._current and self._current.request.priority != "alert":
                    self._current.stop(Outcome("interrupted", {"reason": "alert"}))
                self._announce()
                self._condition.notify_all()
        except QueueFullError:
            if self._journal is not None and job.page is not None:
                self._journal.remove([job.page])
            raise

    def resume(self, pages: Sequence[Page], *, oldest_s: float, job_of: Callable[[Page], Job]) -> None:
        """Queue what an earlier run had accepted, in its old order, and report it accepted again.

        What must not be spoken any more gets its closing report: accepted `oldest_s` or longer ago, past its own
        deadline, taken along into too many deaths, or beyond the capacity.
        """
        with self._locked():
            jobs, now = [], self._runtime.clock()
            for page in pages:
                job = job_of(page)
                job.accepted_at, job.page = now, page
                outcome = _past_help(page, oldest_s) or (job.stop_reason() if job.expire(now) else None)
                if outcome is None:
                    jobs.append(job)
                else:
                    self._close_out(job, outcome)
            jobs.sort(key=_rank)
            # The first goes into service at once, as the one did that had been dequeued from a full one.
            room = max(0, self._capacity - len(self._waiting) + (self._current is None))
            for job in jobs[room:]:
                full = QueueFullError(f"no room after a restart: {self._capacity} requests may wait (limits.queue)")
                self._close_out(job, failure(full))
            self._enter(jobs[:room], resumed=True)
            self._announce()
            self._condition.notify_all()

    def dequeue(self, timeout_s: float) -> Job | None:
        """The next job, now in service, or None after `timeout_s` or a `wake`. Expired ones end here."""
        with self._locked():
            if not self._waiting:
                self._condition.wait(timeout_s)
            while self._waiting:
                job = self._waiting.pop(0)
                if job.expire(self._runtime.clock()):
                    self._close_out(job, job.stop_reason() or Outcome("expired"))
                    continue
                self._current = job
                break
            self._announce()
            taken = self._current
        if self._journal and taken and taken.page:
            taken.page = self._journal.begin(taken.page)
        return taken

    def finish(self, job: Job, outcome: Outcome) -> None:
        """End the job in service: sends its closing report."""
        with self._locked():
            self._current = None
            self._close_out(job, outcome)
            self._announce()
            self._condition.notify_all()

    def stop(self, request_id: str | None = None, *, reason: str = "stopped") -> None:
        """End the request of that id, or all: those waiting now, the one in service as soon as it has faded out."""
        outcome = Outcome("interrupted", {"reason": reason})
        self._on_stop(request_id)
        with self._locked():
            for job in [job for job in self._waiting if request_id in (None, job.request.id)]:
                self._waiting.remove(job)
                self._close_out(job, outcome)
            if self._current and request_id in (None, self._current.request.id):
                self._current.stop(outcome)
            self._announce()

    def skip(self) -> None:
        """End the job in service; the next in line follows."""
        with self._condition:
            if self._current:
                self._current.stop(Outcome("interrupted", {"reason": "skipped"}))

    def close(self, timeout_s: float) -> None:
        """Take nothing more, end the job in service and wait until it has been ended. What waits in the journal stays
        there for the next start; what waits elsewhere is ended."""
        with self._condition:
            self._closed = True
            self._waiting = [job for job in self._waiting if job.page is None]
        self.stop(reason="shutdown")
        with self._condition:
            self._condition.wait_for(lambda: self._current is None, timeout_s)

    def wake(self) -> None:
        """Let whoever waits in `dequeue` look up."""
        with self._condition:
            self._condition.notify_all()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock; whatever was closed meanwhile leaves the journal afterwards."""
        with self._condition:
            yield
            ended, self._ended = self._ended, []
        if self._journal is not None and ended:
            self._journal.close(ended)

    def _keep(self, job: Job) -> Page | None:
        # A small file and two fsyncs, on paho's thread: it acknowledges a message only when this has returned, so there
        # is nobody to leave it to. It costs milliseconds, and nothing but the next message waits for them.
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
        """Push the youngest of lower priority out of a full queue."""
        if len(self._waiting) >= self._capacity:
            reason = QueueFullError(f"gave way to a request of priority {job.request.priority}: the queue is full")
            self._close_out(self._waiting.pop(), failure(reason))

    def _enter(self, jobs: Sequence[Job], **details: Any) -> None:
        self._waiting.extend(jobs)
        self._waiting.sort(key=_rank)  # stable: first come, first served
        for job in jobs:
            job.report(self._runtime, "accepted", {"waiting": self._waiting.index(job), **details})

    def _close_out(self, job: Job, outcome: Outcome) -> None:
        job.report(self._runtime, outcome.stage, outcome.details)
        if job.page is not None:
            self._ended.append(job.page)

    def _announce(self) -> None:
        speaking = self._current.request.id if self._current else None
        self._runtime.events.update(speaking=speaking, waiting=len(self._waiting))


def _rank(job: Job) -> int:
    return _RANK[job.request.priority]


def _past_help(page: Page, oldest_s: float) -> Outcome | None:
    """Why a request of an earlier run is not tried again."""
    if page.begun >= _TRIES:
        return failure(AbandonedError(f"the process died {page.begun} times while it was in service: it is given up"))
    if page.age_s >= oldest_s:
        late = f"accepted {page.age_s:.0f} s ago, before a restart (limits.resume_s is {oldest_s:g})"
        return Outcome("expired", {"message": late})
    return None
