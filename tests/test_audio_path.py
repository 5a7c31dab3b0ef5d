"""The whole way through real audio: heard by a microphone, enrolled at a button, answered by a loudspeaker.

The daemon is the shipped process with the shipped voice; PulseAudio stands in for the sound card, a named pipe for the
button's event device.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml
from audio_server import RATE, AudioServer
from broker import Broker, Ear
from engine_cache import ENGINES
from recordings.quality_networks import QUALITY, network
from same_sound import assert_same_sound, without_holes

from edge_tts.audio.features import resample
from edge_tts.recordings.speaker_embedding import SpeakerEmbedder
from edge_tts.values import FloatArray

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parent.parent
MODELS = Path(os.environ.get("EDGE_TTS_TEST_MODELS", ROOT / "models"))
SPEAKERS = {"Anna": "slt", "Robert": "rms", "Alan": "awb", "Carl": "kal16"}
SENTENCE = "The weather is fine today, and the kettle has boiled."
ENTER = 28
READINGS = 3
"""How often a person reads the sentence at most until it is taken."""
SLOW_S = 120.0
"""Speaking takes as long as it takes; only a failing test waits this long."""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[AudioServer]:
    """A room with a virtual microphone and a virtual loudspeaker."""
    if not (MODELS / "starter" / "manifest.json").exists():
        pytest.skip("NO VOICE: models/starter is not in this checkout, so the real audio path was not tested")
    with AudioServer(tmp_path) as server:
        yield server


class Key:
    """An event device with one key, as a named pipe."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._pipe = os.open(path, os.O_RDWR)

    def press(self) -> None:
        """Down and up."""
        for value in (1, 0):
            os.write(self._pipe, struct.pack("llHHi", 0, 0, 1, ENTER, value))

    def close(self) -> None:
        """Unplug it."""
        os.close(self._pipe)


