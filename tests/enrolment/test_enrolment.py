"""An enrolment from the press to the answer: what is said, what is recorded, what is kept, and every way it may end."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from enrolling import ANNA, MIC_RATE, FakeGate, FakeMicrophone, scene, spoken
from fakes import RATE, FakeSynthesizer
from rig import sentence

from edge_tts.config import EnrolmentConfig
from edge_tts.enrolment.level_meter import Level
from edge_tts.enrolment.prompts import consent, step
from edge_tts.enrolment.requests import EnrolmentPolicy, EnrolRequest
from edge_tts.errors import QueueFullError, VoiceError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.voice_commands import EnrolCommands
from edge_tts.recordings.quality import Cuts, QualityVerdict, Refusal
from edge_tts.speaking.job import Job
from edge_tts.values import EncodeRequest, FloatArray, Recording, Voice

INVITATION = step("invite", "en", sentence=consent("en", "Anna"))


def test_a_press_makes_a_voice() -> None:
    """Invitation, tone, recording, thanks, encoding by the worker, the answer in the new voice; then idle again."""
    with scene() as it:
        it.enrolment.press()
        done = it.notes.wait("pressed", "done")
        it.wait_step("idle")
    assert it.synthesizer.spoken == [INVITATION, step("thanks", "en"), step("answer", "en", name="Anna")]
    assert it.steps() == ["idle", "inviting", "recording", "checking", "encoding", "answering", "idle"]
    assert it.notes.stages("pressed") == ["accepted", "started", "done"]
    assert done.details["voice"] == "new-voice"
    [(take, made)] = it.voice_writer.kept
    assert (take.person, take.transcript, take.statement) == (ANNA, *[consent("en", "Anna")] * 2)
    assert it.synthesizer.encoded == [(len(take.verdict.recording.samples), take.statement, "en")]
    assert made.name == "Anna"
    assert it.microphone.closed
    assert not it.failed.is_set()


def test_whoever_shows_the_steps_is_given_the_sentence() -> None:
    """The retained topic has the sentence that is read and its language, and nothing of it once all is over."""
    with scene() as it:
        it.enrol()
        it.notes.wait("enrol", "done")
        it.wait_step("idle")
    told = {value["step"]: value for topic, value in it.notes.retained if topic == "enrolment"}
    assert told["recording"]["sentence"] == consent("en", "Anna")
    assert told["recording"]["language"] == "en"
    nobody = {"id": None, "name": None, "language": None, "sentence": None}
    assert told["idle"] == {"step": "idle", **nobody, "remote": "ask"}


def test_the_recording_ends_on_silence_and_holds_every_word() -> None:
    """What the gate hears begins with the first sample and ends one and a half seconds after the last word."""
    with scene() as it:
        it.enrol()
        it.notes.wait("enrol", "done")
    [recording] = it.gate.judged
    np.testing.assert_array_equal(recording.samples[: len(spoken())], spoken())
    assert 1.2 < (len(recording.samples) - len(spoken())) / MIC_RATE < 1.8


def test_a_second_press_ends_the_recording() -> None:
    """Whoever does not want to wait for the silence presses again."""
    microphone = FakeMicrophone(spoken())
    with scene(microphone) as it:
        microphone.on_read = lambda block: it.enrolment.press() if block == 60 else None
        it.enrolment.press()
        it.notes.wait("pressed", "done")
    assert len(it.gate.judged[0].samples) == 61 * MIC_RATE // 20


def test_a_press_skips_the_invitation() -> None:
    """A press during the invitation skips to the tone."""
    with scene() as it:
        it.synthesizer.gate.clear()
        it.enrolment.press()
        it.notes.wait("job-0", "first_audio")
        it.enrolment.press()
        assert it.notes.wait("job-0", "interrupted")
        it.synthesizer.gate.set()
        it.notes.wait("pressed", "done")


def test_a_press_at_the_very_end_is_not_kept_for_the_next_one() -> None:
    """Whoever presses when all is over but for the telling does not skip the invitation of the next enrolment."""
    with scene() as it:
        free = it.enrolment._free

        def press_and_release() -> None:
            it.enrolment.press()
            free.release()

        it.enrolment._free = SimpleNamespace(acquire=free.acquire, release=press_and_release)
        it.enrol()
        it.notes.wait("enrol", "done")
        it.wait_step("idle")
        it.microphone = FakeMicrophone(spoken())
        it.enrol(request_id="again")
        it.notes.wait("again", "done")
    assert it.notes.stages("job-6") == ["accepted", "started", "first_audio", "done"]
    assert it.synthesizer.spoken.count(INVITATION) == 2


def test_nothing_is_said_while_a_person_records() -> None:
    """A request that comes during the recording waits until the microphone is closed."""
    microphone = FakeMicrophone(spoken())
    with scene(microphone) as it:
        microphone.on_read = lambda block: (
            it.jobs.submit(Job(sentence("later", "later"), sink=it.player)) if block == 3 else None
        )
        it.enrol()
        it.notes.wait("later", "done")
        stages = [(report.id, report.stage) for report in it.notes.reports]
        it.notes.wait("enrol", "done")
    assert stages.index(("job-2", "done")) < stages.index(("later", "started"))


def test_an_alert_comes_first() -> None:
    """An alert is spoken at once; the recording ends, and the person is asked to begin again."""
    microphone = FakeMicrophone(np.zeros(0, np.float32))
    with scene(microphone) as it:
        alert = sentence("alert", "fire", priority="alert")
        microphone.on_read = lambda block: it.jobs.submit(Job(alert, sink=it.player)) if block == 3 else None
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "interrupted"}
        it.notes.wait("job-3", "done")
    assert it.synthesizer.spoken == [INVITATION, "fire", step("interrupted", "en")]
    assert it.voice_writer.kept == []


@pytest.mark.parametrize(("heard", "cut_off"), [(0, "job-0"), (int(0.3 * RATE), "job-1")])
def test_an_alert_before_the_recording(heard: int, cut_off: str) -> None:
    """Whoever has not heard the invitation or the tone to its end is not recorded: he is asked to begin again."""
    with scene() as it:
        write, alert = it.loudspeaker.write, sentence("alert", "fire", priority="alert")

        def alert_at(samples: FloatArray) -> None:
            if len(it.loudspeaker.heard) == heard:
                it.jobs.submit(Job(alert, sink=it.player))
            write(samples)

        it.loudspeaker.write = alert_at
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "interrupted"}
        it.notes.wait("alert", "done")
        it.wait_step("idle")
    assert it.notes.stages(cut_off)[-1] == "interrupted"
    assert it.notes.stages("enrol") == ["accepted", "interrupted"]
    assert it.microphone.heard == 0


def test_an_invitation_that_cannot_be_said() -> None:
    """Nor is anybody recorded whom the loudspeaker could not tell what to read."""
    with scene() as it:
        it.loudspeaker.broken = True
        it.enrol()
        it.notes.wait("enrol", "interrupted")
    assert it.microphone.heard == 0


@pytest.mark.parametrize("block", [0, 10 * 20 - 1])
def test_an_alert_at_the_last_moment(block: int) -> None:
    """However late an alert comes, even with the sound that ends the recording, it is the alert that ended it."""
    microphone = FakeMicrophone(np.zeros(0, np.float32))
    with scene(microphone) as it:
        alert = sentence("alert", "fire", priority="alert")
        microphone.on_read = lambda now: it.jobs.submit(Job(alert, sink=it.player)) if now == block else None
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "interrupted"}


def test_the_level_is_shown_while_the_microphone_is_open() -> None:
    """It rises with the person's voice, and there is none before and afterwards."""
    microphone = FakeMicrophone(spoken())
    seen: list[Level | None] = []
    with scene(microphone) as it:
        microphone.on_read = lambda block: seen.append(it.enrolment.meter.level())
        assert it.enrolment.meter.level() is None
        it.enrol()
        it.notes.wait("enrol", "done")
        assert it.enrolment.meter.level() is None
    levels = [level for level in seen if level is not None]
    assert len(levels) == len(seen) - 1
    assert -30 < max(level.level_db for level in levels) < max(level.peak_db for level in levels) <= 0
    assert levels[-1] == Level(-100.0, -100.0)


