"""Enrolment: a press, an invitation, a recording, a verdict, a new voice. Owns the microphone; knows no MQTT."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from edge_tts.audio.devices import OpenMicrophone
from edge_tts.enrolment.prompts import Tongue, consent, explain, step, tongue_of
from edge_tts.enrolment.recorder import TONE_S, Ended, EndpointRules, QueueHold, announced, record, tone
from edge_tts.errors import AudioError, PayloadError, QueueFullError, VoiceError, named
from edge_tts.recordings.clause_alignment import slowly_s
from edge_tts.recordings.quality import QualityVerdict
from edge_tts.recordings.reference import Judge, choose_reference
from edge_tts.runtime.event_bus import EventBus
from edge_tts.runtime.part import Fatal, Part
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.worker import Speaker
from edge_tts.values import AudioChunk, EncodeRequest, Recording, Report, Stage, Voice

log = logging.getLogger(__name__)

Step = Literal["idle", "asking", "inviting", "recording", "checking", "encoding", "answering"]
ASK_S = 60.0
"""So long somebody at the device has to agree to a recording that was asked for from elsewhere."""
_LATE_S = 2.0
"""So long after the tone the microphone opens at the latest: then what it was for is forgotten."""
_POLL_S, _TICK_S = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Person:
    """Whose voice is to be enrolled."""

    name: str
    language: str
    """Of the consent sentence and of what is said to them: zh or en."""
    owner: str
    """Under whom the voice is stored."""


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """Somebody wants to be enrolled."""

    id: str
    person: Person | None = None
    """None: whoever the configuration names."""
    at_device: bool = False
    """Whether somebody pressed the button here; else they are asked to, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class AcceptedRecording:
    """A recording that passed the gate, and what is said in it."""

    person: Person
    transcript: str
    verdict: QualityVerdict
    statement: str | None
    """What the speaker agreed to; None where there is no consent."""
    stated_in: int = 0
    """Which of the recordings holds the whole statement."""


class VoiceSink(Protocol):
    """Where a voice goes; `VoiceWriter` in earnest."""

    def is_taken(self, person: Person) -> bool:
        """Whether a voice of the same owner is called so already. Raises VoiceError, also where none can be."""

    def pack(self, recording: Recording) -> tuple[bytes, Recording]:
        """The recording as a FLAC file, and as whoever reads the file will hear it."""

    def keep(self, take: AcceptedRecording, audio: Sequence[bytes], made: Voice) -> str:
        """Store the voice with its consent and its features; its id. Raises VoiceError: then nothing is stored."""


@dataclass(frozen=True, slots=True)
class Analyzers:
    """What an enrolment listens and judges with."""

    endpoint_rules: EndpointRules
    gate: Judge


class _GivenUp(Exception):
    """The enrolment ends here; the arguments are the phrase to say and what the report says besides."""

    def __init__(self, phrase: str, message: str | None = None) -> None:
        super().__init__(phrase)
        self.details = {"reason": phrase} | ({"message": message} if message else {})


