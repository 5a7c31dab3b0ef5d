"""Who is next: a bounded line of requests by priority, and the one in service. Knows nothing of speech or MQTT."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge_tts.errors import AbandonedError, QueueFullError
from edge_tts.speaking.journal import Envelope, Journal, Page
from edge_tts.values import Priority, Report, SpeakRequest, Stage

_RANK: Mapping[Priority, int] = {"alert": 0, "normal": 1, "low": 2}
_TRIES = 2
"""A request during which the process died so often may be what it died of."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: the stage of its last report and that report's details."""

    stage: Stage
    details: Mapping[str, Any] = field(default_factory=dict)


class Request(Protocol):
    """What the line and the player must know of a request, whatever it asks for."""

    @property
    def id(self) -> str:
        """Names it in every report."""

    @property
    def priority(self) -> Priority:
        """Who goes first."""

    @property
    def expires_at(self) -> float | None:
        """Deadline to begin, on the queue's clock, in seconds."""

    @property
    def volume(self) -> float:
        """Linear gain of its sound, 0 to 1."""


def failure(error: Exception) -> Outcome:
    """The outcome of a request that a named error ended."""
    return Outcome("failed", {"error": type(error).__name__, "message": str(error)})


class Job:
    """A request on its way through the appliance, and whether it is still wanted."""

    def __init__(
        self,
        *,
        request: Request,
        accepted_at: float,
        page: Page | None = None,
        closed: Callable[[Report], None] = lambda report: None,
        min_volume: float = 0.0,
    ) -> None:
        self.request = request
        self.min_volume = min_volume
        """It is heard at least so loud, 0 to 1, whatever the volume is. For the appliance's own words alone."""
        self.accepted_at = accepted_at
        self.page = page
        """Where it is in the journal; None for what lives in memory alone."""
        self.closed = closed
        """Told of the closing report of this very job: anybody may use its id for something else."""
        self._stop: Outcome | None = None
        self._on_stop: Callable[[], None] = lambda: None

    def stop(self, outcome: Outcome) -> None:
        """Ask everyone who works on this job to leave off; the first reason given stands."""
        if self._stop is None:
            self._stop = outcome
            self._on_stop()

    def on_stop(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the job is stopped, so that whoever waits on its behalf notices."""
        self._on_stop = wake

    def stop_reason(self) -> Outcome | None:
        """Why the job should not go on, or None while it should."""
        return self._stop

    def expire(self, now: float) -> bool:
        """Stop the job if its deadline to begin has passed; True when it has been stopped for any reason."""
        deadline = self.request.expires_at
        if deadline is not None and now > deadline:
            self.stop(Outcome("expired", {"message": f"not begun within its time ({now - deadline:.1f} s late)"}))
        return self._stop is not None


class JobQueue:
    """The waiting line (bounded, alert before normal before low) and the job in service. Safe from any thread.

    Every job that was accepted gets exactly one closing report, and all of them are sent from here. One that is in the
    journal may get it in a later life; it leaves the journal after the report, never before. Nobody waits for the disk
    while he holds the line.
    """

    def __init__(
        self,
        *,
        capacity: int,
        report: Callable[[Report], None],
        changed: Callable[[str | None, int], None],
        clock: Callable[[], float],
        journal: Journal | None = None,
    ) -> None:
        self._capacity = capacity
        self._report = report
        self._changed = changed
        self._clock = clock
        self._journal = journal
        self._waiting: list[Job] = []
        self._ended: list[Page] = []
        self._current: Job | None = None
        self._closed = False
        self._on_stop: Callable[[str | None], None] = lambda request_id: None
        self._condition = threading.Condition()

    def on_stop(self, hear: Callable[[str | None], None]) -> None:
        """Have `hear` told of every `stop`, with its id: something may be under way that is not in line just now."""
        self._on_stop = hear

    def submit(
        self,
        request: Request,
        *,
        envelope: Envelope | None = None,
        closed: Callable[[Report], None] = lambda report: None,
        min_volume: float = 0.0,
    ) -> None:
        """Put a request in line and report it accepted; never waits for its turn. Raises QueueFullError.

        In a full line a request takes the place of the youngest of lower priority. An alert ends the job in service.
        With an envelope a request is in the journal before it is reported. `closed` hears its closing report, as soon
        as the board has, and must not wait. `min_volume`: see Job.
        """
        with self._condition:
            self._check_room(request)  # before the disk is asked: what is refused costs no write
        page = self._keep(request, envelope)
        try:
            with self._line():
                self._check_room(request)
                self._make_room(request)
                now = self._clock()
                self._enter([Job(request=request, accepted_at=now, page=page, closed=closed, min_volume=min_volume)])
                if request.priority == "alert" and self._current and self._current.request.priority != "alert":
                    self._current.stop(Outcome("interrupted", {"reason": "alert"}))
                self._announce()
                self._condition.notify_all()
        except QueueFullError:
            if self._journal is not None and page is not None:
                self._journal.remove([page])
            raise

    def resume(self, pages: Sequence[Page], *, oldest_s: float) -> None:
        """Put in line what an earlier run had accepted, in its old order, and report it accepted again.

        What must not be spoken any more gets its closing report: accepted `oldest_s` or longer ago, past its own
        deadline, taken along into too many deaths, or beyond the capacity.
        """
        with self._line():
            jobs, now = [], self._clock()
            for page in pages:
                job = Job(request=page.request, accepted_at=now, page=page)
                outcome = _past_help(page, oldest_s) or (job.stop_reason() if job.expire(now) else None)
                if outcome is None:
                    jobs.append(job)
                else:
                    self._close_out(job, outcome)
            jobs.sort(key=_rank)
            # The first goes into service at once, as the one did that had been taken from a full line.
            room = max(0, self._capacity - len(self._waiting) + (self._current is None))
            for job in jobs[room:]:
                full = QueueFullError(f"no room after a restart: {self._capacity} requests may wait (limits.queue)")
                self._close_out(job, failure(full))
            self._enter(jobs[:room], resumed=True)
            self._announce()
            self._condition.notify_all()

    def take(self, timeout_s: float) -> Job | None:
        """The next job, now in service, or None after `timeout_s` or a `wake`. Expired ones end here."""
        with self._line():
            if not self._waiting:
                self._condition.wait(timeout_s)
            while self._waiting:
                job = self._waiting.pop(0)
                if job.expire(self._clock()):
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
        with self._line():
            self._current = None
            self._close_out(job, outcome)
            self._announce()
            self._condition.notify_all()

    def stop(self, request_id: str | None = None, *, reason: str = "stopped") -> None:
        """End the request of that id, or all: those waiting now, the one in service as soon as it has faded out."""
        outcome = Outcome("interrupted", {"reason": reason})
        self._on_stop(request_id)
        with self._line():
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
        """Let whoever waits in `take` look up."""
        with self._condition:
            self._condition.notify_all()

    def report(self, job: Job, stage: Stage, details: Mapping[str, Any] | None = None) -> None:
        """Tell how far a job has come."""
        self._report(self._made(job, stage, details or {}))

    @contextmanager
    def _line(self) -> Iterator[None]:
        """Hold the line; whatever was closed meanwhile leaves the journal afterwards."""
        with self._condition:
            yield
            ended, self._ended = self._ended, []
        if self._journal is not None and ended:
            self._journal.close(ended)

    def _keep(self, request: Request, envelope: Envelope | None) -> Page | None:
        # A small file and two fsyncs, on paho's thread: it acknowledges a message only when this has returned, so there
        # is nobody to leave it to. It costs milliseconds, and nothing but the next message waits for them.
        if self._journal is None or envelope is None or not isinstance(request, SpeakRequest):
            return None
        return self._journal.add(request, envelope)

    def _check_room(self, request: Request) -> None:
        """Raises QueueFullError."""
        if self._closed:
            raise QueueFullError("the appliance is stopping")
        if len(self._waiting) >= self._capacity and _RANK[request.priority] >= _rank(self._waiting[-1]):
            raise QueueFullError(f"{len(self._waiting)} requests are waiting already (limits.queue)")

    def _make_room(self, request: Request) -> None:
        """Push the youngest of lower priority out of a full line."""
        if len(self._waiting) >= self._capacity:
            reason = QueueFullError(f"gave way to a request of priority {request.priority}: the line is full")
            self._close_out(self._waiting.pop(), failure(reason))

    def _enter(self, jobs: Sequence[Job], **details: Any) -> None:
        self._waiting.extend(jobs)
        self._waiting.sort(key=_rank)  # stable: first come, first served
        for job in jobs:
            self.report(job, "accepted", {"waiting": self._waiting.index(job), **details})

    def _close_out(self, job: Job, outcome: Outcome) -> None:
        report = self._made(job, outcome.stage, outcome.details)
        self._report(report)
        job.closed(report)
        if job.page is not None:
            self._ended.append(job.page)

    def _made(self, job: Job, stage: Stage, details: Mapping[str, Any]) -> Report:
        ms = round(1000 * (self._clock() - job.accepted_at), 1)
        return Report(id=job.request.id, stage=stage, ms=ms, details=details)

    def _announce(self) -> None:
        self._changed(self._current.request.id if self._current else None, len(self._waiting))


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