def test_a_refused_recording_is_explained_and_not_kept() -> None:
    """The person hears what to do better; the report carries every reason; nothing is encoded or stored."""
    with scene(gate=FakeGate("clipped", "noisy")) as it:
        it.enrol()
        failed = it.notes.wait("enrol", "failed")
        it.notes.wait("job-4", "done")
    assert failed.details["refusals"] == ["clipped", "noisy"]
    assert "too loud" in it.synthesizer.spoken[-1]
    assert "press the button" in it.synthesizer.spoken[-1]
    assert it.voice_writer.kept == []
    assert it.synthesizer.encoded == []


@pytest.mark.parametrize(("refusals", "left"), [(["short"], []), (["short", "noisy"], ["noisy"])])
def test_the_owner_may_insist_on_a_short_recording(refusals: list[str], left: list[str]) -> None:
    """With `short` too little speech is kept, and nothing else that the gate refuses."""
    with scene(gate=FakeGate(*refusals)) as it:
        it.enrolment.begin(EnrolRequest("enrol", ANNA, at_device=True, short=True))
        report = it.notes.wait("enrol", "failed" if left else "done")
    assert report.details.get("refusals", []) == left
    assert len(it.voice_writer.kept) == (not left)


@pytest.mark.parametrize(("short", "stage"), [(False, "failed"), (True, "done")])
def test_a_message_may_insist(short: bool, stage: str) -> None:
    """`"short": true` in `enroll` reaches the gate; without it the same recording is refused."""
    with scene(gate=FakeGate("short"), remote="full") as it:
        policy = EnrolmentPolicy(EnrolmentConfig(), "family", ("en",), sample_rate=RATE)
        commands = EnrolCommands(runtime=it.runtime, enrolment=it.enrolment, policy=policy).commands()
        payload = {"name": "Anna", "language": "en", "short": short, "id": "enrol"}
        commands["enroll"](Message("enroll", json.dumps(payload).encode()))
        assert it.notes.wait("enrol", stage)


