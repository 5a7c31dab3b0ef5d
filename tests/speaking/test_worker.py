"""The worker: how a job ends, whose fault it was, and what a defect does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from fakes import RATE, WAIT_S, FakeSynthesizer, silent_voice, until
from rig import CountingHealth, Rig, sentence

from edge_tts.errors import DeviceLostError, ModelError, UnknownVoiceError, VoiceError
from edge_tts.request import SpeakRequest
from edge_tts.speaking.job import Job
from edge_tts.speaking.on_demand import Speaker
from edge_tts.speaking.worker import Task
from edge_tts.values import AudioChunk, EncodeRequest, GuardCounts, Recording, Voice


class Bench(Rig):
    """A worker with everything around it."""

    def __init__(self, synthesizer: FakeSynthesizer, **options: int) -> None:
        self.failed = threading.Event()
        super().__init__(synthesizer=synthesizer, voice=self._voice, fatal=lambda *_: self.failed.set(), **options)

    def _voice(self, voice: str) -> Voice:
        if voice == "gone":
            raise UnknownVoiceError("there is no voice 'gone'")
        if voice == "broken":
            raise VoiceError("features.npz is damaged")
        return silent_voice(voice)


@contextmanager
def bench(synthesizer: FakeSynthesizer | None = None) -> Iterator[Bench]:
    """A running bench."""
    made = Bench(synthesizer or FakeSynthesizer())
    with made.running():
        yield made


def test_done_carries_the_numbers() -> None:
    """The closing report of a spoken request tells its length in seconds and the real-time factor."""
    with bench() as it:
        it.say("a")
        done = it.notes.wait("a", "done")
    assert done.details["audio_s"] == pytest.approx(0.3)
    assert done.details["rtf"] == 0.0  # the clock stood still
    assert len(it.loudspeaker.heard) == int(0.3 * RATE)


def test_done_carries_the_warnings() -> None:
    """What the synthesizer says about a text comes with the report that closes the request, if there is anything."""

    class Warning(FakeSynthesizer):
        def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            for chunk in super().stream(request, voice, should_stop):
                yield replace(chunk, warnings=("left out: Иван",)) if chunk.last and request.text == "w" else chunk

    with bench(Warning()) as it:
        it.say("a", text="w")
        it.say("b")
        assert it.notes.wait("a", "done").details["warnings"] == ["left out: Иван"]
        assert "warnings" not in it.notes.wait("b", "done").details


def test_done_carries_what_the_guard_counted() -> None:
    """Segments that were decoded again and those that stayed wrong, by fault; nothing where all went well."""

    class Guarded(FakeSynthesizer):
        def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            counts = GuardCounts(retried=2, faults={"loop": 1})
            for chunk in super().stream(request, voice, should_stop):
                yield replace(chunk, guard=counts) if chunk.last and request.text == "w" else chunk

    with bench(Guarded()) as it:
        it.say("a", text="w")
        it.say("b")
        done = it.notes.wait("a", "done").details
        assert (done["retried"], done["guard"]) == (2, {"loop": 1})
        assert not {"retried", "guard"} & it.notes.wait("b", "done").details.keys()


@pytest.mark.parametrize(
    ("text", "voice", "error"),
    [("!", "hum", "TextError"), ("a", "gone", "UnknownVoiceError"), ("a", "broken", "VoiceError")],
)
def test_a_named_error_ends_one_job(text: str, voice: str, error: str) -> None:
    """The request fails with the error's name, exactly once, and the next one is spoken."""
    with bench() as it:
        it.say("bad", text=text, voice=voice)
        it.say("good")
        it.notes.wait("good", "done")
        assert it.notes.stages("bad") == ["accepted", "started", "failed"]
        assert it.notes.wait("bad", "failed").details["error"] == error
        assert not it.failed.is_set()


