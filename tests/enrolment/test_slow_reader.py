"""Somebody who reads the consent so slowly that it does not fit: the real gate, the real store, the whole enrolment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from enrolled import ToyEncoder, open_store
from enrolling import ANNA, FakeMicrophone, scene
from slow_reader import BREATHS, RATE, SENTENCE_ENDS, between_sentences, consent_of, read_slowly, slow_reader
from toy_model_sets import write_model_set

from edge_tts.audio.sound_files import read_sound
from edge_tts.enrolment.prompts import consent, step
from edge_tts.enrolment.requests import Person
from edge_tts.enrolment.voice_writer import VoiceWriter
from edge_tts.errors import VoiceError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.recordings.quality import QualityGate
from edge_tts.schema import check_json
from edge_tts.values import FloatArray
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import Consent
from edge_tts.voices.store import EnrolledVoice, VoiceStore

QUALITY = Path(__file__).resolve().parent.parent.parent / "models" / "quality"
SENTENCE = consent("en", "Anna")
FIRST = "I agree that this device may speak with my voice."


@dataclass
class Box:
    """A store on disk and what was said while somebody tried to get into it."""

    folder: Path
    gate: QualityGate
    encoder: ToyEncoder = field(default_factory=ToyEncoder)

    def __post_init__(self) -> None:
        self.store: VoiceStore = open_store(self.folder / "voices")
        model = read_model_set(write_model_set(self.folder / "toy"))
        self.features = FeatureStore(store=self.store, model=model)

    def press(self, read: FloatArray, stage: str, *, person: Person = ANNA) -> dict[str, Any]:
        """Press the button and read; the details of the report that closes the enrolment."""
        voice_writer = VoiceWriter(
            store=self.store, features=self.features, device="kitchen", clock=lambda: 1_700_000_000.0
        )
        microphone = FakeMicrophone(read)
        with scene(
            microphone, default=person, judge=self.gate, voice_writer=voice_writer, synthesizer=self.encoder
        ) as it:
            it.enrolment.press()
            details = dict(it.notes.wait("pressed", stage).details)
            it.wait_step("idle")
            assert not it.failed.is_set()
        return details

    def voice(self) -> EnrolledVoice:
        """The one that was stored."""
        [voice] = self.store.stored(thorough=True).voices
        return voice

    def heard(self, name: str) -> FloatArray:
        """A stored recording, float32 at 16 kHz."""
        found = read_sound(self.store.read(self.voice(), name), what=name)
        assert found.sample_rate == RATE
        return found.samples


@pytest.fixture
def box(tmp_path: Path, gate: QualityGate) -> Box:
    """An empty one."""
    return Box(tmp_path, gate)


@pytest.mark.parametrize("voice", ["rms", "slt", "awb", "kal16"])
def test_the_best_window_becomes_the_voice(box: Box, voice: str) -> None:
    """Of a reading of more than 10 s the first sentence becomes the prompt, with exactly its words as the transcript;
    the whole reading is stored beside it, and the consent is about that one. Both are encoded."""
    read = slow_reader(voice)
    done = box.press(read, "done")
    stored = box.voice()
    window, whole = (box.heard(name) for name in stored.card.recordings)
    assert (stored.ref.id, stored.card.transcript) == (done["voice"], FIRST)
    assert 3 <= len(window) / RATE <= 10 < len(whole) / RATE
    agreed = check_json(Consent, box.store.read(stored, "consent.json"), error=VoiceError, what="consent")
    assert (agreed.statement, agreed.audio_sha256) == (SENTENCE, stored.card.files["take-2.flac"].sha256)
    assert done["measures"]["span_s"] < 10
    assert len(done["checks"]) == 12
    assert all(check["passed"] for check in done["checks"])
    [encoded] = box.encoder.heard
    assert [len(recording.samples) for recording in encoded] == [len(window), len(whole)]
    assert box.encoder.encoded == [(len(window), FIRST, "en")]
    assert box.features.load(stored) is not None
    pause, words = between_sentences(voice), np.flatnonzero(np.abs(read) > 0.05)
    assert place(window, read) < words[0]
    assert pause[0] <= place(window, read) + len(window) <= pause[1]
    assert place(whole, read) < words[0]
    assert place(whole, read) + len(whole) > words[-1]


@pytest.mark.parametrize("voice", ["rms", "slt", "awb", "kal16"])
def test_who_pauses_between_the_sentences_is_heard_out(box: Box, voice: str) -> None:
    """A pause of 2.5 s before the name is not the end: what is stored holds both sentences, as its transcript says."""
    spoken, end = consent_of(voice), int(SENTENCE_ENDS[voice] * RATE)
    pause = np.random.default_rng(7).normal(0, 1e-4, int(2.5 * RATE)).astype(np.float32)
    box.press(np.concatenate([spoken[:end], pause, spoken[end:]]), "done")
    stored = box.voice()
    assert stored.card.transcript == SENTENCE
    kept = box.heard(stored.card.recordings[0])
    assert len(kept) / RATE > len(spoken) / RATE + 2


def test_a_slow_reader_of_chinese(box: Box) -> None:
    """In Chinese, where a character is a syllable and a full stop is 。, the window ends after the first sentence too.
    Nobody listens to the words: what is heard is another language with the pause where it would be."""
    mei = Person("小梅", "zh", "family")
    sentence = consent("zh", mei.name)
    first, second = sentence[:15], sentence[15:]
    assert first.endswith("说话。")
    spoken, end_s = consent_of("rms"), SENTENCE_ENDS["rms"]
    begin = read_slowly(spoken[: int(end_s * RATE)], BREATHS["rms"][:4], times=1.6)
    rest = read_slowly(spoken[: int(end_s * RATE * len(second) / len(first))], [], times=1.6)
    done = box.press(np.concatenate([begin, rest[RATE // 2 :]]), "done", person=mei)
    stored = box.voice()
    window, whole = (box.heard(name) for name in stored.card.recordings)
    assert (stored.ref.id, stored.name, stored.card.language) == (done["voice"], "小梅", "zh")
    assert 3 <= len(window) / RATE <= 10 < len(whole) / RATE
    assert box.encoder.encoded == [(len(window), first, "zh")]
    assert stored.card.transcript == first
    agreed = check_json(Consent, box.store.read(stored, "consent.json"), error=VoiceError, what="consent")
    assert (agreed.statement, agreed.language) == (sentence, "zh")
    assert agreed.audio_sha256 == stored.card.files["take-2.flac"].sha256
    assert box.encoder.spoken[-2:] == [step("thanks", "zh"), step("answer", "zh", name="小梅")]


def place(part: FloatArray, read: FloatArray) -> int:
    """Where `part` was cut out of `read`, sample for sample but for an offset and 16 bits."""
    spectrum = np.fft.rfft(read, 2 * len(read)) * np.conj(np.fft.rfft(part, 2 * len(read)))
    start = int(np.fft.irfft(spectrum)[: len(read)].argmax())
    apart = read[start : start + len(part)] - part
    assert np.abs(apart - apart.mean()).max() < 1e-4
    return start


def test_without_a_pause_between_the_sentences_the_person_is_asked_again(box: Box) -> None:
    """Where the reader pauses everywhere but at the end of a clause nobody knows the words of a window."""
    chunks = [at for at in BREATHS["rms"] if at != SENTENCE_ENDS["rms"]]
    failed = box.press(slow_reader("rms", chunks=chunks, times=1.9), "failed")
    assert failed["refusals"] == ["long"]
    assert failed["message"] == "That took too long. Read only the sentence, in one go, in at most 10 seconds."
    assert box.store.stored().voices == ()


def test_a_statement_that_another_person_ends_is_no_consent(box: Box) -> None:
    """The window alone would pass; but who says "My name is Anna" after it must be the same person."""
    first, second = consent_of("rms"), consent_of("slt")
    begin = read_slowly(first[: int(SENTENCE_ENDS["rms"] * RATE)], BREATHS["rms"][:4], times=1.6)
    end = read_slowly(second[int(SENTENCE_ENDS["slt"] * RATE) :], [], times=1.6)
    failed = box.press(np.concatenate([begin[: -RATE // 2], end]), "failed")
    assert failed["refusals"] == ["speakers"]
    [refused] = [check for check in failed["checks"] if not check["passed"]]
    assert (refused["code"], refused["bound"], refused["limit"]) == ("speakers", "least", 0.77)
    assert refused["value"] < 0.77
    assert refused["why"]["en"] == "I heard more than one voice. Only one person should speak."
    assert box.store.stored().voices == ()
