"""A dispatcher, a queue without a worker, and their reports."""

from __future__ import annotations

from dataclasses import replace

from fakes import FakeClock, FakeLoudspeaker, Notes
from rig import make_runtime

from edge_tts.errors import UnknownVoiceError
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.dispatcher import Dispatcher, RequestRules
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.quiet_hours import QuietHours
from edge_tts.request import SpeakRequest
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Journal
from edge_tts.speaking.player import Player


def known_voice(name: str) -> str:
    """There are two voices."""
    if name not in ("hum", "buzz"):
        raise UnknownVoiceError(f"there is no voice '{name}', did you mean 'hum'?")
    return name


WALL = 1.7e9
"""Unix time of the clock's zero."""


class DispatcherRig:
    """A dispatcher, its queue without a worker, and their reports."""

    def __init__(
        self,
        capacity: int = 8,
        *,
        journal: Journal | None = None,
        clock: FakeClock | None = None,
        notes: Notes | None = None,
        dedupe_s: float = 0.0,
        quiet: QuietHours | None = None,
        access: Access | None = None,
    ) -> None:
        self.clock, self.notes = clock or FakeClock(), notes or Notes()
        self.runtime = make_runtime(self.notes, clock=self.clock)
        self.events = self.runtime.events
        self.jobs = JobQueue(runtime=self.runtime, capacity=capacity, journal=journal)
        self.player = Player(runtime=self.runtime, open_loudspeaker=FakeLoudspeaker)
        rules = RequestRules(resolve_voice=known_voice, content=ContentRules(100, ("unknown",)), payload_bytes=1000)
        rules = replace(rules, dedupe_s=dedupe_s, wall=lambda: WALL + self.clock.now)
        rules = replace(rules, quiet=quiet or rules.quiet, access=access or rules.access)
        self.dispatcher = Dispatcher(runtime=self.runtime, rules=rules, jobs=self.jobs, player=self.player)

    def handle(self, payload: bytes, **facts: object) -> None:
        self.dispatcher.handle(Message("say", payload, **facts))

    def request(self) -> SpeakRequest:
        job = self.jobs.dequeue(0)
        assert job is not None
        assert isinstance(job.request, SpeakRequest)
        return job.request

    def deadline(self) -> float | None:
        """Of the next request."""
        job = self.jobs.dequeue(0)
        assert job is not None
        assert job.envelope is not None
        return job.envelope.expires_at

    def failures(self) -> list[str]:
        return [report.details["message"] for report in self.notes.reports if report.stage == "failed"]
