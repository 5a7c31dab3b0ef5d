"""Voices that were enrolled: kept with their consent, found by name, spoken with, renamed and deleted by message."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from unicodedata import normalize

import numpy as np
import pytest
from enrolled import new_voice
from enrolling import ANNA, MEASURES, MIC_RATE, scene, spoken, with_name
from fakes import RATE, FakeSynthesizer
from rig import Rig
from toy_model_sets import CONDITIONING, SIZES, write_model_set

from edge_tts.config import EnrolmentConfig, config_from
from edge_tts.enrolment.prompts import consent, step
from edge_tts.enrolment.requests import AcceptedRecording, EnrolmentPolicy
from edge_tts.enrolment.voice_writer import VoiceWriter
from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.dispatcher import Dispatcher, RequestRules
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.voice_commands import EnrolCommands, VoiceCommands
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.recordings.quality import QualityVerdict
from edge_tts.request import SpeakRequest
from edge_tts.values import AudioChunk, Recording, Voice
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import sha256
from edge_tts.voices.local_voices import Voices, open_voices
from edge_tts.voices.status import VoiceStatus
from edge_tts.voices.store import EnrolledVoice

SENTENCE = consent("en", "Anna")


@pytest.fixture
def voices(tmp_path: Path) -> Voices:
    """The voices of a device whose model set has the voice `hum`."""
    model = read_model_set(write_model_set(tmp_path / "models" / "toy"))
    return open_voices(
        config_from({"device": "kitchen"}, folder=tmp_path), model, recover=True, clock=lambda: 1_700_000_000.0
    )


def made() -> Voice:
    """What an encoder of that model set makes."""
    return Voice(
        id="new",
        name="Anna",
        language="en",
        prompt_tokens=np.array([5, 6, 7]),
        prompt_phoneme_ids=np.array([1, 2]),
        prompt_bert=np.zeros((2, SIZES["bert_width"]), np.float32),
        conditioning=np.full((1, CONDITIONING, 1), 0.5, np.float32),
    )


def keep(voices: Voices, *, statement: str | None = SENTENCE) -> str:
    """Enrol Anna; the id of her voice."""
    voice_writer = VoiceWriter(
        store=voices.store, features=voices.features, device="kitchen", clock=lambda: 1_700_000_000.0
    )
    verdict = QualityVerdict(Recording(spoken(), MIC_RATE), MEASURES)
    audio, _ = voice_writer.pack(verdict.recording)
    voice = voice_writer.keep(AcceptedRecording(ANNA, SENTENCE, verdict, statement), [audio], made())
    voices.catalogue.refresh()
    return voice


def test_a_kept_voice_has_everything(voices: Voices) -> None:
    """Recording, consent with its hash, measures and features lie together; the catalogue loads what was made."""
    voice_id = keep(voices)
    voice = voices.store.find("Anna")
    agreed = json.loads(voices.store.read(voice, "consent.json"))
    recording = voices.store.read(voice, "reference.flac")
    assert voice.ref.id == voice_id
    assert (agreed["statement"], agreed["language"], agreed["device"]) == (SENTENCE, "en", "kitchen")
    assert agreed["audio_sha256"] == sha256(recording)
    assert json.loads(voices.store.read(voice, "quality.json"))["measures"]["snr_db"] == 50.0
    loaded = voices.catalogue.load(voice_id)
    np.testing.assert_array_equal(loaded.prompt_tokens, made().prompt_tokens)
    assert (loaded.name, loaded.builtin) == ("Anna", False)


def test_without_consent_nothing_is_kept(voices: Voices) -> None:
    """A voice whose speaker did not agree is refused, and no part of it stays."""
    with pytest.raises(VoiceError, match="consent"):
        keep(voices, statement=None)
    assert voices.store.stored().voices == ()


class FullShelf:
    """Where features do not fit any more."""

    def save(self, voice: EnrolledVoice, made: Voice) -> None:
        raise VoiceError(f"{voice.folder}: No space left on device")


def test_a_voice_whose_features_could_not_be_kept_is_stored(voices: Voices) -> None:
    """Once a voice is in the store it is no failure that its features are not: it is encoded later. The person hears
    that, in the voice that speaks, and the report says done."""
    features = cast(FeatureStore, FullShelf())
    voice_writer = VoiceWriter(store=voices.store, features=features, device="kitchen", clock=lambda: 1_700_000_000.0)
    with scene(voice_writer=voice_writer, synthesizer=Unready()) as it:
        it.enrol()
        done = it.notes.wait("enrol", "done")
        it.notes.wait("job-6", "done")
    [voice] = voices.store.stored().voices
    assert done.details["voice"] == voice.ref.id
    assert it.synthesizer.spoken[-1] == step("later", "en", name="Anna")
    assert [voice.ref for voice in voices.features.missing()] == [voice.ref]


class Unready(FakeSynthesizer):
    """Speaks with `hum` alone."""

    def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        if voice.id != "hum":
            raise UnknownVoiceError(f"there is no voice '{voice.id}'")
        return super().stream(request, voice, should_stop)


def test_a_second_voice_of_a_name_is_refused_before_the_recording(voices: Voices) -> None:
    """Who enrols under a name that is in use hears what to do, and nobody is recorded; nothing is replaced. The name
    counts that the voice has now, and the owner."""
    voice_writer = VoiceWriter(
        store=voices.store, features=voices.features, device="kitchen", clock=lambda: 1_700_000_000.0
    )
    first = keep(voices)
    with scene(voice_writer=voice_writer) as it:
        it.enrol()
        failed = it.notes.wait("enrol", "failed")
        it.notes.wait("job-0", "done")
    assert (failed.details["error"], failed.details["refusals"]) == ("Refused", ["taken"])
    assert it.synthesizer.spoken == [step("taken", "en", name="Anna")]
    assert it.microphone.heard == 0
    with pytest.raises(VoiceError, match="called 'Anna' already"):
        keep(voices)
    assert voices.store.find("Anna").ref.id == first
    assert not voice_writer.is_taken(replace(ANNA, owner="guests"))
    voices.store.rename(voices.store.find("Anna").ref, "Mum")
    assert not voice_writer.is_taken(ANNA)
    assert voice_writer.is_taken(with_name("Mum"))
    voices.store.rename(voices.store.find("Mum").ref, "Zoé")
    assert voice_writer.is_taken(with_name(normalize("NFD", "Zoé")))


def test_a_configured_name_that_no_voice_can_have(voices: Voices) -> None:
    """Where a button is pressed the name comes from the configuration; it too is looked at before anybody reads."""
    voice_writer = VoiceWriter(store=voices.store, features=voices.features, device="kitchen", clock=lambda: 0.0)
    with scene(voice_writer=voice_writer, default=with_name("Anna ")) as it:
        it.enrolment.press()
        assert "no space around" in it.notes.wait("pressed", "failed").details["message"]
    assert it.microphone.heard == 0


def test_a_packed_recording_is_what_is_heard(voices: Voices) -> None:
    """What is encoded is what comes out of the stored file, not what went in; packing it again changes nothing."""
    voice_writer = VoiceWriter(store=voices.store, features=voices.features, device="kitchen", clock=lambda: 0.0)
    audio, heard = voice_writer.pack(Recording(spoken() * np.float32(0.333), MIC_RATE))
    assert voice_writer.pack(heard)[0] == audio
    assert np.abs(heard.samples - spoken() * np.float32(0.333)).max() < 1 / 32000


def test_found_by_id_by_digits_and_by_name(voices: Voices) -> None:
    """People call a voice by its name, programs by its id; a wrong name is met with the nearest one."""
    voice_id = keep(voices)
    for wanted in (voice_id, voice_id[:6], "Anna"):
        assert voices.catalogue.resolve(wanted) == voice_id
    assert voices.catalogue.resolve("hum") == voices.catalogue.resolve("HUM") == "hum"
    assert [card.builtin for card in voices.catalogue.cards()] == [True, False]
    with pytest.raises(UnknownVoiceError, match="did you mean 'Anna'"):
        voices.catalogue.resolve("Ana")
    with pytest.raises(UnknownVoiceError, match="come with the model set"):
        voices.catalogue.enrolled("hum")


def test_a_voice_of_another_model_set_is_not_ready(voices: Voices) -> None:
    """Without features for this model set a voice is listed as unready, and says so when it is asked for."""
    voice_id = keep(voices)
    for path in (voices.store.find("Anna").folder / "features").iterdir():
        path.unlink()
    voices.catalogue.refresh()
    assert [voice.ref.id for voice in voices.catalogue.unready()] == [voice_id]
    with pytest.raises(UnknownVoiceError, match="not ready"):
        voices.catalogue.resolve("Anna")


def test_an_unready_voice_is_found_to_be_changed(voices: Voices) -> None:
    """Whoever wants to rename or delete it says its name or its id, as ever; if two are meant, only the id will do."""
    ready, unready = keep(voices), voices.store.add(new_voice(name="Anna"))
    voices.catalogue.refresh()
    assert voices.catalogue.resolve("Anna") == ready
    for wanted in (unready.ref.id, unready.ref.id[:6]):
        assert voices.catalogue.enrolled(wanted) == unready.ref
    with pytest.raises(UnknownVoiceError, match="may mean 2 voices"):
        voices.catalogue.enrolled("Anna")
    voices.store.rename(unready.ref, "Bert")
    voices.catalogue.refresh()
    assert voices.catalogue.enrolled("Bert") == unready.ref
    with pytest.raises(UnknownVoiceError, match="did you mean 'Bert'"):
        voices.catalogue.enrolled("Bret")


class House(Rig):
    """A dispatcher that speaks with enrolled voices."""

    def __init__(self, voices: Voices) -> None:
        super().__init__(voice=voices.catalogue.load)
        self.status = VoiceStatus(events=self.events, catalogue=voices.catalogue, first=lambda: "hum")
        changed = self.status.refresh
        change = VoiceCommands(runtime=self.runtime, jobs=self.jobs, voices=voices, changed=changed)
        policy = EnrolmentPolicy(EnrolmentConfig(), "family", ("en", "zh"), sample_rate=RATE)
        enrol = EnrolCommands(runtime=self.runtime, enrolment=None, policy=policy)
        commands = {**change.commands(), **enrol.commands()}
        rules = RequestRules(resolve_voice=voices.catalogue.resolve, content=ContentRules(100), payload_bytes=1000)
        self.dispatcher = Dispatcher(
            runtime=self.runtime, rules=rules, jobs=self.jobs, player=self.player, more=commands
        )

    def send(self, command: str, **payload: object) -> None:
        """A message as MQTT brings it."""
        self.dispatcher.handle(Message(command, json.dumps(payload).encode()))

    def latest(self) -> Mapping[str, Any]:
        """The retained topic `voices`."""
        return [value for topic, value in self.notes.retained if topic == "voices"][-1]

    def listed(self) -> list[str]:
        """Names on the latest list of voices."""
        return [card["name"] for card in self.latest()["voices"]]


@contextmanager
def house(voices: Voices) -> Iterator[House]:
    """A running one."""
    made_house = House(voices)
    with made_house.running():
        made_house.status.refresh()
        yield made_house


def test_speaking_renaming_and_deleting_by_message(voices: Voices) -> None:
    """A voice speaks under its name, then under its new one; deleted, it is gone from disk and list, and stays gone."""
    voice_id = keep(voices)
    with house(voices) as it:
        assert it.listed() == ["Hum", "Anna"]
        it.send("say", text="hello", voice="Anna", id="a")
        assert it.notes.wait("a", "done")
        it.send("voices/rename", voice="Anna", name="Mum", id="b")
        it.notes.wait("b", "done")
        assert it.listed() == ["Hum", "Mum"]
        it.send("say", text="hello", voice="Mum", id="c")
        assert it.notes.wait("c", "started").details["voice"] == voice_id
        it.send("voices/delete", id=voice_id, name="Mum", forget=True)
        it.notes.wait(voice_id, "done")
        assert it.listed() == ["Hum"]
        it.send("say", text="hello", voice="Mum", id="e")
        assert it.notes.wait("e", "failed").details["error"] == "UnknownVoiceError"
    assert voices.store.stored().voices == ()
    assert [ref.id for ref in voices.store.tombstones()] == [voice_id]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"voice": "Anna"}, "unknown key 'voice'; known: forget, id, name"),
        ({"name": "Anna"}, "'id' is missing"),
        ({"id": "Anna", "name": "Anna"}, "no such voice with the id 'Anna'"),
        ({"id": "{id:.6}", "name": "Anna"}, "no such voice with the id"),
        ({"id": "{id}"}, "key 'name'"),
        ({"id": "{id}", "name": ""}, "name"),
        ({"id": "{id}", "name": "anna"}, "has another name than 'anna'"),
        ({"id": "{id}", "name": "Ann"}, "has another name than 'Ann'"),
        ({"id": "{id}", "name": "Anna", "forget": "yes"}, "forget"),
        ({"id": "{id}", "name": "Anna", "forgets": True}, "did you mean 'forget'"),
        ({"id": "hum", "name": "Hum"}, "come with the model set"),
        ({"id": "HUM", "name": "Hum"}, "come with the model set"),
    ],
)
def test_only_the_exact_id_and_name_delete_a_voice(voices: Voices, payload: dict[str, Any], says: str) -> None:
    """Anything less than both in full is refused with the reason, and the voice speaks on."""
    voice_id = keep(voices)
    sent = {key: value.format(id=voice_id) if key == "id" else value for key, value in payload.items()}
    with house(voices) as it:
        it.send("voices/delete", **sent)
        [report] = [it.notes.wait(sent.get("id", "auto1"), "failed")]
        assert says in report.details["message"]
        assert it.listed() == ["Hum", "Anna"]
    assert [voice.ref.id for voice in voices.store.stored().voices] == [voice_id]


def test_a_deletion_by_message_is_undone_by_message(voices: Voices) -> None:
    """A deleted voice is silent and listed with the time until which it comes back; undeleted it speaks as before. A
    second delivery of either message changes nothing."""
    voice_id = keep(voices)
    with house(voices) as it:
        for done in range(2):
            it.send("voices/delete", id=voice_id, name="Anna")
            it.notes.wait(voice_id, "done", count=done + 1)
            assert it.listed() == ["Hum"]
            assert it.latest()["deleting"] == [
                {"id": voice_id, "name": "Anna", "until": "2023-11-14T22:23:20+00:00"},
            ]
        it.send("say", text="hello", voice=voice_id, id="a")
        assert it.notes.wait("a", "failed").details["error"] == "UnknownVoiceError"
        it.send("voices/undelete", id=voice_id, name="Anne")
        assert "another name" in it.notes.wait(voice_id, "failed").details["message"]
        it.send("voices/undelete", id=voice_id)
        it.notes.wait(voice_id, "done", count=3)
        assert (it.listed(), it.latest()["deleting"]) == (["Hum", "Anna"], [])
        it.send("say", text="hello", voice="Anna", id="b")
        it.notes.wait("b", "done")
        it.send("voices/undelete", id=voice_id)
        assert "no such voice" in it.notes.wait(voice_id, "failed", count=2).details["message"]
    assert voices.store.tombstones() == {}


def test_what_is_being_deleted_can_be_forgotten_at_once(voices: Voices) -> None:
    """`forget` deletes for good, also a voice whose deletion is pending."""
    voice_id = keep(voices)
    with house(voices) as it:
        it.send("voices/delete", id=voice_id, name="Anna")
        it.send("voices/delete", id=voice_id, name="Anna", forget=True)
        it.notes.wait(voice_id, "done", count=2)
        assert it.latest()["deleting"] == []
    assert [ref.id for ref in voices.store.tombstones()] == [voice_id]


def test_a_deleted_default_gives_way(voices: Voices) -> None:
    """When the voice that speaks by default is deleted, the configured one speaks from then on."""
    voice_id = keep(voices)
    with house(voices) as it:
        it.dispatcher.handle(Message("voice/set", b"Anna"))
        it.send("voices/delete", id=voice_id, name="Anna")
        it.notes.wait(voice_id, "done")
        it.send("say", text="hello", id="a")
        assert it.notes.wait("a", "started").details["voice"] == "hum"


@pytest.mark.parametrize(
    ("command", "payload", "says"),
    [
        ("voices/rename", {"voice": "hum", "name": "Mum"}, "come with the model set"),
        ("voices/rename", {"voice": "HUM", "name": "Mum"}, "come with the model set"),
        ("voices/rename", {"voice": "nobody", "name": "Mum"}, "no voice 'nobody'"),
        ("voices/rename", {"voice": "ANA", "name": "Mum"}, "did you mean 'Anna'"),
        ("voices/rename", {"vioce": "Anna", "name": "Mum"}, "did you mean 'voice'"),
        ("voices/rename", {"voice": "Anna"}, "'name' is missing"),
        ("voices/rename", {"voice": "Anna", "name": " "}, "cannot be a voice's name"),
        ("enroll", {"name": "Bob"}, "switched off"),
        ("enroll", {"language": "xx"}, "language"),
    ],
)
def test_a_wrong_command_is_refused(voices: Voices, command: str, payload: dict[str, str], says: str) -> None:
    """One report says what is wrong; the voice stays as it is."""
    keep(voices)
    with house(voices) as it:
        it.send(command, **payload, id="x")
        assert says in it.notes.wait("x", "failed").details["message"]
        assert it.listed() == ["Hum", "Anna"]
