"""The shipped daemon over a sound system that is broken or frozen: a real PulseAudio, a real asound.conf."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audio_server import AudioServer
from broker import Broker, Ear
from daemon_process import daemon, write_config
from fakes import WAIT_S

from tools.demo_model import write_untrained_set

STOP_S = 18.0
"""Bound of a stop in every case, with some seconds for a busy machine."""
LONG = "This is a sentence that goes on. " * 20


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    write_untrained_set(models / "untrained")
    return models


@pytest.fixture
def server(tmp_path: Path) -> Iterator[AudioServer]:
    folder = tmp_path / "server"
    folder.mkdir()
    with AudioServer(folder) as server:
        yield server
        server.thaw()


def wait_loudspeaker(ear: Ear, status: str) -> dict[str, Any]:
    """The health of the loudspeaker, once it is `status`."""

    def found() -> dict[str, Any] | None:
        seen = [json.loads(payload)["health"]["loudspeaker"] for payload in ear.on("state")][-1:]
        return seen[0] if seen and seen[0]["status"] == status else None

    health = ear.wait_for(found)
    assert health, f"the loudspeaker never was {status}: {ear.on('state')[-3:]}"
    health_of: dict[str, Any] = health
    return health_of


def end(process: subprocess.Popen[str]) -> tuple[float, str]:
    """SIGTERM: the seconds until it has ended, and its log."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=WAIT_S)
    return time.monotonic() - began, log


def test_a_sound_server_that_freezes_in_mid_sentence(
    tmp_path: Path, server: AudioServer, broker: Broker, untrained: Path
) -> None:
    """The request fails, the state says `stuck` and since when; once the server goes on the state is well by itself,
    and the next request is spoken."""
    audio = {"output": "speaker", "device": "loudspeaker"}
    config = write_config(tmp_path, untrained, broker.port, "frozen", audio=audio)
    with Ear(broker, "edge-tts/frozen") as ear, daemon(config, **server.environment) as process:
        assert wait_loudspeaker(ear, "ok")["since"] is None
        ear.publish("say", {"id": "a", "text": LONG})
        ear.wait_event(id="a", stage="first_audio")
        server.freeze()
        assert ear.wait_event(id="a", stage="failed")["details"]["error"] == "AudioError"
        health = wait_loudspeaker(ear, "stuck")
        assert "does not answer" in health["why"]
        assert health["since"].endswith("+00:00")
        server.thaw()
        wait_loudspeaker(ear, "ok")
        ear.publish("say", {"id": "b", "text": "Hello."})
        ear.wait_event(id="b", stage="done")
        seconds, log = end(process)
    assert process.returncode == 0, log
    assert "the loudspeaker is stuck" in log
    assert "pactl info" in log
    assert seconds < STOP_S


@pytest.mark.parametrize("moment", ["in mid-sentence", "once it is known to be stuck", "idle and open"])
def test_a_stop_is_bounded_over_a_frozen_sound_server(
    tmp_path: Path, server: AudioServer, broker: Broker, untrained: Path, moment: str
) -> None:
    """SIGTERM ends the process in time while the driver holds its thread for good."""
    audio = {"output": "speaker", "device": "loudspeaker", "keep_open": True}
    config = write_config(tmp_path, untrained, broker.port, "stop", audio=audio)
    with Ear(broker, "edge-tts/stop") as ear, daemon(config, **server.environment) as process:
        ear.wait_topic("status", "online")
        text = "Hello." if moment == "idle and open" else LONG
        ear.publish("say", {"id": "a", "text": text})
        ear.wait_event(id="a", stage="done" if moment == "idle and open" else "first_audio")
        server.freeze()
        if moment == "once it is known to be stuck":
            wait_loudspeaker(ear, "stuck")
        seconds, log = end(process)
        ear.wait_topic("status", "offline")
    assert process.returncode == 0, log
    assert seconds < STOP_S, log
    assert "Traceback" not in log


@pytest.fixture
def broken_alsa(tmp_path: Path) -> Path:
    """An asound.conf with one missing brace."""
    path = tmp_path / "asound.conf"
    path.write_text("pcm.!default { type plug slave.pcm { type hw card 0 }\n")
    return path


def test_a_broken_asound_conf_costs_only_the_sound(
    tmp_path: Path, broken_alsa: Path, broker: Broker, untrained: Path
) -> None:
    """The request fails by name, the state and one WARNING say why and what to do, and the daemon lives."""
    config = write_config(tmp_path, untrained, broker.port, "conf", audio={"output": "speaker"})
    environment = {"ALSA_CONFIG_PATH": str(broken_alsa)}
    with Ear(broker, "edge-tts/conf") as ear, daemon(config, **environment) as process:
        ear.wait_topic("status", "online")
        for name in ("a", "b"):
            ear.publish("say", {"id": name, "text": "Hello."})
            assert ear.wait_event(id=name, stage="failed")["details"]["error"] == "AudioError"
        wait_loudspeaker(ear, "failing")
        _, log = end(process)
    assert process.returncode == 0, log
    assert log.count("the loudspeaker is failing") == 1
    assert "Traceback" not in log


@pytest.mark.parametrize("command", [["doctor", "--quick"], ["say", "Hello."]], ids=["doctor", "say"])
def test_commands_name_a_broken_asound_conf(
    tmp_path: Path, broken_alsa: Path, untrained: Path, command: list[str]
) -> None:
    """No traceback, and the sound system is named."""
    config = write_config(tmp_path, untrained, 9, "conf", audio={"output": "speaker"})
    done = subprocess.run(
        [sys.executable, "-m", "edge_tts", command[0], "-c", str(config), *command[1:]],
        env={**os.environ, "ALSA_CONFIG_PATH": str(broken_alsa)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "sound system" in done.stdout + done.stderr or "loudspeaker" in done.stdout + done.stderr


@pytest.mark.parametrize("moment", ["before it plays", "in mid-sentence"])
def test_say_ends_over_a_frozen_sound_server(tmp_path: Path, server: AudioServer, untrained: Path, moment: str) -> None:
    """The command line says that the loudspeaker does not answer and ends, though the driver holds its thread."""
    config = write_config(tmp_path, untrained, 9, "say", audio={"output": "speaker", "device": "loudspeaker"})
    command = [sys.executable, "-m", "edge_tts", "say", "-c", str(config), LONG]
    with server.hearing() as hearing:
        if moment == "before it plays":
            server.freeze()
        with subprocess.Popen(command, env=server.environment, stderr=subprocess.PIPE, text=True) as process:
            if moment == "in mid-sentence":
                hearing.wait_sound()
                server.freeze()
            _, errors = process.communicate(timeout=10 * WAIT_S)
        server.thaw()
    assert process.returncode == 1
    assert "does not answer" in errors
    assert "Traceback" not in errors
