"""The worker: one thread that owns the networks and does one job after another; those that only render, by turns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from edge_tts.config import MarkingConfig
from edge_tts.request import SpeakRequest
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.content_command import ContentCommand
from edge_tts.speaking.cue import Cue
from edge_tts.speaking.job import Job
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.on_demand import OnDemandNetworks, Speaker
from edge_tts.speaking.phrase_cache import PhraseCache
from edge_tts.speaking.service import Service
from edge_tts.values import AudioChunk, Priority, Voice

Work = Callable[[Speaker, Callable[[], bool]], Iterator[AudioChunk]]
"""Called with the networks and `should_stop`; the chunks it yields go to the job's sink."""


@dataclass(frozen=True, slots=True)
class Task:
    """Other work for the worker's thread."""

    id: str
    work: Work
    priority: Priority = "normal"
    gain: float = 1.0


class Worker(Part):
    """Owns the networks: they are loaded, used and closed in its thread."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        networks: OnDemandNetworks,
        voice: Callable[[str], Voice],
        jobs: JobQueue,
        phrases: PhraseCache | None = None,
        cue: Cue | None = None,
        command: ContentCommand | None = None,
        side_by_side: int = 1,
    ) -> None:
        """`side_by_side`: jobs that may be in service together if they only render."""
        super().__init__(name="worker", runtime=runtime)
        self._networks, self._voice, self._jobs, self._phrases = networks, voice, jobs, phrases
        self._cue, self._command, self._side_by_side = cue or Cue(MarkingConfig()), command, side_by_side
        self._pulse = runtime.health.pulse("worker")

    def wake(self) -> None:
        self._jobs.wake()

    def work(self) -> None:
        with self._networks as networks:
            self.ready()
            while not self.stopping.is_set():
                self._pulse()
                job = self._jobs.dequeue(timeout_s=0.5)
                if job is None:
                    networks.unload_if_idle()
                else:
                    self._serve(networks, job)

    def _serve(self, speaker: Speaker, first: Job) -> None:
        """Serve a job, and while all only render others beside it: a chunk each, by turns. They stand still for one
        that is more urgent."""
        services, turns = [self._begin(speaker, first)], itertools.count(1)
        while services:
            if (urgent := self._jobs.dequeue_before()) is not None:
                self._serve(speaker, urgent)
            beside = self._jobs.dequeue_beside() if len(services) < self._side_by_side else None
            if beside is not None:
                services.append(self._begin(speaker, beside))
            service = min(services, key=lambda one: (one.blocked, one.turn))
            service.turn = next(turns)
            if not service.advance(self._pulse):
                services.remove(service)
                self._jobs.finish(service.job, service.outcome(self._pulse))

    def _begin(self, speaker: Speaker, job: Job) -> Service:
        details = {"voice": job.request.voice} if isinstance(job.request, SpeakRequest) else {}
        job.report(self.runtime, "started", details)
        return Service(self.runtime, job, self._chunks(speaker, job))

    def _chunks(self, speaker: Speaker, job: Job) -> Generator[AudioChunk, None, None]:
        """The chunks of a job: a generator, so that voice errors are raised with the first."""
        request, should_stop = job.request, self._should_stop(job)
        if isinstance(request, SpeakRequest):
            if self._command is not None and job.kind is None:
                request = job.request = self._command.judge(request, should_stop, caller=job.caller)
            voice = self._voice(request.voice)

            def stream(request: SpeakRequest) -> Iterator[AudioChunk]:
                if self._phrases is None:
                    return speaker.stream(request, voice, should_stop)
                return self._phrases.speak(request, voice, lambda: speaker.stream(request, voice, should_stop))

            yield from self._cue.before(request, voice, stream)
        elif isinstance(request, Task):
            yield from request.work(speaker, should_stop)
        else:
            raise TypeError(f"the worker cannot do a {type(request).__name__}")

    def _should_stop(self, job: Job) -> Callable[[], bool]:
        """Called at every step of the synthesis, so it is the worker's heartbeat too."""

        def should_stop() -> bool:
            self._pulse()
            return job.stop_reason() is not None or self.stopping.is_set()

        return should_stop
