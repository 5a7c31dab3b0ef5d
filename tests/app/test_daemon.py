"""The appliance as it is shipped: the real process, the real networks, a real broker. A message in, samples out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from broker import Broker, Ear, free_port
from daemon_process import daemon, write_config
from enrolled import new_voice, open_store
from fakes import WAIT_S

from edge_tts.app.appliance import Surroundings
from edge_tts.app.daemon import run
from edge_tts.audio.metadata import read_metadata
from edge_tts.config import Config, load_config
from edge_tts.values import ModelSet
from tools.demo_model import write_untrained_set

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of model sets with one small set, `untrained`, that the converter made from seeded weights."""
    models = tmp_path_factory.mktemp("models")
    write_untrained_set(models / "untrained")
    return models


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_message_in_samples_out(tmp_path: Path, broker: Broker, untrained: Path, protocol: str) -> None:
    """The shipped command speaks a published sentence through the real networks into the WAV file; the receipts come in
    order; systemd hears when it is ready and that it lives; SIGTERM ends it cleanly with status 0."""
    device = f"real{protocol[0]}"
    config = write_config(tmp_path, untrained, broker.port, device, protocol)
    notify = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, Ear(broker, f"edge-tts/{device}") as ear:
        systemd.bind(notify)
        systemd.settimeout(WAIT_S * 3)
        with daemon(config, NOTIFY_SOCKET=notify, WATCHDOG_USEC="200000") as process:
            assert systemd.recv(500).startswith(b"READY=1")
            assert systemd.recv(500) == b"WATCHDOG=1"
            ear.publish("say", {"id": "a", "text": "Hello there. It is seven.", "seed": 3, "fragment_interval": 0.1})
            done = ear.wait_event(id="a", stage="done")
            stages = [event["stage"] for event in ear.events()]
            assert stages == ["accepted", "started", "first_audio", "done"]
            ear.publish("say", {"id": "b", "text": "!!!"})
            assert ear.wait_event(id="b", stage="failed")["details"]["error"] == "TextError"
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=WAIT_S)
            assert process.returncode == 0, log
        ear.wait_topic("status", "offline")
    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == 32000
    assert len(sound) / rate == pytest.approx(done["details"]["audio_s"], abs=0.01)
    said = json.loads(read_metadata(tmp_path / "out.wav")[1]["comment"])
    assert said["ai_generated"] is True
    for event in ear.events()[:4]:
        assert said.items() <= event["details"].items()
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 0.01


def test_a_document_in_a_strange_encoding_is_spoken(tmp_path: Path, broker: Broker, untrained: Path) -> None:
    """SSML that declares an encoding, as files do, is spoken like any other, and the process serves whoever is next."""
    config = write_config(tmp_path, untrained, broker.port, "ssml")
    with Ear(broker, "edge-tts/ssml") as ear, daemon(config) as process:
        ear.wait_topic("status", "online")
        for encoding in ("gbk", "zzz"):
            document = f'<?xml version="1.0" encoding="{encoding}"?><speak>Hi.</speak>'
            ear.publish("say", {"id": encoding, "text": document, "ssml": True})
        ear.publish("say", {"id": "b", "text": "Hello."})
        ear.wait_event(id="b", stage="done")
        assert [event["id"] for event in ear.events() if event["stage"] == "done"] == ["gbk", "zzz", "b"]
        assert process.poll() is None


def test_the_daemon_and_say_sound_the_same(tmp_path: Path, broker: Broker, untrained: Path) -> None:
    """The same text, voice and seed give the same samples over MQTT and on the command line: there is one path."""
    config = write_config(tmp_path, untrained, broker.port, "same")
    text, seed = "Good evening.", 11
    with Ear(broker, "edge-tts/same") as ear, daemon(config):
        ear.wait_topic("status", "online")
        ear.publish("say", {"id": "a", "text": text, "seed": seed})
        ear.wait_event(id="a", stage="done")
    said = tmp_path / "said.wav"
    command = [sys.executable, "-m", "edge_tts", "say", "-c", str(config), "--seed", str(seed), "--out", str(said)]
    subprocess.run([*command, text], check=True, timeout=120, stdout=subprocess.DEVNULL)
    np.testing.assert_array_equal(soundfile.read(said)[0], soundfile.read(tmp_path / "out.wav")[0])


def test_a_killed_daemon_is_missed_and_misses_nothing(tmp_path: Path, broker: Broker, untrained: Path) -> None:
    """After a kill the broker publishes the last will; what is said meanwhile is spoken by the next start. The volume
    that was set is still set after a restart."""
    config = write_config(tmp_path, untrained, broker.port, "killed")
    with Ear(broker, "edge-tts/killed") as ear:
        with daemon(config) as process:
            ear.wait_topic("status", "online")
            ear.publish("volume/set", "30")
            ear.wait_state(volume=30.0)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=WAIT_S)
        ear.messages.clear()
        with daemon(config):
            ear.wait_topic("status", "online")
            assert ear.wait_state(volume=30.0)
        ear.wait_topic("status", "offline")
        ear.publish("say", {"id": "missed", "text": "Still here."})
        with daemon(config):
            ear.wait_event(id="missed", stage="done")


