"""Stand-ins with the face of the real parts: a synthesizer that hums, a loudspeaker that listens, a still clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from edge_tts.errors import AudioError, TextError
from edge_tts.request import SpeakRequest
from edge_tts.values import AudioChunk, EncodeRequest, FloatArray, Recording, Report, Voice

RATE = 8000
"""Hz; low, so that tests are quick."""
WAIT_S = 60.0
"""Longer than anything takes; only a failing test waits this long."""


def until(condition: Callable[[], object]) -> None:
    """Wait for something another thread is about to do."""
    tick = threading.Event()
    for _ in range(int(WAIT_S / 0.002)):
        if condition():
            return
        tick.wait(0.002)
    raise AssertionError("it never came to that")


class FakeClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeSynthesizer:
    """Hums `chunks` chunks of a sine per request. While `gate` is closed it stands still after the first chunk."""

    def __init__(self, *, chunks: int = 3, chunk_s: float = 0.1) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.spoken: list[str] = []
        self.encoded: list[tuple[int, str, str]] = []
        self.refuse_to_encode = False
        self._chunks, self._samples = chunks, int(chunk_s * RATE)

    @contextmanager
    def loaded(self) -> Iterator[FakeSynthesizer]:
        """What the worker opens."""
        yield self

    def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        """A sine of amplitude 0.5. The text `!` is not speakable; `bug` is a defect."""
        if request.text == "!":
            raise TextError("nothing in the text can be spoken")
        if request.text == "bug":
            raise ZeroDivisionError("a defect")
        self.spoken.append(request.text)
        for index in range(self._chunks):
            while index and not self.gate.wait(0.005) and not should_stop():
                pass
            if should_stop():
                return
            times = np.arange(index * self._samples, (index + 1) * self._samples) / RATE
            sine = (0.5 * np.sin(2 * np.pi * 200 * times)).astype(np.float32)
            yield AudioChunk(sine, RATE, request.id, last=index == self._chunks - 1)

    def encode(self, request: EncodeRequest, should_stop: Callable[[], bool] = lambda: False) -> Voice:
        """A voice that remembers how many samples it was made of."""
        if self.refuse_to_encode:
            raise AudioError("this recording cannot be encoded")
        self.encoded.append((len(request.recordings[0].samples), request.transcript, request.language))
        return replace(silent_voice(request.id), name=request.name, language=request.language)

    def ssl(self, recordings: Sequence[Recording], should_stop: Callable[[], bool] = lambda: False) -> list[FloatArray]:
        """Features that are the same for every sound."""
        return [np.zeros((len(recording.samples) // 320, 4), np.float32) for recording in recordings]


class FakeLoudspeaker:
    """Remembers what it was given. It takes sound at once, or, while `gate` is closed, one block per `let_through`."""

    def __init__(self, sample_rate: int = RATE) -> None:
        self.sample_rate = sample_rate
        self.blocks: list[FloatArray] = []
        self.drains = 0
        self.closed = False
        self.broken = False
        self._free = True
        self._room = threading.Semaphore(0)

    def hold(self) -> None:
        """Take no more sound until `let_through` or `release`."""
        self._free = False

    def let_through(self, blocks: int) -> None:
        """Take so many blocks more."""
        for _ in range(blocks):
            self._room.release()

    def release(self) -> None:
        """Take everything from now on."""
        self._free = True
        self._room.release()

    @property
    def heard(self) -> FloatArray:
        """Everything played, float32 [n]."""
        return np.concatenate([np.zeros(0, np.float32), *self.blocks])

    def write(self, samples: FloatArray) -> None:
        if self.broken:
            raise AudioError("the loudspeaker was pulled out")
        while not self._free and not self._room.acquire(timeout=0.01):
            pass
        self.blocks.append(samples.copy())

    def drain(self) -> None:
        self.drains += 1

    def close(self) -> None:
        self.closed = True


class Notes:
    """An event listener that writes everything down and can be waited on."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.replies: list[tuple[str, Report]] = []
        self.retained: list[tuple[str, Any]] = []
        self._condition = threading.Condition()

    def on_report(self, report: Report) -> None:
        with self._condition:
            self.reports.append(report)
            self._condition.notify_all()

    def reply(self, name: str) -> Callable[[Report], None]:
        """The reply of a sender of that name."""
        return lambda report: self.replies.append((name, report))

    def on_retained(self, topic: str, value: Any) -> None:
        with self._condition:
            self.retained.append((topic, value))
            self._condition.notify_all()

    def wait_fact(self, topic: str, wanted: Callable[[Any], bool]) -> None:
        """Until the latest fact on `topic` is as wanted."""

        def found() -> bool:
            latest = [value for name, value in self.retained if name == topic][-1:]
            return bool(latest) and wanted(latest[0])

        with self._condition:
            assert self._condition.wait_for(found, WAIT_S), f"{topic} went through {self.retained}"

    def stages(self, request_id: str) -> list[str]:
        """The stages a request has gone through so far."""
        return [report.stage for report in list(self.reports) if report.id == request_id]

    def wait(self, request_id: str, stage: str, *, count: int = 1) -> Report:
        """The report of that stage, as soon as there are `count` of them."""

        def found() -> Report | None:
            return next(iter([r for r in self.reports if (r.id, r.stage) == (request_id, stage)][count - 1 :]), None)

        with self._condition:
            report = self._condition.wait_for(found, WAIT_S)
        assert report is not None, f"no {stage} for {request_id}; it went through {self.stages(request_id)}"
        return report


def silent_voice(voice: str = "hum") -> Voice:
    """A voice without any features."""
    nothing = np.zeros(0, np.int64)
    return Voice(voice, voice, "en", nothing, nothing, np.zeros((0, 4), np.float32), np.zeros((1, 4, 1), np.float32))
