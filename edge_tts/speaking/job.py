"""A job: a request on its way to its sink."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from edge_tts.audio.provenance import Provenance
from edge_tts.errors import EdgeTTSError
from edge_tts.request import SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.journal import Envelope, Page
from edge_tts.values import AudioChunk, Priority, Report, Stage

IN_HAND_S = 0.15
"""Sound that a loudspeaker or a client has in hand; a longer wait for the next is heard."""

Reply = Callable[[Report], None]
"""Called with every report on one request, from any thread; must return at once."""

Meter = Callable[[float], EdgeTTSError | None]
"""Told of each chunk's seconds before it is played; an error where the caller may have no more. From any thread."""


def no_reply(report: Report) -> None:
    """Discards the report."""


def no_meter(seconds: float) -> None:
    """Counts nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended."""

    stage: Stage
    details: Mapping[str, Any] = field(default_factory=dict)


def failure(error: Exception) -> Outcome:
    more = error.details if isinstance(error, EdgeTTSError) else {}
    return Outcome("failed", {"error": type(error).__name__, "message": str(error), **more})


class Request(Protocol):
    """What queue and player read of a request."""

    @property
    def id(self) -> str: ...

    @property
    def priority(self) -> Priority: ...

    @property
    def gain(self) -> float:
        """Linear, 0 to 1."""


class Sink(Protocol):
    """Where the sound of a job goes. Both methods run in the worker's thread and may block, calling `waiting` at least
    once a second."""

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None:
        """Queue the next chunk, unless the job is stopped."""

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        """Return when all chunks were heard or the job was stopped: the seconds that were played."""


@runtime_checkable
class RenderingSink(Sink, Protocol):
    """A sink whose jobs may be served by turns."""

    @property
    def renders(self) -> bool:
        """Whether it plays nothing here."""

    def full(self) -> bool:
        """Whether `play` would block."""


class Discard:
    """A sink without sound."""

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None: ...

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        return 0.0


class Job:
    """`JobQueue` sets `accepted_at` and `page`, whoever makes it may set `starts_at` and `meter`."""

    def __init__(
        self,
        request: Request,
        *,
        sink: Sink | None = None,
        reply: Reply = no_reply,
        envelope: Envelope | None = None,
        min_volume: float = 0.0,
        kind: str | None = None,
        caller: str = "",
    ) -> None:
        """`sink` None discards the sound. `envelope` None keeps the job out of the journal. `min_volume`: floor of the
        gain, 0 to 1. `kind` is in every report on a job of the appliance's own. `caller`: see `Report`."""
        self.request, self.sink, self.reply = request, sink or Discard(), reply
        self.envelope, self.min_volume, self.kind = envelope, min_volume, kind
        self.caller = caller or kind or ""
        self.accepted_at = 0.0
        self.starts_at = float("-inf")
        """When it is to be heard, by the runtime's clock; not before."""
        self.underruns = 0
        """Gaps in its sound that were heard; counted by the sink."""
        self.meter: Meter = no_meter
        self.page: Page | None = None
        self._stop: Outcome | None = None
        self._on_stop: Callable[[], None] = lambda: None

    @property
    def renders(self) -> bool:
        """Whether it is speech that is not played here."""
        return isinstance(self.request, SpeakRequest) and isinstance(self.sink, RenderingSink) and self.sink.renders

    def stop(self, outcome: Outcome) -> None:
        """Stop the job; only the first outcome counts."""
        if self._stop is None:
            self._stop = outcome
            self._on_stop()

    def on_stop(self, wake: Callable[[], None]) -> None:
        """Call `wake` when the job is stopped."""
        self._on_stop = wake

    def stop_reason(self) -> Outcome | None:
        """The outcome that the job was stopped with, else None."""
        return self._stop

    def expire(self, now: float) -> bool:
        """Stop the job if its deadline to begin has passed; whether it is stopped for any reason."""
        deadline = None if self.envelope is None else self.envelope.expires_at
        if deadline is not None and now > deadline:
            self.stop(Outcome("expired", {"message": f"not begun within its time ({now - deadline:.1f} s late)"}))
        return self._stop is not None

    def report(self, runtime: Runtime, stage: Stage, details: Mapping[str, Any] | None = None) -> None:
        """Publish a report and call the job's reply with it."""
        self.send(runtime, self.make_report(runtime, stage, details or {}))

    def content(self, runtime: Runtime) -> Provenance | None:
        """What its sound is; None without speech."""
        if runtime.generator is None or not isinstance(self.request, SpeakRequest):
            return None
        return runtime.generator.content(self.request.id, self.request.voice)

    def make_report(self, runtime: Runtime, stage: Stage, details: Mapping[str, Any]) -> Report:
        ms = round(1000 * (runtime.clock() - self.accepted_at), 1)
        content = self.content(runtime)
        own: dict[str, Any] = {} if self.kind is None else {"kind": self.kind}
        own |= {} if content is None else content.details()
        if isinstance(self.request, SpeakRequest) and self.request.rules:
            own["rules"] = list(self.request.rules)
        return Report(id=self.request.id, stage=stage, ms=ms, details={**own, **details}, caller=self.caller)

    def send(self, runtime: Runtime, report: Report) -> None:
        """Publish a finished report and call the job's reply with it."""
        runtime.events.report(report)
        self.reply(report)
