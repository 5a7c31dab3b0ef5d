"""A desk with a line that nobody serves, and what it told."""

from __future__ import annotations

import itertools

from fakes import FakeClock, FakeLoudspeaker, Notes

from edge_tts.errors import UnknownVoiceError
from edge_tts.front_doors.dispatcher import Dispatcher, Message, Rules
from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Journal
from edge_tts.speaking.player import Player
from edge_tts.values import Sampling, SpeakRequest


def known_voice(wanted: str) -> str:
    """There are two voices."""
    if wanted not in ("hum", "buzz"):
        raise UnknownVoiceError(f"there is no voice '{wanted}', did you mean 'hum'?")
    return wanted


class Counter:
    """A desk whose line nobody serves."""

    def __init__(
        self,
        capacity: int = 8,
        *,
        journal: Journal | None = None,
        clock: FakeClock | None = None,
        notes: Notes | None = None,
    ) -> None:
        self.clock, self.notes = clock or FakeClock(), notes or Notes()
        self.events = EventBus(state=State(voice="hum"))
        self.events.listen(self.notes)
        self.jobs = JobQueue(
            capacity=capacity, report=self.events.report, changed=lambda *_: None, clock=self.clock, journal=journal
        )
        player = Player(
            open_loudspeaker=FakeLoudspeaker,
            first_audio=lambda job: None,
            clock=self.clock,
            pulse=lambda: None,
            fatal=lambda *_: None,
        )
        numbers = itertools.count(1)
        self.dispatcher = Dispatcher(
            rules=Rules(resolve_voice=known_voice, sampling=Sampling(top_k=7), text_chars=100, payload_bytes=1000),
            jobs=self.jobs,
            player=player,
            events=self.events,
            clock=self.clock,
            new_id=lambda: f"auto{next(numbers)}",
        )

    def handle(self, payload: bytes, **facts: object) -> None:
        self.dispatcher.handle(Message("say", payload, **facts))

    def request(self) -> SpeakRequest:
        job = self.jobs.take(0)
        assert job is not None
        assert isinstance(job.request, SpeakRequest)
        return job.request

    def failures(self) -> list[str]:
        return [report.details["message"] for report, _ in self.notes.reports if report.stage == "failed"]