def write_config(folder: Path, port: int, key: Key, name: str) -> Path:
    """A device whose microphone, loudspeaker and button are ours."""
    path = folder / "config.yaml"
    settings = {
        "device": f"room-{name}",
        "mqtt": {"host": "127.0.0.1", "port": port},
        "models": {"dir": str(MODELS), "name": "starter"},
        "engine": {"cache_dir": str(ENGINES)},
        "audio": {"output": "speaker", "device": "loudspeaker"},
        "enrolment": {
            "name": name,
            "microphone": "microphone",
            "sample_rate": 48000,
            "key_device": str(key.path),
            "key": "enter",
            "networks": str(QUALITY),
        },
        "bucket": {"url": None},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


@contextmanager
def daemon(config: Path, environment: dict[str, str]) -> Iterator[None]:
    """`edge-ttsd run` in the room; killed at the end if it still runs."""
    command = [sys.executable, "-m", "edge_tts", "run", "-c", str(config)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        print(process.communicate()[1])  # pytest shows it beside a failure


def recorded(name: str) -> FloatArray:
    """What a person of the test set says to be enrolled, float32 at 16 kHz."""
    samples: FloatArray = soundfile.read(ROOT / "tests" / "spoken" / f"{name}.flac", dtype="float32")[0]
    return samples


def wait_enrolment(ear: Ear, step: str) -> None:
    """Until the enrolment has come to that step."""
    found = ear.wait_for(lambda: any(json.loads(payload)["step"] == step for payload in ear.on("enrolment")), SLOW_S)
    assert found, f"the enrolment never came to {step}; it went through {ear.on('enrolment')}, {ear.events()}"


def wait_enrolled(ear: Ear) -> dict[str, Any]:
    """The closing report of the enrolment: it tells about a voice or why there is none."""

    ids = {json.loads(payload)["id"] for payload in ear.on("enrolment")} - {None}

    def closing() -> dict[str, Any] | None:
        return next((e for e in ear.events() if e["id"] in ids and e["stage"] not in ("accepted", "started")), None)

    found = ear.wait_for(closing, SLOW_S)
    assert found, f"the enrolment did not end: {ear.on('enrolment')}, {ear.events()}"
    closed: dict[str, Any] = found
    return closed


def enrol(ear: Ear, key: Key, room: AudioServer, speaker: str) -> dict[str, Any]:
    """Press, read, and do so again when asked to: a machine that is busy with other tests drops some of what is said.
    Returns the closing report."""
    for _ in range(READINGS):
        ear.messages.clear()
        key.press()
        wait_enrolment(ear, "inviting")
        key.press()  # who enrols knows the sentence
        wait_enrolment(ear, "recording")
        room.speak(recorded(f"consent-{speaker}"), 16000)
        enrolled = wait_enrolled(ear)
        if enrolled["stage"] == "done":
            return enrolled
        assert enrolled["details"]["error"] == "Refused", enrolled
        wait_enrolment(ear, "idle")
    raise AssertionError(f"nothing that was read was taken: {enrolled}")


@pytest.mark.parametrize(
    "name", ["Anna", *(pytest.param(name, marks=pytest.mark.slow) for name in SPEAKERS if name != "Anna")]
)
@pytest.mark.timeout(600)
def test_heard_enrolled_and_answered(tmp_path: Path, room: AudioServer, broker: Broker, name: str) -> None:
    """A person presses the button, reads the sentence and is stored with their consent. What the loudspeaker then plays
    in the new voice is what was synthesised and nothing else, and sounds more like that person than like any other."""
    key = Key(tmp_path / "key")
    config = write_config(tmp_path, broker.port, key, name)
    with Ear(broker, f"edge-tts/room-{name}") as ear, daemon(config, room.environment):
        ear.wait_topic("status", "online")
        enrolled = enrol(ear, key, room, SPEAKERS[name])
        voice = enrolled["details"]["voice"]
        with room.hearing() as hearing:
            ear.publish("say", {"id": "answer", "text": SENTENCE, "voice": name, "seed": 7})
            assert ear.wait_for(lambda: ("answer", "done") in [(e["id"], e["stage"]) for e in ear.events()], SLOW_S)
    key.close()

    assert_same_sound(hearing.heard, *said(config, voice, tmp_path / "said.wav"))

    heard = without_holes(hearing.heard, RATE)
    identity = SpeakerEmbedder(engine=network("speaker"))
    answer = identity.embed(resample(heard, RATE, 16000))
    alike = {other: float(answer @ identity.embed(recorded(f"consent-{who}"))) for other, who in SPEAKERS.items()}
    print(f"the answer is like {alike}")
    assert max(alike, key=lambda other: alike[other]) == name
    assert alike[name] > 0.55
    consent = json.loads(next((tmp_path / ".state" / "voices").glob(f"*/{voice}/consent.json")).read_bytes())
    assert consent["statement"].startswith("I agree that this device may speak with my voice.")


def said(config: Path, voice: str, path: Path) -> tuple[FloatArray, int]:
    """What the command line synthesises for the same text, voice and seed, float32, and its rate in Hz."""
    command = [sys.executable, "-m", "edge_tts", "say", "-c", str(config), "--voice", voice, "--seed", "7"]
    subprocess.run([*command, "--out", str(path), SENTENCE], check=True, timeout=300, stdout=subprocess.DEVNULL)
    samples, rate = soundfile.read(path, dtype="float32")
    return samples, rate


@pytest.mark.timeout(600)
def test_nobody_is_recorded_over_mqtt_alone(tmp_path: Path, room: AudioServer, broker: Broker) -> None:
    """A neighbour on the broker who mutes the device, asks for an enrolment, presses and skips opens no microphone.
    After a press at the device the invitation is heard at volume 0 too; the state says when the microphone is open."""
    key = Key(tmp_path / "key")
    config = write_config(tmp_path, broker.port, key, "Nobody")
    with Ear(broker, "edge-tts/room-Nobody") as ear, daemon(config, room.environment):
        ear.wait_topic("status", "online")
        ear.publish("volume/set", "0")
        ear.publish("enroll", {"id": "forged", "name": "Anna", "language": "en"})
        wait_enrolment(ear, "asking")
        ear.publish("enroll/press", {"id": "press"})
        refused = ear.wait_for(lambda: [e for e in ear.events() if e["details"].get("error") == "PayloadError"], SLOW_S)
        assert "only a press at the device" in refused[0]["details"]["message"]
        ear.publish("skip")
        with room.hearing() as hearing:
            key.press()
            wait_enrolment(ear, "recording")
        assert without_holes(hearing.heard, RATE).std() > 0.01
        assert ear.wait_state(microphone="open")["volume"] == 0
        room.speak(recorded("consent-slt"), 16000)
        assert wait_enrolled(ear)["stage"] == "done"
        assert ear.wait_state(microphone="closed")
        steps = [json.loads(payload)["step"] for payload in ear.on("enrolment")]
        states = [json.loads(payload)["microphone"] for payload in ear.on("state")]
    key.close()
    assert steps[:4] == ["idle", "asking", "inviting", "recording"]
    assert [state for state, before in zip(states[1:], states, strict=False) if state != before] == ["open", "closed"]