def test_nobody_can_insist_on_silence() -> None:
    """Where no word was heard there is no voice to make."""
    insisting = EnrolRequest("enrol", ANNA, short=True)
    assert insisting.insists_on(Refusal("short", 0.4, 3.0))
    assert not insisting.insists_on(Refusal("short", 0.0, 3.0))
    assert not insisting.insists_on(Refusal("silent", 0.0, 1e-4))


def test_nobody_speaks() -> None:
    """After ten seconds without a word the recording ends by itself."""
    with scene(FakeMicrophone(np.zeros(0, np.float32))) as it:
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "nobody"}
    assert it.microphone.heard == 10 * 20
    assert it.gate.judged == []


def test_somebody_speaks_for_ever() -> None:
    """A recording ends after thirty seconds whatever is heard."""
    with scene(FakeMicrophone(np.tile(spoken(), 10))) as it:
        it.enrol()
        it.notes.wait("enrol", "done")
    assert len(it.gate.judged[0].samples) == 30 * MIC_RATE


def test_an_encoding_that_fails_keeps_nothing() -> None:
    """What the worker cannot encode is not stored, and the report says why."""
    with scene() as it:
        it.synthesizer.refuse_to_encode = True
        it.enrol()
        assert "cannot be encoded" in it.notes.wait("enrol", "failed").details["message"]
        it.notes.wait("job-5", "done")
    assert it.voice_writer.kept == []


def test_a_defect_ends_one_enrolment() -> None:
    """Whatever a recording makes raise, that enrolment fails by name and the next one is served."""

    class Stumbling(FakeGate):
        def judge(self, recording: Recording, *, cuts: Cuts) -> QualityVerdict:
            if not self.judged:
                self.judged.append(recording)
                raise FloatingPointError("the mean of nothing")
            return super().judge(recording, cuts=cuts)

    with scene(gate=Stumbling()) as it:
        it.enrol()
        failed = it.notes.wait("enrol", "failed").details
        assert failed["error"] == "InternalError"
        assert "FloatingPointError: the mean of nothing" in failed["message"]
        it.wait_step("idle")
        it.microphone = FakeMicrophone(spoken())
        it.enrol(request_id="again")
        it.notes.wait("again", "done")
    assert not it.failed.is_set()


def test_only_one_at_a_time() -> None:
    """A second `enroll` is refused by name while the first is under way."""
    microphone = FakeMicrophone(spoken())
    refused: list[str] = []

    def begin_another(block: int) -> None:
        try:
            it.enrolment.begin(EnrolRequest("second", ANNA))
        except QueueFullError as full:
            refused.append(str(full))
        microphone.on_read = lambda block: None

    with scene(microphone) as it:
        microphone.on_read = begin_another
        it.enrol()
        it.notes.wait("enrol", "done")
    assert len(refused) == 1
    assert "under way" in refused[0]


def test_a_press_without_a_name() -> None:
    """A button cannot spell: where no name is configured the person is told what to do."""
    with scene(default=None) as it:
        it.enrolment.press()
        assert it.notes.wait("pressed", "interrupted").details == {"reason": "nameless"}
        it.notes.wait("job-0", "done")
    assert it.synthesizer.spoken == [step("nameless", "en")]