class Enrolment(Part):
    """One enrolment at a time, on one thread. `press`, `remote_press` and `begin` are for others and return at once.

    Nobody is recorded without having heard it: the microphone opens when the player has played the tone to its end, and
    only a press at the device skips the invitation. While a person records, a task of ours is in service, so nothing
    else is spoken into the recording; an alert ends that task like any other, and with it the recording. A `stop` ends
    the enrolment wherever it is: whoever says stop before the voice is stored has not agreed.
    """

    def __init__(
        self,
        *,
        internal_jobs: InternalJobs,
        events: EventBus,
        open_microphone: OpenMicrophone,
        open_analyzers: Callable[[], AbstractContextManager[Analyzers]],
        voice_writer: VoiceSink,
        default: Person | None,
        remote: Literal["ask", "full"],
        sample_rate: int,
        fatal: Fatal,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        super().__init__(name="enrolment", fatal=fatal, stop_timeout_s=30.0)
        self._internal_jobs, self._events = internal_jobs, events
        self._open_microphone = announced(open_microphone, self._show_microphone)
        self._open_analyzers, self._voice_writer = open_analyzers, voice_writer
        self._default, self._remote, self._sample_rate = default, remote, sample_rate
        self._clock, self._new_id = clock, new_id
        self._requests: queue.Queue[EnrolRequest] = queue.Queue()
        self._presses: queue.Queue[None] = queue.Queue()
        self._free = threading.Lock()
        """Taken from the moment that an enrolment is asked for until it is over."""
        self._stopped = threading.Event()
        """Somebody took back the enrolment that is under way."""
        self._began, self._id = 0.0, ""
        self._step: Step = "idle"

    def press(self, person: Person | None = None) -> None:
        """A press at the device. Begin an enrolment; while one is under way, get on: agree to it, skip the invitation,
        end the recording. `person`: None is whoever the configuration names."""
        try:
            self.begin(EnrolRequest(self._new_id(), person, at_device=True))
        except QueueFullError:
            self._presses.put(None)

    def remote_press(self) -> None:
        """A press that came over the network: it may ask for an enrolment and end a recording, nothing else. Raises
        PayloadError where it would do more."""
        try:
            self.begin(EnrolRequest(self._new_id()))
        except QueueFullError:
            if self._step != "recording":
                raise PayloadError(
                    "enroll/press: only a press at the device agrees to an enrolment or skips its invitation"
                ) from None
            self._presses.put(None)

    def begin(self, request: EnrolRequest) -> None:
        """Begin an enrolment. Raises QueueFullError while another is under way."""
        if not self._free.acquire(blocking=False):
            raise QueueFullError("another enrolment is under way; wait for it or end it with stop")
        self._id = request.id
        self._stopped.clear()
        while self._pressed():
            pass  # it was meant for the one before, however late it came
        self._requests.put(request)

    def stop(self, request_id: str | None = None) -> None:
        """End the enrolment that is under way, if it has that id; None means any. Nothing of it is kept."""
        if request_id in (None, self._id):
            self._stopped.set()

    def work(self) -> None:
        """One enrolment after another until asked to stop."""
        self._show("idle")
        self.ready()
        while not self.stopping.is_set():
            try:
                request = self._requests.get(timeout=_TICK_S)
            except queue.Empty:
                continue
            self._began = self._clock()
            self._enrol(request)
            self._internal_jobs.forget()
            self._free.release()
            self._show("idle")

    def _enrol(self, request: EnrolRequest) -> None:
        """One enrolment from the invitation to the answer; whatever comes of it, one closing report."""
        self._report(request, "accepted", {})
        person = request.person or self._default
        tongue = tongue_of(person.language) if person else "en"
        try:
            if person is None:
                raise _GivenUp("nameless")
            if self._voice_writer.is_taken(
                person
            ):  # before anybody has read a word: two of a name cannot be told apart
                self._refuse(request, ["taken"], step("taken", tongue, name=person.name))
                return
            if not request.at_device and self._remote == "ask":
                self._ask(person, tongue)
            with self._open_analyzers() as analyzers:
                self._run(request, person, tongue, analyzers)
        except _GivenUp as given_up:
            self._internal_jobs.speak(step(str(given_up), tongue))
            self._report(request, "interrupted", given_up.details)
        except Exception as trouble:  # noqa: BLE001 - a recording can make anything of it raise
            error = named(trouble, request.id)
            log.error("no voice was enrolled: %s", error)
            self._internal_jobs.speak(step("microphone" if isinstance(error, AudioError) else "failed", tongue))
            self._report(request, "failed", {"error": type(error).__name__, "message": str(error)})

    def _run(self, request: EnrolRequest, person: Person, tongue: Tongue, analyzers: Analyzers) -> None:
        """The straight line through an enrolment that succeeds."""
        # 1. ask and record
        recording = self._record(request, person, tongue, analyzers.endpoint_rules)
        # 2. judge
        self._show("checking", person)
        self._internal_jobs.speak(step("thanks", tongue))
        sentence = consent(tongue, person.name)
        found = choose_reference(analyzers.gate, recording, sentence, keep_all=True)
        self._give_up_if_stopped()
        if found.refusals:
            reason = explain(found.refusals[0], tongue)
            codes = [refusal.code for refusal in found.refusals]
            self._refuse(request, codes, reason, spoken=step("again", tongue, reason=reason))
            return
        # 3. encode, then store everything at once
        self._show("encoding", person)
        packed = [self._voice_writer.pack(recording) for recording in found.recordings]
        take = AcceptedRecording(person, found.transcript, found.verdict, statement=sentence, stated_in=len(packed) - 1)
        made = self._encode(take, [heard for _, heard in packed])
        voice = self._voice_writer.keep(take, [audio for audio, _ in packed], made)
        # 4. answer in the new voice
        self._show("answering", person)
        answer = self._internal_jobs.speak(step("answer", tongue, name=person.name), voice=voice)
        answered = self._internal_jobs.wait(answer, self.stopping)
        if answered and answered.stage == "failed":  # it is stored, but its features could not be
            self._internal_jobs.speak(step("later", tongue, name=person.name))
        measures = found.verdict.measures.record() if found.verdict.measures else {}
        self._report(request, "done", {"voice": voice, "name": person.name, "measures": measures})

    def _ask(self, person: Person, tongue: Tongue) -> None:
        """Have somebody at the device agree by a press."""
        self._show("asking", person)
        question = self._internal_jobs.speak(step("ask", tongue, name=person.name))
        until = self._clock() + ASK_S
        while not self._pressed(_POLL_S):
            self._give_up_if_stopped()
            if self._clock() > until:
                raise _GivenUp(
                    "unconfirmed",
                    f"nobody pressed the button at the device within {ASK_S:g} s: name one (enrolment.gpio_line or "
                    "key_device), run tools/enroll_button there, or let MQTT record without (enrolment.remote: full)",
                )
        self._internal_jobs.cancel(question)

    def _record(
        self, request: EnrolRequest, person: Person, tongue: Tongue, endpoint_rules: EndpointRules
    ) -> Recording:
        """Invite, sound the tone, and record while nothing else is spoken."""
        self._show("inviting", person)
        hold, skipped = QueueHold(), False
        sentence = consent(tongue, person.name)
        invitation = self._internal_jobs.speak(step("invite", tongue, sentence=sentence))
        asked = self._clock()
        beep = self._internal_jobs.do(lambda networks, should_stop: iter([tone(self._sample_rate)]))
        held = self._internal_jobs.do(hold.work)
        try:
            while not hold.begun.wait(_POLL_S):
                if self._pressed():
                    skipped = True  # at the device: whoever does so knows the sentence
                    self._internal_jobs.cancel(invitation)
                self._give_up_if_stopped()
                if self._internal_jobs.ended(held) or (not skipped and self._went_unheard(invitation)):
                    self._internal_jobs.cancel(beep)
                    raise _GivenUp("interrupted")
            if not (skipped or self._seconds_heard(invitation)) or not self._was_just_heard(beep, asked):
                raise _GivenUp("interrupted")
            self._show("recording", person)
            self._report(request, "started", {"name": person.name, "sentence": sentence})
            recording, ended = record(
                self._open_microphone,
                endpoint_rules,
                whole_s=slowly_s(sentence),
                pressed=self._pressed,
                given_up=lambda: hold.over.is_set() or self._stopped.is_set() or self.stopping.is_set(),
                clock=self._clock,
            )
        finally:
            hold.release()
        # An alert or a stop may have come with the last sound, before the hold could say so: its report knows.
        closed = self._internal_jobs.wait(held, self.stopping)
        if ended is Ended.GIVEN_UP or closed is None or closed.stage != "done":
            raise _GivenUp("interrupted")
        if ended is Ended.NOBODY:
            raise _GivenUp("nobody")
        return recording

    def _encode(self, take: AcceptedRecording, recordings: Sequence[Recording]) -> Voice:
        """The features, made by the worker when its turn comes."""
        made: list[Voice] = []
        request = EncodeRequest("new", take.person.name, take.person.language, take.transcript, recordings)

        def encode(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            def give_up() -> bool:
                return should_stop() or self._stopped.is_set()

            made.append(networks.encode(request, give_up))
            yield from ()

        closed = None
        while closed is None or closed.details.get("reason") == "alert":  # an alert comes first, then it goes on
            made.clear()
            closed = self._internal_jobs.wait(self._internal_jobs.do(encode), self.stopping)
            self._give_up_if_stopped()
        if closed.stage == "failed":
            raise VoiceError(f"the recording could not be encoded: {closed.details.get('message', closed.stage)}")
        if closed.stage != "done":
            raise _GivenUp("interrupted")
        return made[0]

    def _refuse(self, request: EnrolRequest, codes: Sequence[str], reason: str, *, spoken: str | None = None) -> None:
        """Say why there will be no voice, and report it."""
        self._internal_jobs.speak(spoken or reason)
        self._report(request, "failed", {"error": "Refused", "message": reason, "refusals": codes})

    def _give_up_if_stopped(self) -> None:
        if self._stopped.is_set() or self.stopping.is_set():
            raise _GivenUp("interrupted")

    def _went_unheard(self, job_id: str) -> bool:
        """Whether it has ended without having been said to its end."""
        report = self._internal_jobs.ended(job_id)
        return report is not None and report.stage != "done"

    def _seconds_heard(self, job_id: str) -> float:
        """How much of it was played, by the player's word; 0 where it was cut off or failed, whoever did that."""
        report = self._internal_jobs.ended(job_id)
        return float(report.details.get("audio_s", 0.0)) if report is not None and report.stage == "done" else 0.0

    def _was_just_heard(self, beep: str, asked: float) -> bool:
        """Whether the tone, put in line at `asked`, was played to its end, and nobody else has been served since."""
        report = self._internal_jobs.ended(beep)
        if report is None or self._seconds_heard(beep) < 0.99 * TONE_S:
            return False
        return self._clock() - (asked + report.ms / 1000) <= _LATE_S

    def _pressed(self, timeout_s: float = 0.0) -> bool:
        try:
            self._presses.get(timeout_s > 0, timeout_s)
        except queue.Empty:
            return False
        return True

    def _show_microphone(self, is_open: bool) -> None:
        self._events.update(microphone="open" if is_open else "closed")

    def _show(self, what: Step, person: Person | None = None) -> None:
        self._step = what
        who = {"id": self._id, "name": person.name} if person else {"id": None, "name": None}
        self._events.put("enrolment", {"step": what, **who})

    def _report(self, request: EnrolRequest, stage: Stage, details: dict[str, Any]) -> None:
        ms = round(1000 * (self._clock() - self._began), 1)
        self._events.report(Report(id=request.id, stage=stage, ms=ms, details=details))
