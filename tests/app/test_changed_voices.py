"""The command line changes voices while the daemon runs: one round of housekeeping notices, and no sentence breaks."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from bad_disk import unreadable
from broker import Broker, Ear
from enrolled import ToyEncoder, make_features, new_voice, open_store
from fakes import WAIT_S, FakeLoudspeaker
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.cli.main import main
from edge_tts.config import CacheConfig, load_config
from edge_tts.errors import VoiceError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.voices.archive import export_voice
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.store import EnrolledVoice, VoiceStore

Fact = dict[str, Any]


class House:
    """A daemon with a toy model set that syncs once an hour, and the command line beside it."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        folder.mkdir()
        self.model = read_model_set(write_model_set(folder / "models" / "toy"))
        self.bucket, self._path = folder / "bucket", folder / "config.yaml"
        settings = {
            "device": folder.name,
            "mqtt": {"host": "127.0.0.1", "port": broker.port},
            "models": {"dir": "models", "name": "toy"},
            "bucket": {"url": "bucket", "interval_s": 3600},
            "cache": {"dir": "phrases"},
        }
        self._path.write_text(yaml.safe_dump(settings))
        self.config = load_config(self._path)
        self.phrases = self.config.cache.dir
        self.ear = Ear(broker, f"edge-tts/{folder.name}")
        self.encoder, self.errors = ToyEncoder(), list[BaseException]()
        self.look: Callable[[], object] = lambda: None

    @contextmanager
    def open(self) -> Iterator[House]:
        """The daemon runs; nothing in it may end in an unexpected exception."""
        surroundings = Surroundings(
            load=self.encoder.loaded,
            open_loudspeaker=FakeLoudspeaker,
            fatal=lambda part, error: self.errors.append(error),
        )
        with (
            self.ear,
            Appliance(self.config, self.model, surroundings) as appliance,
        ):
            self.look = appliance.poll
            self.ear.wait_topic("status", "online")
            yield self
        assert self.errors == []

    def other_process(self) -> tuple[VoiceStore, FeatureStore]:
        """The same voices, opened once more."""
        store = open_store(self.config.voices.dir)
        return store, FeatureStore(store=store, model=self.model)

    def enrol(self, name: str, seed: int = 1) -> EnrolledVoice:
        """What `edge-ttsd enroll` does when the voice is made."""
        store, features = self.other_process()
        voice = store.add(new_voice(seed, name=name))
        make_features(features, voice)
        return voice

    def voices(self, command: str, *arguments: str) -> int:
        """`edge-ttsd voices COMMAND`."""
        return main(["voices", command, "-c", str(self._path), *arguments])

    def fact(self, holds: Callable[[Fact], bool], *, looking: bool = False) -> Fact:
        """The standing fact `voices`, as soon as it is as wanted; `looking`: one round of housekeeping does not do."""

        def latest() -> Fact | None:
            facts = [json.loads(payload) for payload in self.ear.on("voices")[-1:]]
            return next(filter(holds, facts), None)

        deadline = time.monotonic() + WAIT_S
        while looking and not latest() and time.monotonic() < deadline:
            self.look()
            time.sleep(0.02)
        return dict(self.ear.wait_for(latest))

    def named(self, *names: str) -> Fact:
        """The fact, as soon as exactly these voices can speak."""
        return self.fact(lambda fact: {card["name"] for card in fact["voices"]} == {"Hum", *names})

    def say(self, request_id: str, voice: str = "hum") -> None:
        """Queue a sentence."""
        self.ear.publish("say", {"id": request_id, "text": request_id, "voice": voice})


@pytest.fixture
def house(tmp_path: Path, broker: Broker, request: pytest.FixtureRequest) -> House:
    """One with a name of its own."""
    return House(tmp_path / request.node.name.replace("test_", "").replace("[", "-").rstrip("]")[:40], broker)


def test_what_the_command_line_does_is_noticed(house: House) -> None:
    """Enrolled, renamed, removed, imported: the fact says so after the next look, and the bucket has it soon after."""
    with house.open() as it:
        anna = it.enrol("Anna")
        it.look()
        it.named("Anna")
        assert it.voices("rename", "Anna", "Mum") == 0
        it.look()
        it.named("Mum")
        it.say("a", "Mum")
        it.ear.wait_event(id="a", stage="done")
        assert it.voices("remove", "Mum") == 0
        it.look()
        it.named()
        there = it.bucket / "v1" / "anna" / anna.ref.id / "tombstones"
        it.fact(lambda fact: fact["sync"]["status"] == "done" and there.is_dir() and any(there.iterdir()))
        store = open_store(it.bucket.parent / "elsewhere")
        export_voice(store, store.add(new_voice(2, name="Bert")), it.bucket.parent / "bert.voice")
        assert it.voices("import", str(it.bucket.parent / "bert.voice")) == 0
        it.look()
        it.fact(lambda fact: [(voice["name"], voice["reason"]) for voice in fact["unready"]] == [("Bert", None)])
        it.look()
        it.named("Bert")
    assert len(house.encoder.heard) == 1


