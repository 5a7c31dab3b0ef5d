"""A job: a request on its way to its sink, and whether it is still wanted. Knows no queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.journal import Envelope, Page
from edge_tts.values import AudioChunk, Priority, Report, Stage

CLOSING: frozenset[Stage] = frozenset({"done", "interrupted", "expired", "failed"})
"""One of these is the last report on a request."""

Reply = Callable[[Report], None]
"""Hears every report on one request, the closing one last; must return at once, and may be called on any thread."""


def no_reply(report: Report) -> None:
    """The reply of a request whose sender wants none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: the stage of its last report and that report's details."""

    stage: Stage
    details: Mapping[str, Any] = field(default_factory=dict)


def failure(error: Exception) -> Outcome:
    """The outcome of a request that a named error ended."""
    return Outcome("failed", {"error": type(error).__name__, "message": str(error)})


class Request(Protocol):
    """What queue and player must know of a request, whatever it asks for."""

    @property
    def id(self) -> str:
        """Names it in every report."""

    @property
    def priority(self) -> Priority:
        """Who goes first."""

    @property
    def gain(self) -> float:
        """Linear gain of its sound, 0 to 1."""


class Sink(Protocol):
    """Where the sound of a job goes: the loudspeaker, a file, an HTTP response. Both calls are the worker's and may
    wait, calling `waiting` at least once a second."""

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None:
        """Take the job's next chunk, unless the job is stopped."""

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        """All chunks have come: return once they have been heard, or the job is stopped. The seconds that were."""


class Discard:
    """The sink of a job without sound."""

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None:
        """See Sink."""

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        """See Sink."""
        return 0.0


class Job:
    """A request, its sink and its reply. The queue fills in when it was accepted and where the journal has it."""

    def __init__(
        self,
        request: Request,
        *,
        sink: Sink | None = None,
        reply: Reply = no_reply,
        envelope: Envelope | None = None,
        min_volume: float = 0.0,
    ) -> None:
        """`sink` None: it makes no sound. `envelope` None: it lives in memory alone, the journal does not keep it.
        `min_volume`, 0 to 1: it is heard at least so loud, whatever the volume is; for the appliance's own words."""
        self.request, self.sink, self.reply = request, sink or Discard(), reply
        self.envelope, self.min_volume = envelope, min_volume
        self.accepted_at = 0.0
        self.page: Page | None = None
        self._stop: Outcome | None = None
        self._on_stop: Callable[[], None] = lambda: None

    def stop(self, outcome: Outcome) -> None:
        """Ask everyone who works on this job to leave off; the first reason given stands."""
        if self._stop is None:
            self._stop = outcome
            self._on_stop()

    def on_stop(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the job is stopped."""
        self._on_stop = wake

    def stop_reason(self) -> Outcome | None:
        """Why the job should not go on, or None while it should."""
        return self._stop

    def expire(self, now: float) -> bool:
        """Stop the job if its deadline to begin has passed; True when it has been stopped for any reason."""
        deadline = None if self.envelope is None else self.envelope.expires_at
        if deadline is not None and now > deadline:
            self.stop(Outcome("expired", {"message": f"not begun within its time ({now - deadline:.1f} s late)"}))
        return self._stop is not None

    def report(self, runtime: Runtime, stage: Stage, details: Mapping[str, Any] | None = None) -> None:
        """Publish how far the job has come, and tell its sender."""
        ms = round(1000 * (runtime.clock() - self.accepted_at), 1)
        report = Report(id=self.request.id, stage=stage, ms=ms, details=details or {})
        runtime.events.report(report)
        self.reply(report)