def test_stop_ends_everything() -> None:
    """The `stop` command ends the recording like anything else in the queue."""
    microphone = FakeMicrophone(np.zeros(0, np.float32))
    with scene(microphone) as it:
        microphone.on_read = lambda block: it.jobs.stop() if block == 3 else None
        it.enrol()
        it.notes.wait("enrol", "interrupted")


def test_a_shutdown_in_the_middle_of_a_recording() -> None:
    """The appliance stops within moments, whatever the person at the microphone does."""
    microphone = FakeMicrophone(np.zeros(0, np.float32))
    with scene(microphone) as it:
        microphone.on_read = lambda block: it.enrolment.stopping.set() if block == 3 else None
        it.enrol()
        it.notes.wait("enrol", "interrupted")


def test_the_tone_is_heard_between_invitation_and_recording() -> None:
    """The tone is played through the loudspeaker, after the invitation and before the microphone opens."""
    with scene() as it:
        heard_before: list[int] = []
        it.microphone.on_read = lambda block: heard_before.append(len(it.loudspeaker.heard)) if block == 0 else None
        it.enrol()
        it.notes.wait("enrol", "done")
    invitation, tone = int(0.3 * RATE), int(0.25 * RATE)
    assert heard_before == [invitation + tone]
    sound = it.loudspeaker.heard[invitation : invitation + tone]
    strongest = np.abs(np.fft.rfft(sound)).argmax() * RATE / tone
    assert strongest == pytest.approx(880, abs=5)


def test_in_chinese() -> None:
    """Whoever enrols in Chinese is spoken to in Chinese and reads the Chinese sentence."""
    with scene() as it:
        it.enrol(person=type(ANNA)("小梅", "zh", "family"))
        it.notes.wait("enrol", "done")
    assert it.voice_writer.kept[0][0].statement == "我同意这台设备用我的声音说话。我的名字是小梅。"
    assert it.synthesizer.spoken[1] == step("thanks", "zh")


@pytest.mark.parametrize("request_id", [None, "enrol"])
@pytest.mark.parametrize("when", ["judging", "encoding"])
def test_a_stop_after_the_recording_keeps_nothing(when: str, request_id: str | None) -> None:
    """Whoever says stop before the voice is stored, to everything or to the enrolment by its id, has not agreed."""

    class StopAtJudging(FakeGate):
        def judge(self, recording: Recording, *, cuts: Cuts) -> QualityVerdict:
            it.jobs.stop(request_id)
            return super().judge(recording, cuts=cuts)

    class StopAtEncoding(FakeSynthesizer):
        def encode(self, request: EncodeRequest, should_stop: Callable[[], bool] = lambda: False) -> Voice:
            assert not should_stop()
            it.jobs.stop(request_id)
            assert should_stop()
            if request_id is None:
                raise VoiceError("the encoding was stopped")
            return super().encode(request, should_stop)

    gate = StopAtJudging() if when == "judging" else FakeGate()
    with scene(gate=gate, synthesizer=StopAtEncoding() if when == "encoding" else None) as it:
        it.enrol()
        assert it.notes.wait("enrol", "interrupted").details == {"reason": "interrupted"}
        it.wait_step("idle")
    assert it.notes.stages("enrol") == ["accepted", "started", "interrupted"]
    assert it.voice_writer.kept == []


def test_a_stop_of_something_else_is_none_of_ours() -> None:
    """A stop that names another request lets an enrolment go on, and one of yesterday's does not end today's."""
    microphone = FakeMicrophone(spoken())
    with scene(microphone) as it:
        it.jobs.stop()
        microphone.on_read = lambda block: it.jobs.stop("breakfast")
        it.enrol()
        it.notes.wait("enrol", "done")
    assert len(it.voice_writer.kept) == 1


def test_an_alert_while_the_voice_is_encoded() -> None:
    """The alert is spoken first; then the encoding is done again, and the voice is kept."""

    class AlertAtEncoding(FakeSynthesizer):
        def encode(self, request: EncodeRequest, should_stop: Callable[[], bool] = lambda: False) -> Voice:
            if not self.encoded:
                it.jobs.submit(Job(sentence("alert", "fire", priority="alert"), sink=it.player))
                self.encoded.append((0, "", ""))
                assert should_stop()
                raise VoiceError("the encoding was stopped")
            return super().encode(request, should_stop)

    with scene(synthesizer=AlertAtEncoding()) as it:
        it.enrol()
        it.notes.wait("enrol", "done")
    assert it.synthesizer.spoken[-2:] == ["fire", step("answer", "en", name="Anna")]
    assert len(it.synthesizer.encoded) == 2
    assert len(it.voice_writer.kept) == 1
