"""Who is next: a bounded line of requests by priority, and the one in service. Knows nothing of speech or MQTT."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge_tts.errors import QueueFullError
from edge_tts.values import Priority, Report, Stage

_RANK: Mapping[Priority, int] = {"alert": 0, "normal": 1, "low": 2}


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

    def __init__(self, *, request: Request, accepted_at: float) -> None:
        self.request = request
        self.accepted_at = accepted_at
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

    Every job that was accepted gets exactly one closing report, and all of them are sent from here.
    """

    def __init__(
        self,
        *,
        capacity: int,
        report: Callable[[Report], None],
        changed: Callable[[str | None, int], None],
        clock: Callable[[], float],
    ) -> None:
        self._capacity = capacity
        self._report = report
        self._changed = changed
        self._clock = clock
        self._waiting: list[Job] = []
        self._current: Job | None = None
        self._closed = False
        self._condition = threading.Condition()

    def submit(self, request: Request) -> None:
        """Put a request in line and report it accepted; never waits. Raises QueueFullError.

        In a full line a request takes the place of the youngest of lower priority. An alert ends the job in service.
        """
        with self._condition:
            if self._closed:
                raise QueueFullError("the appliance is stopping")
            pushed_out = self._make_room(request)
            if pushed_out is not None:
                reason = QueueFullError(f"gave way to a request of priority {request.priority}: the line is full")
                self._close_out(pushed_out, failure(reason))
            job = Job(request=request, accepted_at=self._clock())
            self._waiting.append(job)
            self._waiting.sort(key=lambda waiting: _RANK[waiting.request.priority])  # stable: first come, first served
            self.report(job, "accepted", {"waiting": self._waiting.index(job)})
            if request.priority == "alert" and self._current and self._current.request.priority != "alert":
                self._current.stop(Outcome("interrupted", {"reason": "alert"}))
            self._announce()
            self._condition.notify_all()

    def take(self, timeout_s: float) -> Job | None:
        """The next job, now in service, or None after `timeout_s` or a `wake`. Expired ones end here."""
        with self._condition:
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
            return self._current

    def finish(self, job: Job, outcome: Outcome) -> None:
        """End the job in service: sends its closing report."""
        with self._condition:
            self._current = None
            self._close_out(job, outcome)
            self._announce()
            self._condition.notify_all()

    def stop(self, request_id: str | None = None, *, reason: str = "stopped") -> None:
        """End the request of that id, or all: those waiting now, the one in service as soon as it has faded out."""
        outcome = Outcome("interrupted", {"reason": reason})
        with self._condition:
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
        """Take nothing more, end everything, and wait until the job in service has been ended."""
        with self._condition:
            self._closed = True
        self.stop(reason="shutdown")
        with self._condition:
            self._condition.wait_for(lambda: self._current is None, timeout_s)

    def wake(self) -> None:
        """Let whoever waits in `take` look up."""
        with self._condition:
            self._condition.notify_all()

    def report(self, job: Job, stage: Stage, details: Mapping[str, Any] | None = None) -> None:
        """Tell how far a job has come."""
        ms = round(1000 * (self._clock() - job.accepted_at), 1)
        self._report(Report(id=job.request.id, stage=stage, ms=ms, details=details or {}))

    def _make_room(self, request: Request) -> Job | None:
        """The job to push out of a full line for `request`, taken out of it; None when there is room."""
        if len(self._waiting) < self._capacity:
            return None
        youngest = self._waiting[-1]
        if _RANK[request.priority] >= _RANK[youngest.request.priority]:
            raise QueueFullError(f"{len(self._waiting)} requests are waiting already (limits.queue)")
        return self._waiting.pop()

    def _close_out(self, job: Job, outcome: Outcome) -> None:
        self.report(job, outcome.stage, outcome.details)

    def _announce(self) -> None:
        self._changed(self._current.request.id if self._current else None, len(self._waiting))