def test_whoever_enrols_a_voice_makes_its_features(house: House) -> None:
    """A voice that is seen before its features are saved is not encoded a second time."""
    with house.open() as it:
        store, features = it.other_process()
        voice = store.add(new_voice(name="Anna"))
        it.look()
        assert [voice["name"] for voice in it.fact(lambda fact: bool(fact["unready"]))["unready"]] == ["Anna"]
        make_features(features, voice)
        it.look()
        it.named("Anna")
        it.look()
        it.say("a", "Anna")
        it.ear.wait_event(id="a", stage="done")
    assert house.encoder.heard == []


@pytest.mark.parametrize("noticed", [True, False])
def test_a_voice_goes_under_a_sentence(house: House, noticed: bool) -> None:
    """The sentence that is being spoken goes on to its end; one that waits fails by name; the next one is spoken."""
    house.enrol("Anna")
    with house.open() as it:
        it.encoder.gate.clear()
        it.say("a", "Anna")
        it.ear.wait_event(id="a", stage="first_audio")
        it.say("b", "Anna")
        it.ear.wait_event(id="b", stage="accepted")
        assert it.voices("remove", "Anna") == 0
        if noticed:
            it.look()
            it.named()
        it.encoder.gate.set()
        it.ear.wait_event(id="a", stage="done")
        assert it.ear.wait_event(id="b", stage="failed")["details"]["error"] == "UnknownVoiceError"
        it.say("c")
        it.ear.wait_event(id="c", stage="done")


@pytest.mark.parametrize("chosen", ["now", "earlier"])
def test_the_default_voice_goes(house: House, chosen: str) -> None:
    """When the voice that speaks by default is removed, the configured one speaks from the next look on."""
    anna = house.enrol("Anna")
    if chosen == "earlier":
        settings = house.config.state_dir / "settings.json"
        settings.write_text(json.dumps({"volume": None, "voice": anna.ref.id}))
    with house.open() as it:
        if chosen == "now":
            it.ear.publish("voice/set", "Anna")
        it.ear.wait_state(voice=anna.ref.id)
        assert it.voices("remove", "Anna") == 0
        it.look()
        it.ear.publish("say", {"id": "a", "text": "hello"})
        assert it.ear.wait_event(id="a", stage="started")["details"]["voice"] == "hum"


def test_a_voice_that_cannot_be_encoded_is_not_stuck(house: House) -> None:
    """It is listed with its name and, once tried, the reason; it is renamed and deleted by message like any other."""
    anna, bert = (house.other_process()[0].add(new_voice(seed, name=name)) for seed, name in ((1, "Anna"), (2, "Bert")))
    house.encoder.refuse_to_encode = True
    with house.open() as it:
        it.fact(lambda fact: [voice["reason"] for voice in fact["unready"]] == [None, None])
        why = "this recording cannot be encoded"
        fact = it.fact(lambda fact: [voice["reason"] for voice in fact["unready"]] == [why, why], looking=True)
        assert sorted((voice["id"], voice["name"]) for voice in fact["unready"]) == sorted(
            [(anna.ref.id, "Anna"), (bert.ref.id, "Bert")]
        )
        it.ear.publish("voices/rename", {"id": "r", "voice": "Anna", "name": "Mum"})
        it.ear.wait_event(id="r", stage="done")
        fact = it.fact(lambda fact: "Mum" in [voice["name"] for voice in fact["unready"]])
        assert {voice["reason"] for voice in fact["unready"]} == {why}
        it.ear.publish("voices/delete", {"id": anna.ref.id, "name": "Mum", "forget": True})
        it.ear.publish("voices/delete", {"id": bert.ref.id, "name": "Bert", "forget": True})
        it.ear.wait_event(id=bert.ref.id, stage="done")
        it.fact(lambda fact: fact["unready"] == [])
    assert house.other_process()[0].stored().voices == ()