def test_a_defect_ends_one_job(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that nobody named fails the request that raised it, a task too, with its traceback in the log once;
    those queued before and behind are spoken."""

    def stumble(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        raise RecursionError("too deep")
        yield

    with bench() as it:
        it.say("before")
        it.say("bug", text="bug")
        it.jobs.submit(Job(Task("stumble", stumble), sink=it.player))
        it.say("after")
        it.notes.wait("after", "done")
        assert it.notes.stages("before")[-1] == "done"
        for request_id, reason in (("bug", "ZeroDivisionError: a defect"), ("stumble", "RecursionError: too deep")):
            assert it.notes.stages(request_id) == ["accepted", "started", "failed"]
            details = it.notes.wait(request_id, "failed").details
            assert details["error"] == "InternalError"
            assert reason in details["message"]
            assert [r.exc_info is not None for r in caplog.records if request_id in r.getMessage()] == [True]
        assert not it.failed.is_set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lost_device_is_fatal() -> None:
    """What leaves an engine in doubt ends the worker and calls `fatal`: the next request would meet it."""

    def lose(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        raise DeviceLostError("this process has lost the GPU")
        yield

    it = Bench(FakeSynthesizer())
    with it.player, it.worker:
        it.jobs.submit(Job(Task("lose", lose), sink=it.player))
        assert it.failed.wait(WAIT_S)


def test_a_model_that_cannot_be_loaded_stops_the_start() -> None:
    """The named error comes out where the worker is started."""

    class Unloadable(FakeSynthesizer):
        @contextmanager
        def loaded(self) -> Iterator[FakeSynthesizer]:
            raise ModelError("wave.onnx is damaged")
            yield self

    it = Bench(Unloadable())
    with pytest.raises(ModelError, match="damaged"), it.player, it.worker:
        raise AssertionError("it must not start")


def test_each_step_of_the_synthesizer_is_a_pulse() -> None:
    """The watchdog is fed by progress: every time the synthesizer asks whether to stop."""
    with bench(FakeSynthesizer(chunks=30)) as it:
        health = it.runtime.health
        assert isinstance(health, CountingHealth)
        before = health.pulses["worker"]
        it.say("a")
        it.notes.wait("a", "done")
        assert health.pulses["worker"] - before >= 30


def test_a_stop_reaches_a_synthesizer_in_the_middle_of_a_sentence() -> None:
    """A stop is noticed between two chunks; the request ends as interrupted with what was played."""
    synthesizer = FakeSynthesizer(chunks=100)
    synthesizer.gate.clear()
    with bench(synthesizer) as it:
        it.say("a")
        it.notes.wait("a", "first_audio")
        it.jobs.stop("a")
        assert it.notes.wait("a", "interrupted").details == {"reason": "stopped"}
        assert len(it.loudspeaker.heard) <= int(0.1 * RATE)


def test_a_task_waits_in_line_and_uses_the_networks() -> None:
    """Something other than speaking, such as encoding a voice, runs on the worker's thread between two requests."""
    made: list[tuple[Voice, str]] = []

    def encode(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        request = EncodeRequest("v", "V", "en", "hm", [Recording(np.zeros(80, np.float32), RATE)])
        made.append((networks.encode(request, should_stop), threading.current_thread().name))
        yield from ()

    with bench() as it:
        it.say("before")
        it.jobs.submit(Job(Task("encode", encode), sink=it.player))
        it.say("after")
        it.notes.wait("after", "done")
        assert it.notes.stages("encode") == ["accepted", "started", "done"]
    assert [(voice.id, thread) for voice, thread in made] == [("v", "worker")]


def test_a_task_can_be_heard() -> None:
    """What a task yields is played as it is: that is how a beep stays in its place between two sentences."""

    def beep(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        yield AudioChunk(np.full(100, 0.25, np.float32), RATE, "beep", last=True)

    with bench() as it:
        it.jobs.submit(Job(Task("beep", beep), sink=it.player))
        it.notes.wait("beep", "done")
    assert it.loudspeaker.heard == pytest.approx(np.full(100, 0.25))


class Turns:
    """A sink that plays nothing here and notes whose chunk came."""

    renders = True

    def __init__(self, came: list[str]) -> None:
        self.came, self.is_full = came, False

    def play(self, job: Job, chunk: AudioChunk, waiting: Callable[[], None]) -> None:
        self.came.append(job.request.id)

    def finish(self, job: Job, waiting: Callable[[], None]) -> float:
        return 0.1

    def full(self) -> bool:
        return self.is_full


def test_requests_that_only_render_are_served_by_turns() -> None:
    """Two callers get a chunk each in turn, the third waits for a place; one whose connection is full is left out until
    the others are done."""
    it, came = Bench(FakeSynthesizer(chunks=3), side_by_side=2), list[str]()
    full = Turns(came)
    for name, sink in (("a", Turns(came)), ("b", Turns(came)), ("c", full), ("d", Turns(came))):
        it.jobs.submit(Job(sentence(name), sink=sink))
    full.is_full = True
    with it.running():
        for name in "abcd":
            it.notes.wait(name, "done")
    assert came == [*"ababab", *"ddd", *"ccc"]


def test_what_is_heard_here_is_not_served_by_turns() -> None:
    """A request for the loudspeaker has the worker for itself, before and behind others that only render."""
    it, came = Bench(FakeSynthesizer(chunks=2), side_by_side=4), list[str]()
    it.jobs.submit(Job(sentence("a"), sink=Turns(came)))
    it.say("loud")
    it.jobs.submit(Job(sentence("b"), sink=Turns(came)))
    with it.running():
        for name in ("a", "loud", "b"):
            it.notes.wait(name, "done")
    order = [(report.id, report.stage) for report in it.notes.reports if report.stage in ("started", "done")]
    assert order == [(name, stage) for name in ("a", "loud", "b") for stage in ("started", "done")]


def test_what_is_more_urgent_goes_before_those_that_only_render() -> None:
    """A request of low priority that only renders stands still while those of a higher are heard to their end."""
    it, came = Bench(FakeSynthesizer(chunks=3), side_by_side=2), list[str]()
    it.jobs.submit(Job(sentence("low", priority="low"), sink=Turns(came)))
    it.synthesizer.gate.clear()
    with it.running():
        until(lambda: came)
        for name in ("first", "second"):
            it.say(name)
        it.synthesizer.gate.set()
        for name in ("first", "second", "low"):
            it.notes.wait(name, "done")
    closed = [report.id for report in it.notes.reports if report.stage == "done"]
    assert closed == ["first", "second", "low"]
    assert came == ["low"] * 3


def test_one_of_several_requests_fails_or_is_stopped_alone() -> None:
    """Among requests in service together, one that meets an error and one that is stopped leave the others whole."""
    it, came = Bench(FakeSynthesizer(chunks=3), side_by_side=3), list[str]()
    for name, text in (("a", "text"), ("wrong", "!"), ("b", "text")):
        it.jobs.submit(Job(sentence(name, text), sink=Turns(came)))
    it.synthesizer.gate.clear()
    with it.running():
        it.notes.wait("wrong", "failed")
        it.jobs.stop("a")
        it.synthesizer.gate.set()
        it.notes.wait("a", "interrupted")
        assert it.notes.wait("b", "done").details["audio_s"] == pytest.approx(0.1)
    assert came.count("b") == 3
