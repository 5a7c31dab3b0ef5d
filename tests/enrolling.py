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
from fakes import RATE, WAIT_S, FakeSynthesizer
from rig import Rig

from edge_tts.audio.devices import Microphone
from edge_tts.config import EnrolmentConfig
from edge_tts.engine.load import load_engine
from edge_tts.enrolment.enrolment import Analyzers, Enrolment
from edge_tts.enrolment.recorder import EndpointRules, with_released_loudspeaker
from edge_tts.enrolment.requests import AcceptedRecording, EnrolmentPolicy, EnrolRequest, Person, VoiceSink
from edge_tts.errors import AudioError, ConfigError
from edge_tts.recordings.quality import Cuts, Measures, QualityVerdict, Refusal
from edge_tts.recordings.reference import Judge
from edge_tts.recordings.spoken_words import WORDS_LIMIT
from edge_tts.recordings.vad import SpeechDetector, SpeechSpan
from edge_tts.schema import check
from edge_tts.speaking.internal_jobs import InternalJobs
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
        if self.heard == self._broken_after:
            raise AudioError("the microphone was pulled out")
        self.on_read(self.heard)
        size = MIC_RATE // 20
        block = self._sound[self.heard * size : (self.heard + 1) * size]
        self.heard += 1
        return np.pad(block, (0, size - len(block)))

    def close(self) -> None:
        self.closed = True


class FakeGate:
    """Says what it is told to, and remembers what it was asked about. What it hears is one stretch of speech."""

    def __init__(self, *refusals: str) -> None:
        self.judged: list[Recording] = []
        self._refusals = tuple(Refusal(code, 1.0, 3.0) for code in refusals)

    def judge(self, recording: Recording, *, cuts: Cuts) -> QualityVerdict:
        self.judged.append(recording)
        return QualityVerdict(recording, MEASURES, self._refusals)

    def judge_whole(self, recording: Recording) -> QualityVerdict:
        raise AssertionError("nothing was cut off")

    def speech(self, recording: Recording) -> tuple[SpeechSpan, ...]:
        return (SpeechSpan(0.0, len(recording.samples) / recording.sample_rate),)


class FakeVoiceWriter:
    """Keeps voices in a list."""

    def __init__(self) -> None:
        self.kept: list[tuple[AcceptedRecording, Voice]] = []

    def is_taken(self, person: Person) -> bool:
        return False

    def pack(self, recording: Recording) -> tuple[bytes, Recording]:
        return b"flac", recording

    def keep(self, accepted: AcceptedRecording, audio: Sequence[bytes], features: Voice) -> str:
        self.kept.append((accepted, features))
        return "new-voice"


class Scene(Rig):
    """A worker, a player and an enrolment, all running."""

    def __init__(
        self,
        microphone: FakeMicrophone,
        gate: FakeGate,
        *,
        default: Person | None,
        remote: Literal["ask", "full"],
        judge: Judge | None,
        voice_writer: VoiceSink | None,
        synthesizer: FakeSynthesizer | None,
        words_limit: float,
    ) -> None:
        self.failed = threading.Event()
        self.references: list[Voice] = []
        super().__init__(synthesizer=synthesizer, fatal=lambda *_: self.failed.set())
        self.microphone, self.gate, self.voice_writer = microphone, gate, FakeVoiceWriter()
        self._judge = judge or gate
        self.open_microphone: Callable[[], Microphone] = lambda: self.microphone
        self.engine = load_engine(ROOT / "models" / "quality" / "vad.onnx", threads=1)
        numbers = iter(range(1000))
        name, language = (default.name, default.language) if default else (None, "en")
        config = check(
            EnrolmentConfig, {"name": name, "language": language, "remote": remote}, error=ConfigError, what="test"
        )
        self.enrolment = Enrolment(
            runtime=replace(self.runtime, new_id=lambda: "pressed"),
            internal_jobs=InternalJobs(
                runtime=replace(self.runtime, new_id=lambda: f"job-{next(numbers)}"),
                jobs=self.jobs,
                sink=self.player,
                min_volume=MIN_VOLUME,
            ),
            open_microphone=with_released_loudspeaker(lambda: self.open_microphone(), self.player.release_device),
            open_analyzers=self._analyzers,
            voice_writer=voice_writer or self.voice_writer,
            policy=EnrolmentPolicy(
                config,
                default.owner if default else "family",
                ("en", "zh"),
                sample_rate=RATE,
                words_limit=words_limit,
            ),
            references=lambda: self.references,
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
        """The steps published, in order."""
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
    words_limit: float = WORDS_LIMIT,
    remote: Literal["ask", "full"] = "ask",
) -> Iterator[Scene]:
    """A running scene; the microphone hears the consent sentence unless told otherwise; `judge` replaces `gate`."""
    microphone = microphone or FakeMicrophone(spoken())
    features = Scene(
        microphone,
        gate or FakeGate(),
        default=default,
        remote=remote,
        judge=judge,
        voice_writer=voice_writer,
        synthesizer=synthesizer,
        words_limit=words_limit,
    )
    with features.player, features.worker, features.enrolment:
        yield features
        features.jobs.close(timeout_s=WAIT_S)
    features.engine.close()


def with_name(name: str) -> Person:
    """Anna under another name."""
    return replace(ANNA, name=name)