def test_a_damaged_voice_is_listed_and_deleted(house: House) -> None:
    """Its card has rotted, so nobody knows its name: the fact names its id and what is wrong. It can be deleted by that
    id, and nothing else: it neither speaks nor is renamed."""
    anna, bert = house.enrol("Anna"), house.enrol("Bert", seed=2)
    (anna.folder / "voice.json").write_bytes(b"{")
    with house.open() as it:
        fact = it.named("Bert")
        assert [voice["id"] for voice in fact["damaged"]] == [anna.ref.id]
        assert "voice.json" in fact["damaged"][0]["reason"]
        it.ear.publish("voices/rename", {"id": "r", "voice": anna.ref.id, "name": "Mum"})
        it.say("s", anna.ref.id)
        for refused in ("r", "s"):
            assert it.ear.wait_event(id=refused, stage="failed")["details"]["error"] == "UnknownVoiceError"
        it.ear.publish("voices/delete", {"id": anna.ref.id, "forget": True})
        it.ear.wait_event(id=anna.ref.id, stage="done")
        it.fact(lambda fact: fact["damaged"] == [])
    assert not anna.folder.exists()
    store, _ = house.other_process()
    assert [voice.ref for voice in store.stored().voices] == [bert.ref]
    assert set(store.tombstones()) == {anna.ref}


def test_a_deletion_is_finished_and_sent_by_the_daemon(house: House, broker: Broker) -> None:
    """A voice that was deleted over MQTT is silent after a restart, comes back from the command line, and once its time
    is over the next look deletes it for good and sends the tombstone."""
    anna = house.enrol("Anna")
    store, _ = house.other_process()
    there = house.bucket / "v1" / "anna" / anna.ref.id / "tombstones"
    with house.open() as it:
        it.named("Anna")
        it.fact(lambda fact: bool(fact["sync"]) and fact["sync"]["status"] == "done")
        it.ear.publish("voices/delete", {"id": anna.ref.id, "name": "Anna"})
        it.ear.wait_event(id=anna.ref.id, stage="done")
    house.ear = Ear(broker, f"edge-tts/{house.config.device}")
    with house.open() as it:
        it.named()
        it.say("a", anna.ref.id)
        assert it.ear.wait_event(id="a", stage="failed")["details"]["error"] == "UnknownVoiceError"
        assert it.voices("undelete", "Anna") == 0
        it.look()
        it.named("Anna")
        it.ear.publish("voices/delete", {"id": anna.ref.id, "name": "Anna"})
        it.fact(lambda fact: [voice["id"] for voice in fact["deleting"]] == [anna.ref.id])
        assert not there.exists()
        pending = store.directory / ".deleted" / "anna" / f"{anna.ref.id}.pending"
        with store.changing():
            pending.write_text(json.dumps({**json.loads(pending.read_text()), "time": 1_700_000_000}))
        it.fact(lambda fact: fact["deleting"] == [] and there.is_dir() and any(there.iterdir()), looking=True)
    assert not anna.folder.exists()
    assert set(store.tombstones()) == {anna.ref}


def test_features_that_go_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A voice deleted between the look at its features and their reading is a VoiceError like any other."""
    store = open_store(tmp_path / "voices")
    features = FeatureStore(store=store, model=read_model_set(write_model_set(tmp_path / "toy")))
    voice = store.add(new_voice())
    make_features(features, voice)
    real = os.path.exists

    def exists(path: Path) -> bool:
        there = real(path)
        if str(path).endswith(".npz"):
            monkeypatch.undo()
            store.delete(voice.ref)
        return there

    monkeypatch.setattr(os.path, "exists", exists)
    with pytest.raises(VoiceError, match="not a readable feature file"):
        features.load(voice)
    assert features.load(voice) is None


def test_nothing_is_read_while_nothing_changes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look is for names and times only; a disk that fails is told once and tried again."""
    house.enrol("Anna")
    with house.open() as it:
        it.fact(lambda fact: bool(fact["sync"]) and fact["sync"]["status"] == "done")
        read: list[int] = []
        real = Catalogue.refresh

        def refresh(catalogue: Catalogue) -> None:
            read.append(1)
            if len(read) < 4:
                raise VoiceError("the disk is broken")
            real(catalogue)

        monkeypatch.setattr(Catalogue, "refresh", refresh)
        for _ in range(3):
            it.look()
        assert read == []
        it.enrol("Bert", 2)
        with pytest.MonkeyPatch.context() as patch:
            told: list[str] = []
            logger = logging.getLogger("edge_tts.voices.status")
            patch.setattr(logger, "warning", lambda text, *more: told.append(text % more))
            for _ in range(4):
                it.look()
        assert told == ["the voices cannot be read: the disk is broken"]
        it.named("Anna", "Bert")