def test_a_word_is_mended_while_the_daemon_runs(tmp_path: Path, broker: Broker, untrained: Path) -> None:
    """`lexicon/set` is answered with phonemes and spoken back; the command line's change is seen without a restart."""
    config = write_config(tmp_path, untrained, broker.port, "mended")
    with Ear(broker, "edge-tts/mended") as ear, daemon(config, NOTIFY_SOCKET="@none", WATCHDOG_USEC="200000"):
        ear.wait_topic("status", "online")
        ear.publish("lexicon/set", {"id": "a", "word": "Aoife", "pronunciation": "EE fa"})
        assert ear.wait_event(id="a", stage="done")["details"]["phonemes"] == "IY1 F AH0"
        ear.wait_for(lambda: [e for e in ear.events() if e["id"] != "a" and e["stage"] == "done"])
        assert {e["details"]["kind"] for e in ear.events() if e["id"] != "a"} == {"lexicon"}
        command = [sys.executable, "-m", "edge_tts", "lexicon", "remove", "-c", str(config), "Aoife"]
        subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL)
        ear.wait_for(lambda: '"words": {}' in ear.on("lexicon")[-1] or '"words":{}' in ear.on("lexicon")[-1])


def test_a_stop_is_orderly_as_soon_as_there_is_something_to_lose(
    tmp_path: Path, untrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages may come in before all parts are up: a SIGTERM at that moment lets the start end, and then everything be
    stopped in order, so that what was set by them is kept."""
    ended: list[bool] = []

    @contextmanager
    def started(config: Config, model: ModelSet, surroundings: Surroundings) -> Iterator[SimpleNamespace]:
        surroundings.loaded()  # what serves messages comes next
        os.kill(os.getpid(), signal.SIGTERM)
        yield SimpleNamespace(poll=list)
        ended.append(True)

    monkeypatch.setattr("edge_tts.app.daemon.Appliance", started)
    monkeypatch.setattr("edge_tts.app.daemon.die_of_signal", lambda *_: pytest.fail("it left at once"))
    config = load_config(write_config(tmp_path, untrained, free_port(), "hasty"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    umask = os.umask(0o022)
    try:
        assert run(config) == 0
    finally:
        os.umask(umask)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert ended == [True]


def test_what_the_daemon_writes_is_for_its_own_account(tmp_path: Path, broker: Broker, untrained: Path) -> None:
    """Recordings, requests, settings, and the bucket that is a folder: also where the folder above is open to all."""
    state = tmp_path / ".state"
    state.mkdir(mode=0o755)
    for name in ("bucket", "voices"):
        (state / name).mkdir(mode=0o755)
    open_store(state / "voices", device="private").add(new_voice())
    config = write_config(tmp_path, untrained, broker.port, "private")
    before, umask = {state, *state.rglob("*")}, os.umask(0o022)
    try:
        with Ear(broker, "edge-tts/private") as ear, daemon(config) as process:
            ear.wait_topic("status", "online")
            ear.publish("volume/set", "30")
            ear.wait_state(volume=30.0)
            ear.publish("say", {"id": "a", "text": "Hello."})
            ear.wait_event(id="a", stage="done")
            assert ear.wait_for(lambda: any('"sent": 4' in fact for fact in ear.on("voices")))
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=WAIT_S)
    finally:
        os.umask(umask)
    new = {path for path in [tmp_path / "out.wav", *state.rglob("*")] if path not in before}
    assert {"out.wav", "settings.json", "card"} <= {path.name for path in new}
    assert not [path for path in new if path.stat().st_mode & 0o077]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"models": {"dir": "elsewhere"}}, "no model set 'starter' in "),
        ({"voice": "nobody"}, "no voice 'nobody'; it has: default"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(
    tmp_path: Path, untrained: Path, change: dict[str, object], named: str
) -> None:
    """A wrong configuration ends with status 1 and one line that names the problem, not with a traceback."""
    config = write_config(tmp_path, untrained, free_port(), "wrong", **change)
    with daemon(config) as process:
        _, log = process.communicate(timeout=120)
    assert process.returncode == 1
    assert named in log
    assert "Traceback" not in log


def test_a_damaged_graph_stops_the_start(tmp_path: Path, untrained: Path) -> None:
    """A file that differs from the manifest is found before anything is loaded."""
    models = tmp_path / "models"
    shutil.copytree(untrained, models)
    graph = models / "untrained" / "wave.onnx"
    data = bytearray(graph.read_bytes())
    data[1000] ^= 1
    graph.write_bytes(data)
    with daemon(write_config(tmp_path, models, free_port(), "damaged")) as process:
        _, log = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "wave.onnx: is damaged" in log


def test_a_second_daemon_of_the_same_state_is_refused(tmp_path: Path, untrained: Path, broker: Broker) -> None:
    """It ends at once and names the first one's pid; the first serves on."""
    config = write_config(tmp_path, untrained, broker.port, "shared")
    with Ear(broker, "edge-tts/shared") as ear, daemon(config) as first:
        ear.wait_topic("status", "online")
        with daemon(config) as second:
            assert second.wait(WAIT_S) == 1
            assert second.stderr is not None
            assert f"another daemon (pid {first.pid}) uses {tmp_path}/.state" in second.stderr.read()
        assert first.poll() is None
