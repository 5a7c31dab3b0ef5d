"""Who may have a person recorded, and that nobody is recorded without having heard it, whatever a neighbour sends."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from enrolling import MIC_RATE, MIN_VOLUME, FakeMicrophone, scene, spoken
from fakes import RATE, WAIT_S
from rig import sentence

from edge_tts.enrolment.enrolment import ASK_S
from edge_tts.enrolment.prompts import consent, step
from edge_tts.errors import PayloadError
from edge_tts.speaking.job import Job, Outcome
from edge_tts.values import FloatArray

INVITATION = step("invite", "en", sentence=consent("en", "Anna"))


def test_an_enrolment_over_the_network_waits_for_a_press_at_the_device() -> None:
    """The device says what is asked; only a press there lets it go on, and until then the microphone stays closed."""
    with scene() as it:
        it.enrol_from_afar()
        it.wait_step("asking")
        it.notes.wait("job-0", "done")
        assert it.microphone.heard == 0
        it.enrolment.press()
        it.notes.wait("enrol", "done")
    assert it.synthesizer.spoken[:2] == [step("ask", "en", name="Anna"), INVITATION]
    assert it.steps()[:4] == ["idle", "asking", "inviting", "recording"]


def test_an_enrolment_that_nobody_agrees_to_ends_by_itself() -> None:
    """After a minute without a press nothing was recorded; the report says what would have been needed."""
    with scene() as it:
        it.enrol_from_afar()
        it.wait_step("asking")
        it.clock.now += ASK_S + 1
        details = it.notes.wait("enrol", "interrupted").details
        it.notes.wait("job-1", "done")
    assert details["reason"] == "unconfirmed"
    assert "enrolment.remote" in details["message"]
    assert it.synthesizer.spoken[-1] == step("unconfirmed", "en")
    assert it.microphone.heard == 0


def test_a_press_over_the_network_agrees_to_nothing() -> None:
    """While the device asks, and while it invites, such a press is refused and changes nothing; it may begin the
    asking, and end a recording."""
    with scene() as it:
        it.synthesizer.gate.clear()
        it.enrolment.remote_press()
        it.wait_step("asking")
        with pytest.raises(PayloadError, match="only a press at the device"):
            it.enrolment.remote_press()
        it.notes.wait("job-0", "first_audio")
        it.enrolment.press()
        assert it.notes.wait("job-0", "interrupted")  # who presses has heard enough of the question
        it.wait_step("inviting")
        with pytest.raises(PayloadError, match="only a press at the device"):
            it.enrolment.remote_press()
        assert it.microphone.heard == 0
        it.microphone.on_read = lambda block: it.enrolment.remote_press() if block == 60 else None
        it.synthesizer.gate.set()
        it.notes.wait("pressed", "done")
    assert it.synthesizer.spoken[:2] == [step("ask", "en", name="Anna"), INVITATION]
    assert len(it.gate.judged[0].samples) == 61 * MIC_RATE // 20


def test_where_the_owner_allows_it_no_press_is_needed() -> None:
    """With `remote: full` an enrolment over the network invites at once; a press from there still skips nothing."""
    with scene(remote="full") as it:
        it.synthesizer.gate.clear()
        it.enrol_from_afar()
        it.wait_step("inviting")
        with pytest.raises(PayloadError):
            it.enrolment.remote_press()
        it.synthesizer.gate.set()
        it.notes.wait("enrol", "done")
    assert it.synthesizer.spoken[0] == INVITATION
    assert it.notes.stages("job-0")[-1] == "done"


@pytest.mark.parametrize("how", ["skip", "stop it by its id"])
@pytest.mark.parametrize(("heard", "cut_off"), [(0, "job-0"), (int(0.3 * RATE), "job-1")])
def test_what_is_skipped_by_others_was_not_heard(how: str, heard: int, cut_off: str) -> None:
    """A neighbour who skips the invitation or the tone, by command or by its id, ends the enrolment: nobody is recorded
    who was not told."""
    with scene() as it:
        write = it.loudspeaker.write

        def skip_at(samples: FloatArray) -> None:
            if len(it.loudspeaker.heard) == heard:
                it.jobs.skip() if how == "skip" else it.jobs.stop(cut_off)
            write(samples)

        it.loudspeaker.write = skip_at
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "interrupted"}
        it.wait_step("idle")
    assert it.notes.stages(cut_off)[-1] == "interrupted"
    assert it.microphone.heard == 0


def test_a_tone_of_long_ago_opens_no_microphone() -> None:
    """An alert that comes in the moment after the tone is spoken first; whoever has listened to it for a while is not
    recorded on the strength of a tone before it."""
    with scene() as it:
        finish, write = it.jobs.finish, it.loudspeaker.write

        def alert_behind_the_tone(job: Job, outcome: Outcome) -> None:
            finish(job, outcome)
            if job.request.id == "job-1":
                it.jobs.submit(Job(sentence("alert", "fire", priority="alert"), sink=it.player))
                it.loudspeaker.write = slowly

        def slowly(samples: FloatArray) -> None:
            it.clock.now += 1.0
            write(samples)

        it.jobs.finish = alert_behind_the_tone
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "interrupted"}
    assert it.notes.stages("job-1")[-1] == "done"
    assert it.notes.stages("alert")[-1] == "done"
    assert it.microphone.heard == 0


def test_a_pause_does_not_get_round_the_tone() -> None:
    """While playing is paused nothing is recorded; when it goes on the tone is played, then the microphone opens."""
    with scene() as it:
        write, paused = it.loudspeaker.write, threading.Event()

        def pause_in_the_tone(samples: FloatArray) -> None:
            if len(it.loudspeaker.heard) >= int(0.4 * RATE) and not paused.is_set():
                it.player.pause(True)
                paused.set()
            write(samples)

        it.loudspeaker.write = pause_in_the_tone
        it.enrol()
        assert paused.wait(WAIT_S)
        assert it.microphone.heard == 0
        assert "done" not in it.notes.stages("job-1")
        it.player.pause(False)
        it.notes.wait("enrol", "done")
    assert it.notes.stages("job-1")[-1] == "done"


def test_nobody_is_recorded_unheard_whatever_the_volume_is() -> None:
    """At volume 0 invitation, tone and answer are as loud as the floor says; what is said otherwise stays silent."""
    with scene() as it:
        it.player.set_volume(0.0)
        it.enrol()
        it.notes.wait("enrol", "done")
        heard = it.loudspeaker.heard
        it.jobs.submit(Job(sentence("silent", "silent"), sink=it.player))
        it.notes.wait("silent", "done")
    invitation, tone = int(0.3 * RATE), int(0.25 * RATE)
    assert np.abs(heard[:invitation]).max() == pytest.approx(0.5 * MIN_VOLUME, rel=0.01)
    assert np.abs(heard[invitation : invitation + tone]).max() == pytest.approx(0.25 * MIN_VOLUME, rel=0.01)
    assert np.abs(heard[-invitation:]).max() == pytest.approx(0.5 * MIN_VOLUME, rel=0.01)
    assert not it.loudspeaker.heard[len(heard) :].any()


def test_everybody_can_see_that_the_microphone_is_open() -> None:
    """The state says so from before the first sample to after the last, and at no other time."""
    microphone = FakeMicrophone(spoken())
    with scene(microphone) as it:
        seen: set[str] = set()
        microphone.on_read = lambda block: seen.add(it.events.state.microphone)
        it.enrol()
        it.notes.wait("enrol", "done")
        assert seen == {"open"}
        it.open_microphone = lambda: 1 / 0
        it.enrol(request_id="broken")
        it.notes.wait("broken", "failed")
        states = [value["microphone"] for topic, value in it.notes.retained if topic == "state"]
    assert [state for state, before in zip(states[1:], states, strict=False) if state != before] == [
        *("open", "closed", "open", "closed")
    ]