def read_only(folder: Path) -> None:
    """Nothing can be changed any more, as on a disk that was remounted after an error."""
    (folder / ".lock").unlink(missing_ok=True)
    (folder / ".lock").mkdir()


def somebody_else_s(folder: Path) -> None:
    """voices.dir was set to a home by a slip."""
    shutil.rmtree(folder)
    (folder / "photos").mkdir(parents=True)
    (folder / "photos" / ".IMG.2020.jpg").write_text("mine")


def a_file(folder: Path) -> None:
    """It is no folder at all."""
    shutil.rmtree(folder)
    folder.write_text("a file")


@pytest.mark.parametrize("trouble", [read_only, somebody_else_s, a_file])
def test_trouble_with_the_voices_folder_silences_nobody(house: House, trouble: Callable[[Path], None]) -> None:
    """The daemon starts, says in the log what is wrong, and speaks; what is there and whole can be read and speaks too.
    To enrol or delete is refused by name. A sync fails and ends nothing."""
    anna = house.enrol("Anna")
    folder = house.config.voices.dir
    trouble(folder)
    known = ["Anna"] if trouble is read_only else []
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        logger = logging.getLogger("edge_tts.voices.local_voices")
        patch.setattr(logger, "warning", lambda text, *more: told.append(text % more))
        with house.open() as it:
            it.named(*known)
            for name in ["hum", *known]:
                it.say(name, name)
                it.ear.wait_event(id=name, stage="done")
            for name in known:
                it.ear.publish("voices/delete", {"id": anna.ref.id, "name": name})
                assert str(folder) in it.ear.wait_event(id=anna.ref.id, stage="failed")["details"]["message"]
            it.fact(lambda fact: bool(fact["sync"]) and fact["sync"]["status"] == "failed")
            it.look()
    assert len(told) == 1
    assert str(folder) in told[0]
    if trouble is somebody_else_s:
        assert [path.name for path in folder.rglob("*")] == ["photos", ".IMG.2020.jpg"]


def test_a_disk_that_comes_back_is_noticed(house: House) -> None:
    """Unreadable at the start, the voices speak from the next look on; before that the daemon speaks without them."""
    house.enrol("Anna")
    with ExitStack() as disk:
        disk.enter_context(unreadable(house.config.voices.dir))
        with house.open() as it:
            it.named()
            it.say("a")
            it.ear.wait_event(id="a", stage="done")
            disk.close()
            it.look()
            it.named("Anna")


@pytest.mark.parametrize("state", ["damaged", "not encoded", "away"])
def test_a_configured_voice_that_cannot_speak_gives_way(house: House, state: str) -> None:
    """`voice` in config.yaml names an enrolled one: the daemon starts without it, says so, and speaks."""
    anna = house.enrol("Anna")
    house.config = house.config.model_copy(update={"voice": anna.ref.id})
    if state == "damaged":
        (anna.folder / "voice.json").write_bytes(b"rotten")
    elif state == "away":
        shutil.rmtree(house.config.voices.dir)
    else:
        shutil.rmtree(anna.folder / "features")
    with house.open() as it:
        it.ear.publish("say", {"id": "a", "text": "hello"})
        assert it.ear.wait_event(id="a", stage="started")["details"]["voice"] == "hum"
        it.ear.wait_event(id="a", stage="done")


@pytest.mark.parametrize("deleted", ["mqtt", "command", "meanwhile", "off"])
def test_phrases_of_a_deleted_voice_go(house: House, deleted: str) -> None:
    """Whichever way a voice is deleted, the phrase cache has no sound of it once the deletion is reported; a cache that
    is switched off keeps nothing of anybody."""
    anna = house.enrol("Anna")
    off, house.config = (
        house.config,
        house.config.model_copy(update={"cache": CacheConfig(max_mb=1, dir=house.phrases)}),
    )
    with house.open() as it:
        it.say("a", "Anna")
        it.ear.wait_event(id="a", stage="done")
        assert len(list(house.phrases.glob("*/*.phrase"))) == 1
        if deleted == "mqtt":
            it.ear.publish("voices/delete", {"id": anna.ref.id, "name": "Anna"})
            it.fact(lambda fact: bool(fact["deleting"]))
        if deleted == "command":
            assert it.voices("remove", "Anna") == 0
    if deleted == "meanwhile":
        house.other_process()[0].delete(anna.ref)
    if deleted == "off":
        house.config = off.model_copy(update={"cache": CacheConfig(dir=house.phrases)})
    if deleted in ("meanwhile", "off"):
        with house.open():
            pass
    assert list(house.phrases.glob("*/*.phrase")) == []
