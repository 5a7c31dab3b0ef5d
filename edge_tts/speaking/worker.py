"""The worker: owns the networks and does one job after another. Knows nothing of MQTT or of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from edge_tts.errors import named
from edge_tts.request import SpeakRequest
from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job, Outcome, failure
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.values import AudioChunk, EncodeRequest, Priority, Voice


class Encoder(Protocol):
    """What makes a voice of recordings; `OnDemandEncoder` in production."""

    def encode(self, request: EncodeRequest, should_stop: Callable[[], bool]) -> Voice:
        """The voice of the speaker of the recordings.

        `should_stop` is asked before each network; VoiceError when it says yes.
        """


class Speaker(Encoder, Protocol):
    """What turns a request into sound, too; `Networks` in production."""

    def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        """The request's sound, chunk by chunk, as soon as each is there."""


Work = Callable[[Speaker, Callable[[], bool]], Iterator[AudioChunk]]
"""Called with the worker's networks and `should_stop`; the chunks it yields, if any, go to the job's sink."""


@dataclass(frozen=True, slots=True)
class Task:
    """Any other work for the worker: what needs its networks, its place in the queue, or to be played as it is."""

    id: str
    work: Work
    priority: Priority = "normal"
    gain: float = 1.0


class Worker(Part):
    """One thread that loads the networks, uses them and gives them back: a CUDA context belongs to its thread."""

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
        """See `Part.wake`."""
        self._jobs.wake()

    def work(self) -> None:
        """Load, then serve the queue until asked to stop."""
        with self._load() as speaker:
            self.ready()
            while not self.stopping.is_set():
                self._pulse()
                job = self._jobs.dequeue(timeout_s=0.5)
                if job is not None:
                    self._jobs.finish(job, self._speak(speaker, job))

    def _speak(self, speaker: Speaker, job: Job) -> Outcome:
        """Do one job to its end and say how it ended."""
        request = job.request
        job.report(self.runtime, "started", {"voice": request.voice} if isinstance(request, SpeakRequest) else {})
        synthesis_s, chunks = 0.0, self._sound(speaker, job)
        while True:
            began = self.runtime.clock()
            chunk = self._next(job, chunks)
            synthesis_s += self.runtime.clock() - began
            if chunk is None:  # a stopped job's stream ends by itself: it asks should_stop
                break
            job.sink.play(job, chunk, self._pulse)
        audio_s = job.sink.finish(job, self._pulse)
        rtf = round(synthesis_s / audio_s, 3) if audio_s else None
        numbers = {"audio_s": round(audio_s, 3), "synthesis_s": round(synthesis_s, 3), "rtf": rtf}
        return job.stop_reason() or Outcome("done", numbers)

    def _next(self, job: Job, chunks: Iterator[AudioChunk]) -> AudioChunk | None:
        """The next chunk, None at the end. What a request raises, whatever it is, stops that one job; only a lost
        device comes out of here and ends the process."""
        try:
            return next(chunks, None)
        except Exception as error:  # noqa: BLE001 - content can raise anything; `named` lets a lost device pass
            job.stop(failure(named(error, job.request.id)))
            return None

    def _sound(self, speaker: Speaker, job: Job) -> Iterator[AudioChunk]:
        """The sound of a job; nothing is computed, and nothing raised, before the first chunk is asked for."""
        request, should_stop = job.request, self._should_stop(job)
        if isinstance(request, SpeakRequest):
            yield from speaker.stream(request, self._voice(request.voice), should_stop)
        elif isinstance(request, Task):
            yield from request.work(speaker, should_stop)
        else:
            raise TypeError(f"the worker cannot do a {type(request).__name__}")

    def _should_stop(self, job: Job) -> Callable[[], bool]:
        """Asked by the synthesizer at every step, which makes it the worker's pulse too."""

        def should_stop() -> bool:
            self._pulse()
            return job.stop_reason() is not None or self.stopping.is_set()

        return should_stop
