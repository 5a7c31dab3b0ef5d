"""The shipped daemon changes its model set: enrolled voices speak at once, and a bad set stays out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from broker import Broker, Ear
from daemon_process import daemon, write_config
from enrolled import new_voice, open_store
from fakes import WAIT_S
from toy_model_sets import write_manifest

from edge_tts.model_sets.manifest import read_model_set
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.store import EnrolledVoice, NewVoice

pytestmark = pytest.mark.long
RECORDING = Path(__file__).parents[1] / "spoken" / "consent-slt.flac"
STARTER = Path(__file__).parents[2] / "models" / "starter"


def another_set(sets: Path, name: str) -> None:
    """A second set: the same networks beside one file more, so that its voices' features are its own."""
    folder = sets / name
    shutil.copytree(STARTER, folder)
    (folder / "NOTES.txt").write_text("another set")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    kept = {key: manifest[key] for key in manifest if key not in ("files", "name", "voices")}
    write_manifest(folder, voices=tuple(manifest["voices"]), **kept)


def enrol(state: Path) -> EnrolledVoice:
    """A voice with a real recording, as a fetch from the bucket would leave it: without features."""
    made = new_voice()
    return open_store(state / "voices", device="changing", consent=False).add(
        NewVoice(
            owner="family",
            name="Anna",
            language="en",
            transcript="I agree that this device may speak with my voice. My name is Anna.",
            recordings=[RECORDING.read_bytes()],
            consent=None,
            quality=made.quality,
        )
    )


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A folder with the sets `starter` and `other`."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "starter").symlink_to(STARTER)
    another_set(folder, "other")
    return folder


def configure(folder: Path, sets: Path, broker: Broker, device: str) -> Path:
    """A configuration with those sets, no bucket, and voices that need no consent."""
    models = {"dir": str(sets), "name": "starter"}
    keys = {"bucket": {"url": None}, "voices": {"require_consent": False}, "models": models}
    return write_config(folder, sets, broker.port, device, **keys)


def test_a_change_there_and_back(tmp_path: Path, broker: Broker, sets: Path) -> None:
    """While the new set is made ready the old one speaks; afterwards the new one speaks in the enrolled voice at once,
    also after a restart, and the counters go on; and the way back is short because nothing has to be encoded anew."""
    config = configure(tmp_path, sets, broker, "changing")
    enrol(tmp_path / ".state")
    with Ear(broker, "edge-tts/changing") as ear, daemon(config):
        ear.wait_topic("status", "online")
        ear.publish("models/activate", {"model": "other", "id": "change"})
        ear.wait_event(id="change", stage="started")
        ear.publish("say", {"id": "meanwhile", "text": "Still the old one."})
        ear.wait_event(id="meanwhile", stage="done")
        assert ear.wait_event(id="change", stage="done")["details"] == {"model": "other", "unready": []}
        wait_model(ear, "other")
        ear.publish("say", {"id": "after", "text": "The new one.", "voice": "Anna"})
        ear.wait_event(id="after", stage="done")
        begun = json.loads(ear.wait_topic("state"))["started_at"]
        served = ear.wait_state(counters={"done": 2, "expired": 0, "failed": 0, "interrupted": 0})
        assert served["started_at"] == begun
    features = FeatureStore(
        store=open_store(tmp_path / ".state" / "voices", consent=False), model=read_model_set(sets / "other")
    )
    assert features.missing() == []
    with Ear(broker, "edge-tts/changing") as ear, daemon(config):
        wait_model(ear, "other")
        ear.publish("models/rollback", {"id": "back"})
        ear.wait_event(id="back", stage="done")
        wait_model(ear, "starter")


def test_a_damaged_set_stays_out(tmp_path: Path, broker: Broker, sets: Path) -> None:
    """The report names the file; the old set speaks on and is the one of the next start."""
    config = configure(tmp_path, sets, broker, "unchanged")
    graph = sets / "other" / "wave.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"!")
    with Ear(broker, "edge-tts/unchanged") as ear, daemon(config):
        ear.wait_topic("status", "online")
        ear.publish("models/activate", {"model": "other", "id": "change"})
        assert "wave.onnx: is damaged" in ear.wait_event(id="change", stage="failed")["details"]["message"]
        ear.publish("say", {"id": "after", "text": "Still the old one."})
        ear.wait_event(id="after", stage="done")


def test_a_chosen_set_that_cannot_start_gives_way(tmp_path: Path, broker: Broker, sets: Path) -> None:
    """A set that was fine when it was chosen and is damaged at the next start: the one before speaks, and says so."""
    config = configure(tmp_path, sets, broker, "fallen")
    choice = {"configured": "starter", "current": "other", "previous": "starter", "trial": True}
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state" / "model.json").write_text(json.dumps(choice))
    (sets / "other" / "wave.onnx").unlink()
    with Ear(broker, "edge-tts/fallen") as ear, daemon(config):
        ear.wait_topic("status", "online")
        fact = json.loads(ear.wait_topic("models"))
        assert fact["current"] == "starter"
        assert fact["given_up"].startswith("other: ")
        ear.publish("say", {"id": "after", "text": "Still here."})
        ear.wait_event(id="after", stage="done")


def wait_model(ear: Ear, name: str) -> None:
    """Wait until the daemon says that this set speaks."""

    def speaks() -> bool:
        said = [text for topic, text, _ in list(ear.messages) if topic.endswith("/capabilities")]
        return bool(said) and json.loads(said[-1])["model"]["name"] == name

    assert ear.wait_for(speaks, 3 * WAIT_S), f"{name} does not speak: {ear.events()}"
