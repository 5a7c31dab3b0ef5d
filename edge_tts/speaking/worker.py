"""The worker: one thread that owns the networks and does one job after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from edge_tts.errors import named
from edge_tts.request import SpeakRequest
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job, Outcome, failure
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.values import AudioChunk, EncodeRequest, FloatArray, GuardCounts, Priority, Recording, Voice


class Encoder(Protocol):
    """Makes a voice from recordings; `OnDemandEncoder` in production."""

    def encode(self, request: EncodeRequest, should_stop: Callable[[], bool]) -> Voice:
        """Calls `should_stop` before each network. Raises VoiceError, also when it returns True."""


class Speaker(Encoder, Protocol):
    """Makes sound, too; `Networks` in production."""

    def ssl(self, recordings: Sequence[Recording], should_stop: Callable[[], bool]) -> list[FloatArray]:
        """The `ssl` features of each, float32 [frames, width]. Raises VoiceError when `should_stop` returns True."""

    def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        """Yields each chunk as soon as it is vocoded."""


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
    """Loads, uses and closes the networks in its thread, to which their CUDA context belongs."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        load: Callable[[], AbstractContextManager[Speaker]],
        voice: Callable[[str], Voice],
        jobs: JobQueue,
    ) -> None:
        super().__init__(name="worker", runtime=runtime)
        self._load, self._voice, self._jobs = load, voice, jobs
        self._pulse = runtime.health.pulse("worker")

    def wake(self) -> None:
        self._jobs.wake()

    def work(self) -> None:
        with self._load() as speaker:
            self.ready()
            while not self.stopping.is_set():
                self._pulse()
                job = self._jobs.dequeue(timeout_s=0.5)
                if job is not None:
                    self._jobs.finish(job, self._serve(speaker, job))

    def _serve(self, speaker: Speaker, job: Job) -> Outcome:
        request = job.request
        job.report(self.runtime, "started", {"voice": request.voice} if isinstance(request, SpeakRequest) else {})
        synthesis_s, chunks, warnings = 0.0, self._chunks(speaker, job), list[str]()
        guard = GuardCounts()
        while True:
            began = self.runtime.clock()
            chunk = self._next(job, chunks)
            synthesis_s += self.runtime.clock() - began
            if chunk is None:  # a stopped job's stream ends by itself: it calls should_stop
                break
            warnings += chunk.warnings
            guard = chunk.guard
            job.sink.play(job, chunk, self._pulse)
        audio_s = job.sink.finish(job, self._pulse)
        rtf = round(synthesis_s / audio_s, 3) if audio_s else None
        stopped = job.stop_reason()
        if stopped is None and rtf is not None:
            self.runtime.events.update(rtf=rtf)
        details = {"audio_s": round(audio_s, 3), "synthesis_s": round(synthesis_s, 3), "rtf": rtf, **guard.details()}
        return stopped or Outcome("done", details | ({"warnings": warnings} if warnings else {}))

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
            yield from speaker.stream(request, self._voice(request.voice), should_stop)
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
