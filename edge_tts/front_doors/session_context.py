"""What a front door uses whose clients are sent their sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_tts.config import LimitsConfig
from edge_tts.enrolment.level_meter import Level
from edge_tts.errors import AccessError
from edge_tts.front_doors.connection_sink import ConnectionSink
from edge_tts.front_doors.dispatcher import Dispatcher
from edge_tts.front_doors.past_requests import PastRequests
from edge_tts.request import SpeakMessage
from edge_tts.runtime.metrics import Metrics
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.values import Caller, ModelSet
from edge_tts.voices.builtin import VoiceCard


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionContext:
    """Shared by every session."""

    runtime: Runtime
    model: ModelSet
    version: str
    dispatcher: Dispatcher
    jobs: JobQueue
    limits: LimitsConfig
    past: PastRequests
    voices: Callable[[], Sequence[VoiceCard]]
    """Those that can speak now."""
    microphone: Callable[[], Level | None] = lambda: None
    """How loud it is, while it is open."""
    metrics: Metrics | None = None

    def voices_for(self, caller: Caller) -> list[VoiceCard]:
        """A caller sees those that it may use: none where it may not ask at all."""
        access = self.dispatcher.access
        try:
            access.enter(caller)
        except AccessError:
            return []
        return [voice for voice in self.voices() if access.may_use(caller, voice.id)]

    def speak_into(self, sink: ConnectionSink, message: Callable[[], SpeakMessage], request_id: str) -> None:
        """Queue a request whose sound goes to `sink`; one that is refused, also by `message`, is reported to it."""
        try:
            accepted = self.dispatcher.accept(message(), sink.caller)
            self.past.records.belongs_to(accepted.id, self.dispatcher.access.owner(sink.caller))
            job = Job(accepted, sink=sink, reply=sink.on_report, caller=str(sink.caller))
            self.dispatcher.submit(job, accepted, sink.caller)
        except Exception as error:  # noqa: BLE001 - one request must not end the others
            self.dispatcher.refuse(error, request_id, sink.on_report, sink.caller)
