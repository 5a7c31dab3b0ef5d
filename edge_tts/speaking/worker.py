"""The worker: one thread that owns the networks and does one job after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_tts.config import MarkingConfig
from edge_tts.errors import named
from edge_tts.request import SpeakRequest
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.content_command import ContentCommand
from edge_tts.speaking.cue import Cue
from edge_tts.speaking.job import Job, Outcome, failure
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.on_demand import OnDemandNetworks, Speaker
from edge_tts.speaking.phrase_cache import PhraseCache
from edge_tts.values import AudioChunk, GuardCounts, Priority, Voice

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
    ) -> None:
        super().__init__(name="worker", runtime=runtime)
        self._networks, self._voice, self._jobs, self._phrases = networks, voice, jobs, phrases
        self._cue, self._command = cue or Cue(MarkingConfig()), command
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
                    self._jobs.finish(job, self._serve(networks, job))

    def _serve(self, speaker: Speaker, job: Job) -> Outcome:
        request = job.request
        job.report(self.runtime, "started", {"voice": request.voice} if isinstance(request, SpeakRequest) else {})
        synthesis_s, chunks, warnings = 0.0, self._chunks(speaker, job), list[str]()
        guard, cached, used_up = GuardCounts(), False, None
        while True:
            began = self.runtime.clock()
            chunk = self._next(job, chunks)
            synthesis_s += self.runtime.clock() - began
            if chunk is None:  # a stopped job's stream ends by itself: it calls should_stop
                break
            used_up = job.meter(len(chunk.samples) / chunk.sample_rate)
            if used_up is not None:  # what was played so far is heard to its end
                break
            warnings += chunk.warnings
            guard, cached = chunk.guard, chunk.cached
            job.sink.play(job, chunk, self._pulse)
        audio_s = job.sink.finish(job, self._pulse)
        rtf = round(synthesis_s / audio_s, 3) if audio_s else None
        stopped = job.stop_reason() or (failure(used_up) if used_up else None)
        if stopped is None and rtf is not None and not cached:
            self.runtime.events.update(rtf=rtf)
        details = {"audio_s": round(audio_s, 3), "synthesis_s": round(synthesis_s, 3), "rtf": rtf, **guard.details()}
        details |= ({"warnings": warnings} if warnings else {}) | ({"cached": True} if cached else {})
        details |= {"underruns": job.underruns} if job.underruns else {}
        return stopped or Outcome("done", details)

    def _next(self, job: Job, chunks: Iterator[AudioChunk]) -> AudioChunk | None:
        """The next chunk, None at the end. An exception stops this one job; only DeviceLostError is raised."""
        try:
            return next(chunks, None)
        except Exception as error:  # noqa: BLE001 - content can raise anything; `named` lets a lost device pass
            job.stop(failure(named(error, job.request.id)))
            return None

    def _chunks(self, speaker: Speaker, job: Job) -> Iterator[AudioChunk]:
        """The chunks of a job: a generator, so that voice errors are raised within `_next`."""
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
