"""Enrolment with a microphone that breaks, hangs, dawdles or comes late: the person is told, and nobody else waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from enrolling import FakeMicrophone, Scene, scene, spoken
from fakes import WAIT_S
from rig import sentence

from edge_tts.enrolment.prompts import step
from edge_tts.errors import AudioError
from edge_tts.speaking.job import Job
from edge_tts.values import FloatArray


def test_a_microphone_that_breaks() -> None:
    """The person is told; the queue is free again; the next enrolment works."""
    with scene(FakeMicrophone(spoken(), broken_after=5)) as it:
        it.enrol()
        assert it.notes.wait("enrol", "failed").details["error"] == "AudioError"
        it.notes.wait("job-3", "done")
        assert it.microphone.closed
        it.microphone = FakeMicrophone(spoken())
        it.wait_step("idle")
        it.enrol(request_id="again")
        it.notes.wait("again", "done")
    assert step("microphone", "en") in it.synthesizer.spoken


def test_a_microphone_that_was_plugged_in_late() -> None:
    """It is found only while no other device is open: the loudspeaker is closed for it, and speaks again afterwards."""
    with scene() as it:

        def find() -> FakeMicrophone:
            if not it.loudspeaker.closed:
                raise AudioError("no such device; what was plugged in since the start ...")
            return it.microphone

        it.open_microphone = find
        it.enrol()
        it.notes.wait("enrol", "done")
    assert it.synthesizer.spoken[-1] == step("answer", "en", name="Anna")
    assert it.voice_writer.kept


class StuckMicrophone(FakeMicrophone):
    """Gives three blocks; then its driver does not return until `free` is set."""

    def __init__(self) -> None:
        super().__init__(spoken())
        self.stuck, self.free, self.given_back = (threading.Event() for _ in range(3))
        self.on_read = self._stand_still

    def _stand_still(self, block: int) -> None:
        if block == 3:
            self.stuck.set()
            assert self.free.wait(WAIT_S)

    def close(self) -> None:
        super().close()
        self.given_back.set()


def test_a_microphone_that_never_returns() -> None:
    """After a few seconds without a sample the person is told and the queue goes on; the next enrolment works, and the
    device is given back when its driver comes to."""
    microphone = StuckMicrophone()
    with scene(microphone) as it:
        it.enrol()
        assert microphone.stuck.wait(WAIT_S)
        it.jobs.submit(Job(sentence("dinner", "dinner"), sink=it.player))
        it.clock.now += 6
        assert "no sound for 5 s" in it.notes.wait("enrol", "failed").details["message"]
        it.notes.wait("dinner", "done")
        it.notes.wait("job-3", "done")
        it.wait_step("idle")
        assert step("microphone", "en") in it.synthesizer.spoken
        it.microphone = FakeMicrophone(spoken())
        it.enrol(request_id="again")
        it.notes.wait("again", "done")
        microphone.free.set()
        assert microphone.given_back.wait(WAIT_S)
    assert not it.failed.is_set()


@pytest.mark.parametrize("stop", [lambda it: it.jobs.stop(), lambda it: it.enrolment.stopping.set()])
def test_a_microphone_that_never_returns_can_be_stopped(stop: Callable[[Scene], None]) -> None:
    """A `stop`, and the end of the process, do not wait for a driver."""
    microphone = StuckMicrophone()
    with scene(microphone) as it:
        it.enrol()
        assert microphone.stuck.wait(WAIT_S)
        stop(it)
        it.notes.wait("enrol", "interrupted")
    microphone.free.set()
    assert microphone.given_back.wait(WAIT_S)


def test_a_microphone_that_gives_nothing() -> None:
    """Blocks without a sample are no sound either."""
    microphone = FakeMicrophone(np.zeros(0, np.float32))
    with scene(microphone) as it:

        def nothing() -> FloatArray:
            it.clock.now += 1
            return np.zeros(0, np.float32)

        microphone.read = nothing
        it.enrol()
        assert "no sound" in it.notes.wait("enrol", "failed").details["message"]
    assert microphone.closed


def test_a_microphone_that_dawdles() -> None:
    """Where samples come far too slowly the clock counts, less the 5 s that a microphone may stall: after 15 s in which
    nobody spoke the recording is over."""
    microphone = FakeMicrophone(np.zeros(0, np.float32))
    with scene(microphone) as it:

        def dawdle(block: int) -> None:
            it.clock.now += 1

        microphone.on_read = dawdle
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "nobody"}
    assert microphone.heard == 15
