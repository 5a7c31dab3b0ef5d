"""A whole enrolment with everything around it faked at the hardware: a microphone that plays, a store in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from fakes import RATE, WAIT_S, FakeClock, FakeLoudspeaker, FakeSynthesizer, Notes, silent_voice

from edge_tts.audio.devices import Microphone
from edge_tts.engine.load import load_engine
from edge_tts.enrolment.enrolment import AcceptedRecording, Analyzers, Enrolment, EnrolRequest, Person, VoiceSink
from edge_tts.enrolment.recorder import EndpointRules, with_released_loudspeaker
from edge_tts.errors import AudioError
from edge_tts.recordings.quality import Cuts, Measures, QualityVerdict, Refusal
from edge_tts.recordings.reference import Judge
from edge_tts.recordings.vad import SpeechDetector
from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.player import Player
from edge_tts.speaking.worker import Worker
from edge_tts.values import FloatArray, Recording, Voice

ROOT = Path(__file__).resolve().parent.parent
MIC_RATE = 16000
MIN_VOLUME = 0.4
ANNA = Person("Anna", "en", "family")
MEASURES = Measures(4.0, 4.0, -20.0, 0.5, 0.0, 50.0, -60.0, -60.0, -20.0, 0.0, 0.0)


def spoken() -> FloatArray:
    """The consent sentence, float32 [samples] at MIC_RATE."""
    samples, _ = soundfile.read(ROOT / "tests" / "spoken" / "consent-rms.flac", dtype="float32")
    found: FloatArray = samples
    return found


class FakeMicrophone:
    """Hears `sound` and then silence, 50 ms at a time, without waiting. `heard` counts the blocks."""

    def __init__(self, sound: FloatArray, *, broken_after: int | None = None) -> None:
        self.sample_rate = MIC_RATE
        self.closed = False
        self.heard = 0
        self.on_read: Callable[[int], None] = lambda block: None
        self._sound, self._broken_after = sound, broken_after

    def read(self) -> FloatArray:
        """See Microphone."""
        if self.heard == self._broken_after:
            raise AudioError("the microphone was pulled out")
        self.on_read(self.heard)
        size = MIC_RATE // 20
        block = self._sound[self.heard * size : (self.heard + 1) * size]
        self.heard += 1
        return np.pad(block, (0, size - len(block)))

    def close(self) -> None:
        """See Microphone."""
        self.closed = True


class FakeGate:
    """Says what it is told to, and remembers what it was asked about. What it hears is one stretch of speech."""

    def __init__(self, *refusals: str) -> None:
        self.judged: list[Recording] = []
        self._refusals = tuple(Refusal(code, 1.0, 3.0) for code in refusals)

    def judge(self, recording: Recording, *, cuts: Cuts) -> QualityVerdict:
        """See Judge."""
        self.judged.append(recording)
        return QualityVerdict(recording, MEASURES, self._refusals)

    def judge_whole(self, recording: Recording) -> QualityVerdict:
        """See Judge."""
        raise AssertionError("nothing was cut off")


class FakeKeeper:
    """Keeps voices in a list."""

    def __init__(self) -> None:
        self.kept: list[tuple[AcceptedRecording, Voice]] = []

    def is_taken(self, person: Person) -> bool:
        """See Keeper."""
        return False

    def pack(self, recording: Recording) -> tuple[bytes, Recording]:
        """See Keeper."""
        return b"flac", recording

    def keep(self, take: AcceptedRecording, audio: Sequence[bytes], made: Voice) -> str:
        """See Keeper."""
        self.kept.append((take, made))
        return "new-voice"


class Scene:
    """A worker, a player and an enrolment, all running."""

    def __init__(
        self,
        microphone: FakeMicrophone,
        gate: FakeGate,
        default: Person | None,
        judge: Judge | None,
        voice_writer: VoiceSink | None,
        synthesizer: FakeSynthesizer | None,
        remote: Literal["ask", "full"],
    ) -> None:
        self.microphone, self.gate, self.voice_writer = microphone, gate, FakeKeeper()
        self._judge = judge or gate
        self.notes, self.synthesizer, self.loudspeaker = Notes(), synthesizer or FakeSynthesizer(), FakeLoudspeaker()
        self.clock, self.fatal = FakeClock(), threading.Event()
        self.events = EventBus(state=State(voice="hum"))
        self.events.listen(self.notes)
        self.jobs = JobQueue(
            capacity=8,
            report=self.events.report,
            changed=lambda speaking, waiting: self.events.update(speaking=speaking, waiting=waiting),
            clock=self.clock,
        )
        self.player = Player(
            open_loudspeaker=lambda rate: self.loudspeaker,
            first_audio=lambda job: self.jobs.report(job, "first_audio"),
            clock=self.clock,
            pulse=lambda: None,
            fatal=lambda *_: self.fatal.set(),
        )
        self.worker = Worker(
            load=self.synthesizer.loaded,
            voice=silent_voice,
            jobs=self.jobs,
            player=self.player,
            pulse=lambda: None,
            fatal=lambda *_: self.fatal.set(),
            clock=self.clock,
        )
        self.open_microphone: Callable[[], Microphone] = lambda: self.microphone
        numbers = iter(range(1000))
        self.engine = load_engine(ROOT / "models" / "quality" / "vad.onnx", threads=1)
        self.enrolment = Enrolment(
            internal_jobs=InternalJobs(
                jobs=self.jobs, events=self.events, new_id=lambda: f"errand-{next(numbers)}", min_volume=MIN_VOLUME
            ),
            events=self.events,
            open_microphone=with_released_loudspeaker(lambda: self.open_microphone(), self.player.release_device),
            open_analyzers=self._analyzers,
            voice_writer=voice_writer or self.voice_writer,
            default=default,
            remote=remote,
            sample_rate=RATE,
            fatal=lambda *_: self.fatal.set(),
            clock=self.clock,
            new_id=lambda: "pressed",
        )
        self.jobs.on_stop(self.enrolment.stop)

    @contextmanager
    def _analyzers(self) -> Iterator[Analyzers]:
        yield Analyzers(EndpointRules(SpeechDetector(engine=self.engine)), self._judge)

    def enrol(self, person: Person | None = ANNA, request_id: str = "enrol") -> None:
        """Somebody at the device wants to be enrolled."""
        self.enrolment.begin(EnrolRequest(request_id, person, at_device=True))

    def enrol_from_afar(self, person: Person | None = ANNA, request_id: str = "enrol") -> None:
        """What MQTT's `enroll` does."""
        self.enrolment.begin(EnrolRequest(request_id, person))

    def steps(self) -> list[str]:
        """The steps shown on the board, in order."""
        return [value["step"] for topic, value in self.notes.retained if topic == "enrolment"]

    def wait_step(self, step: str) -> None:
        """Until that step is shown."""
        self.notes.wait_fact("enrolment", lambda value: value["step"] == step)


@contextmanager
def scene(
    microphone: FakeMicrophone | None = None,
    gate: FakeGate | None = None,
    *,
    default: Person | None = ANNA,
    judge: Judge | None = None,
    voice_writer: VoiceSink | None = None,
    synthesizer: FakeSynthesizer | None = None,
    remote: Literal["ask", "full"] = "ask",
) -> Iterator[Scene]:
    """A running scene; the microphone hears the consent sentence unless told otherwise; `judge` replaces `gate`."""
    microphone = microphone or FakeMicrophone(spoken())
    made = Scene(microphone, gate or FakeGate(), default, judge, voice_writer, synthesizer, remote)
    with made.player, made.worker, made.enrolment:
        yield made
        made.jobs.close(timeout_s=WAIT_S)
    made.engine.close()


def with_name(name: str) -> Person:
    """Anna under another name."""
    return replace(ANNA, name=name)
