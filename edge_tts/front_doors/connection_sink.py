"""The sink of a job whose sound goes to a client: a bounded buffer between the worker and an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from edge_tts.audio.provenance import Provenance
from edge_tts.audio.wave import to_pcm16
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import IN_HAND_S, Job, Outcome
from edge_tts.values import CLOSING, AudioChunk, Caller, Report

BUFFER_S = 60.0
"""Seconds of sound that may wait for the client; then the worker does."""
LATE_S = 30.0
"""A client that plays at once keeps the worker waiting no longer than its sound lasts; one may be so much slower."""


class ConnectionSink:
    """`play` and `finish` are for the worker, `on_report` for any thread, `piece` for the event loop."""

    def __init__(self, *, runtime: Runtime, loop: asyncio.AbstractEventLoop, caller: Caller) -> None:
        self._runtime, self._loop, self.caller = runtime, loop, caller
        self._condition = threading.Condition()
        self._pieces: deque[tuple[bytes, float]] = deque()
        self._waiting_s, self._total_s, self._began = 0.0, 0.0, 0.0
        self._news = asyncio.Event()
        self.content: Provenance | None = None
        """Of the sound, from its first piece on."""
        self.closing: Report | None = None
        """The last report on the job."""

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None:
        if not len(chunk.samples):
            return
        if self._total_s == 0:
            self._began, self.content = self._runtime.clock(), job.content(self._runtime)
            job.report(self._runtime, "first_audio")
        elif self._waiting_s == 0 and self._runtime.clock() - self._began > self._total_s + IN_HAND_S:
            job.underruns += 1  # a client that plays at once has heard all there was
            self._began = self._runtime.clock() - self._total_s
        job.on_stop(self._wake)
        with self._condition:
            self._await_room(job, waiting)
            if job.stop_reason():
                return
            seconds = len(chunk.samples) / chunk.sample_rate
            self._pieces.append((to_pcm16(chunk.samples * job.request.gain).tobytes(), seconds))
            self._waiting_s += seconds
            self._total_s += seconds
        self._tell()

    @property
    def renders(self) -> bool:
        return True

    def full(self) -> bool:
        return self._waiting_s >= BUFFER_S

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        """Does not wait for the client: the worker is free for others."""
        return self._total_s

    def on_report(self, report: Report) -> None:
        if report.stage in CLOSING:
            self.closing = report
            self._tell()

    async def piece(self) -> bytes | None:
        """The next sound, little-endian int16; None after the last, with `closing` set. What is left of a job that was
        stopped is dropped."""
        while True:
            self._news.clear()
            with self._condition:
                if self.closing is not None and (self.closing.stage != "done" or not self._pieces):
                    return None
                if self._pieces:
                    samples, seconds = self._pieces.popleft()
                    self._waiting_s -= seconds
                    self._condition.notify_all()
                    return samples
            await self._news.wait()

    def _await_room(self, job: Job, waiting: Callable[[], None]) -> None:
        while self.full() and not job.stop_reason():
            self._condition.wait(1.0)
            waiting()
            if self._runtime.clock() - self._began > self._total_s + LATE_S:
                job.stop(Outcome("interrupted", {"reason": "the client takes the sound too slowly"}))

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._news.set)
