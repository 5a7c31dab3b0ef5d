"""A job in service: its chunks on their way to its sink, and what its closing report says of them."""

from __future__ import annotations

from collections.abc import Callable, Generator

from edge_tts.errors import named
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job, Outcome, RenderingSink, failure
from edge_tts.values import AudioChunk, GuardCounts


class Service:
    """Used by the worker's thread. `waiting` is called at least once a second."""

    def __init__(self, runtime: Runtime, job: Job, chunks: Generator[AudioChunk, None, None]) -> None:
        self.job = job
        self.turn = 0
        """When it last had a turn; 0: never."""
        self._runtime, self._chunks = runtime, chunks
        self._synthesis_s, self._warnings = 0.0, list[str]()
        self._guard, self._cached = GuardCounts(), False
        self._used_up: Exception | None = None

    @property
    def blocked(self) -> bool:
        """Whether its sink has no room now."""
        sink = self.job.sink
        return isinstance(sink, RenderingSink) and sink.full() and self.job.stop_reason() is None

    def advance(self, waiting: Callable[[], None]) -> bool:
        """Hand the next chunk to the sink. Returns whether there was one."""
        began = self._runtime.clock()
        chunk = self._next()
        self._synthesis_s += self._runtime.clock() - began
        if chunk is None:  # a stopped job's stream ends by itself: it calls should_stop
            return False
        self._used_up = self.job.meter(len(chunk.samples) / chunk.sample_rate)
        if self._used_up is not None:  # what was played so far is heard to its end
            return False
        self._warnings += chunk.warnings
        self._guard, self._cached = chunk.guard, chunk.cached
        self.job.sink.play(self.job, chunk, waiting)
        return True

    def outcome(self, waiting: Callable[[], None]) -> Outcome:
        """How it ended, once all was heard."""
        self._chunks.close()
        audio_s = self.job.sink.finish(self.job, waiting)
        rtf = round(self._synthesis_s / audio_s, 3) if audio_s else None
        stopped = self.job.stop_reason() or (failure(self._used_up) if self._used_up else None)
        if stopped is None and rtf is not None and not self._cached:
            self._runtime.events.update(rtf=rtf)
        details = {
            "audio_s": round(audio_s, 3),
            "synthesis_s": round(self._synthesis_s, 3),
            "rtf": rtf,
            **self._guard.details(),
            **({"warnings": self._warnings} if self._warnings else {}),
            **({"cached": True} if self._cached else {}),
            **({"underruns": self.job.underruns} if self.job.underruns else {}),
        }
        return stopped or Outcome("done", details)

    def _next(self) -> AudioChunk | None:
        """The next chunk, None at the end. An exception stops this one job; only DeviceLostError is raised."""
        try:
            return next(self._chunks, None)
        except Exception as error:  # noqa: BLE001 - content can raise anything; `named` lets a lost device pass
            self.job.stop(failure(named(error, self.job.request.id)))
            return None
