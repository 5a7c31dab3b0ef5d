"""Enrolment: invite, record, judge, check the words, encode, store, answer in the new voice. Owns the microphone."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

from edge_tts.audio.devices import OpenMicrophone
from edge_tts.enrolment.consent_check import Heard, Statement, hear, judge_words, refused_words, unchecked, words_check
from edge_tts.enrolment.level_meter import LevelMeter
from edge_tts.enrolment.prompts import PromptLanguage, consent, explain, explained, prompt_language, step
from edge_tts.enrolment.recorder import TONE_S, Ended, EndpointRules, QueueHold, announced, record, tone
from edge_tts.enrolment.requests import AcceptedRecording, EnrolmentPolicy, EnrolRequest, Person, VoiceSink
from edge_tts.errors import AudioError, PayloadError, QueueFullError, VoiceError, named
from edge_tts.recordings.clause_alignment import slow_reading_s
from edge_tts.recordings.quality import Refusal
from edge_tts.recordings.reference import Judge, choose_reference
from edge_tts.runtime.one_at_a_time import OneAtATime
from edge_tts.runtime.part_status import PartStatus
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.on_demand import Speaker
from edge_tts.speaking.worker import Work
from edge_tts.values import AudioChunk, EncodeRequest, Recording, Voice

log = logging.getLogger(__name__)

Step = Literal["idle", "asking", "inviting", "recording", "checking", "encoding", "answering"]
ASK_S = 60.0
"""Time-out for the press at the device that allows a remote enrolment."""
_LATE_S = 2.0
"""The microphone opens at most this long after the tone."""
_POLL_S, _TICK_S = 0.05, 0.5


@dataclass(frozen=True, slots=True)
class Analyzers:
    """Detect speech and judge a recording."""

    endpoint_rules: EndpointRules
    gate: Judge


class _GivenUp(Exception):
    """Ends the enrolment: the phrase to say, and the message of the report."""

    def __init__(self, phrase: str, message: str | None = None) -> None:
        super().__init__(phrase)
        self.details = {"reason": phrase} | ({"message": message} if message else {})


class Enrolment(OneAtATime[EnrolRequest]):
    """One enrolment at a time, in one thread. `press`, `remote_press`, `begin` and `stop` are for other threads and
    return at once.

    Nobody is recorded unawares: the microphone opens after the tone was played to its end, and only a press at the
    device skips the invitation. During the recording a task of ours holds the queue, so nothing is spoken into it; an
    alert interrupts that task and so the recording. A `stop` before the voice is stored withdraws consent.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        internal_jobs: InternalJobs,
        open_microphone: OpenMicrophone,
        open_analyzers: Callable[[], AbstractContextManager[Analyzers]],
        voice_writer: VoiceSink,
        policy: EnrolmentPolicy,
        references: Callable[[], Sequence[Voice]],
    ) -> None:
        """`references`: voices that can speak the consent sentence, to compare a recording with."""
        busy = "another enrolment is under way; wait for it or end it with stop"
        super().__init__(name="enrolment", runtime=runtime, busy=busy, stop_timeout_s=30.0)
        self._internal_jobs, self._policy, self._references = internal_jobs, policy, references
        self.meter = LevelMeter()
        self._open_microphone = announced(open_microphone, self._show_microphone, self.meter)
        self._microphone = PartStatus(
            "microphone", events=runtime.events, advice="`arecord -l` lists devices; name one in enrolment.microphone"
        )
        self._open_analyzers, self._voice_writer = open_analyzers, voice_writer
        self._default = policy.default_person()
        self._presses: queue.Queue[None] = queue.Queue()
        self._stopped = threading.Event()
        self._id = ""
        self._step: Step = "idle"

    def press(self, person: Person | None = None, *, short: bool = False) -> None:
        """A press at the device: begin an enrolment; during one agree to it, skip the invitation or end the recording.
        `person` None is the configured one; `short` as of an `EnrolRequest`."""
        try:
            self.begin(EnrolRequest(self.runtime.new_id(), person, at_device=True, short=short))
        except QueueFullError:
            self._presses.put(None)

    def remote_press(self) -> None:
        """A press over the network may begin an enrolment and end a recording. Raises PayloadError otherwise."""
        try:
            self.begin(EnrolRequest(self.runtime.new_id()))
        except QueueFullError:
            if self._step != "recording":
                raise PayloadError(
                    "enroll/press: only a press at the device agrees to an enrolment or skips its invitation"
                ) from None
            self._presses.put(None)

    def prepare(self, request: EnrolRequest) -> None:
        self._id = request.id
        self._stopped.clear()
        while self._pressed():
            pass  # late presses of the previous enrolment

    def work(self) -> None:
        self._microphone.begin()
        super().work()

    def stop(self, request_id: str | None = None) -> None:
        """End the enrolment of that id, or any; nothing of it is kept."""
        if request_id in (None, self._id):
            self._stopped.set()

    def show_idle(self) -> None:
        self._show("idle")

    def forget(self) -> None:
        self._internal_jobs.forget()

    def serve(self, request: EnrolRequest) -> None:
        self.report(request, "accepted", {})
        person = request.person or self._default
        language = prompt_language(person.language) if person else "en"
        try:
            if person is None:
                raise _GivenUp("nameless")
            if self._voice_writer.is_taken(person):  # two voices of one name could not be told apart
                reason = step("taken", language, name=person.name)
                self._refuse(request, reason, spoken=reason, refusals=["taken"])
                return
            if not request.at_device and self._policy.config.remote == "ask":
                self._ask(person, language)
            with self._open_analyzers() as analyzers:
                self._run(request, person, language, analyzers)
        except _GivenUp as given_up:
            self._internal_jobs.speak(step(str(given_up), language))
            self.report(request, "interrupted", given_up.details)
        except Exception as unexpected:  # noqa: BLE001 - a recording may raise anything
            error = named(unexpected, request.id)
            log.error("no voice was enrolled: %s", error)
            self._internal_jobs.speak(step("microphone" if isinstance(error, AudioError) else "failed", language))
            self.report(request, "failed", {"error": type(error).__name__, "message": str(error)})

    def _run(self, request: EnrolRequest, person: Person, language: PromptLanguage, analyzers: Analyzers) -> None:
        # 1. ask and record
        recording = self._record(request, person, language, analyzers.endpoint_rules)
        # 2. judge
        self._show("checking", person)
        self._internal_jobs.speak(step("thanks", language))
        sentence = consent(language, person.name)
        reference = choose_reference(analyzers.gate, recording, sentence, keep_all=True)
        self._give_up_if_stopped()
        checks = explained(reference.checks)
        if refused := [refusal for refusal in reference.refusals if not request.insists_on(refusal)]:
            self._refuse_recording(request, refused, language, checks)
            return
        score = self._check_words(Statement(sentence, language, reference.recordings[-1]), analyzers.gate)
        limit = self._policy.words_limit
        checks += explained(words_check(score, limit))
        if refusals := refused_words(score, limit):
            self._refuse_recording(request, refusals, language, checks)
            return
        # 3. encode, then store everything at once
        self._show("encoding", person)
        packed = [self._voice_writer.pack(recording) for recording in reference.recordings]
        accepted = AcceptedRecording(
            person,
            reference.transcript,
            reference.verdict,
            statement=sentence,
            stated_in=len(packed) - 1,
            words_score=score,
        )
        features = self._encode(accepted, [decoded for _, decoded in packed])
        voice = self._voice_writer.keep(accepted, [audio for audio, _ in packed], features)
        # 4. answer in the new voice
        self._show("answering", person)
        answer = self._internal_jobs.speak(step("answer", language, name=person.name), voice=voice)
        answered = self._internal_jobs.wait(answer, self.stopping)
        if answered and answered.stage == "failed":  # the voice is stored, its features are not
            self._internal_jobs.speak(step("later", language, name=person.name))
        measures = reference.verdict.measures.record() if reference.verdict.measures else {}
        told = {"voice": voice, "name": person.name, "measures": measures, "words_score": score, "checks": checks}
        self.report(request, "done", told)

    def _ask(self, person: Person, language: PromptLanguage) -> None:
        """Wait for a press at the device."""
        self._show("asking", person)
        question = self._internal_jobs.speak(step("ask", language, name=person.name))
        until = self.runtime.clock() + ASK_S
        while not self._pressed(_POLL_S):
            self._give_up_if_stopped()
            if self.runtime.clock() > until:
                raise _GivenUp(
                    "unconfirmed",
                    f"nobody pressed the button at the device within {ASK_S:g} s: name one (enrolment.gpio_line or "
                    "key_device), run tools/enroll_button there, or let MQTT record without (enrolment.remote: full)",
                )
        self._internal_jobs.cancel(question)

    def _record(
        self, request: EnrolRequest, person: Person, language: PromptLanguage, endpoint_rules: EndpointRules
    ) -> Recording:
        """Invite, play the tone, and record with the queue held."""
        self._show("inviting", person)
        hold, skipped = QueueHold(), False
        sentence = consent(language, person.name)
        invitation = self._internal_jobs.speak(step("invite", language, sentence=sentence))
        queued_at = self.runtime.clock()
        beep = self._internal_jobs.do(lambda networks, should_stop: iter([tone(self._policy.sample_rate)]))
        hold_job = self._internal_jobs.do(hold.work)
        try:
            while not hold.begun.wait(_POLL_S):
                if self._pressed():
                    skipped = True  # only at the device: this person knows the sentence
                    self._internal_jobs.cancel(invitation)
                self._give_up_if_stopped()
                if self._internal_jobs.ended(hold_job) or (not skipped and self._went_unheard(invitation)):
                    self._internal_jobs.cancel(beep)
                    raise _GivenUp("interrupted")
            if not (skipped or self._seconds_heard(invitation)) or not self._was_just_heard(beep, queued_at):
                raise _GivenUp("interrupted")
            self._show("recording", person)
            self.report(request, "started", {"name": person.name, "sentence": sentence})
            recording, ended = self._listen(endpoint_rules, slow_reading_s(sentence), hold)
        finally:
            hold.release()
        # An alert or a stop may have come with the last sound, before `hold.over` was set.
        closed = self._internal_jobs.wait(hold_job, self.stopping)
        if ended is Ended.GIVEN_UP or closed is None or closed.stage != "done":
            raise _GivenUp("interrupted")
        if ended is Ended.NOBODY:
            raise _GivenUp("nobody")
        return recording

    def _listen(self, endpoint_rules: EndpointRules, whole_s: float, hold: QueueHold) -> tuple[Recording, Ended]:
        """Record, and show in the state how the microphone does."""
        try:
            recording, ended = record(
                self._open_microphone,
                endpoint_rules,
                whole_s=whole_s,
                pressed=self._pressed,
                given_up=lambda: hold.over.is_set() or self._stopped.is_set() or self.stopping.is_set(),
                clock=self.runtime.clock,
            )
        except AudioError as error:
            self._microphone.fail(error)
            raise
        if ended is not Ended.GIVEN_UP:
            self._microphone.ok()
        return recording, ended

    def _check_words(self, statement: Statement, gate: Judge) -> float | None:
        """The score of the words; None, with a warning, where they cannot be checked."""
        voices = self._references()
        if not voices:
            return unchecked("no voice can speak the sentence yet")
        heard: list[Heard] = []

        def work(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            heard[:] = hear(statement, voices, networks, lambda: should_stop() or self._stopped.is_set())
            yield from ()

        self._on_worker(work, "the words of the recording could not be checked")
        return judge_words(heard, gate.speech, self._policy.words_limit)

    def _encode(self, accepted: AcceptedRecording, recordings: Sequence[Recording]) -> Voice:
        """The features, made in the worker's thread."""
        features: list[Voice] = []
        request = EncodeRequest("new", accepted.person.name, accepted.person.language, accepted.transcript, recordings)

        def encode(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            def give_up() -> bool:
                return should_stop() or self._stopped.is_set()

            features[:] = [networks.encode(request, give_up)]
            yield from ()

        self._on_worker(encode, "the recording could not be encoded")
        return features[0]

    def _on_worker(self, work: Work, failed: str) -> None:
        """Do `work` in the worker's thread, again after an alert. Raises VoiceError that begins with `failed`."""
        closed = None
        while closed is None or closed.details.get("reason") == "alert":
            closed = self._internal_jobs.wait(self._internal_jobs.do(work), self.stopping)
            self._give_up_if_stopped()
        if closed.stage == "failed":
            raise VoiceError(f"{failed}: {closed.details.get('message', closed.stage)}")
        if closed.stage != "done":
            raise _GivenUp("interrupted")

    def _refuse_recording(
        self,
        request: EnrolRequest,
        refusals: Sequence[Refusal],
        language: PromptLanguage,
        checks: Sequence[Mapping[str, Any]],
    ) -> None:
        reason, codes = explain(refusals[0], language), [refusal.code for refusal in refusals]
        self._refuse(request, reason, spoken=step("again", language, reason=reason), refusals=codes, checks=checks)

    def _refuse(self, request: EnrolRequest, reason: str, *, spoken: str, **details: Any) -> None:
        self._internal_jobs.speak(spoken)
        self.report(request, "failed", {"error": "Refused", "message": reason, **details})

    def _give_up_if_stopped(self) -> None:
        if self._stopped.is_set() or self.stopping.is_set():
            raise _GivenUp("interrupted")

    def _went_unheard(self, job_id: str) -> bool:
        """Whether a job ended before it was played to its end."""
        report = self._internal_jobs.ended(job_id)
        return report is not None and report.stage != "done"

    def _seconds_heard(self, job_id: str) -> float:
        """Seconds of a job that were played; 0 where it was stopped or failed."""
        report = self._internal_jobs.ended(job_id)
        return float(report.details.get("audio_s", 0.0)) if report is not None and report.stage == "done" else 0.0

    def _was_just_heard(self, beep: str, queued_at: float) -> bool:
        """Whether the tone, queued at `queued_at`, was played to its end at most `_LATE_S` ago."""
        report = self._internal_jobs.ended(beep)
        if report is None or self._seconds_heard(beep) < 0.99 * TONE_S:
            return False
        return self.runtime.clock() - (queued_at + report.ms / 1000) <= _LATE_S

    def _pressed(self, timeout_s: float = 0.0) -> bool:
        try:
            self._presses.get(timeout_s > 0, timeout_s)
        except queue.Empty:
            return False
        return True

    def _show_microphone(self, is_open: bool) -> None:
        self.runtime.events.update(microphone="open" if is_open else "closed")

    def _show(self, what: Step, person: Person | None = None) -> None:
        self._step = what
        who: dict[str, str | None] = dict.fromkeys(("id", "name", "language", "sentence"))
        if person is not None:
            language = prompt_language(person.language)
            sentence = consent(language, person.name)
            who = {"id": self._id, "name": person.name, "language": language, "sentence": sentence}
        self.runtime.events.retain("enrolment", {"step": what, **who, "remote": self._policy.config.remote})
