"""The shipped daemon dies without warning while people wait: a real process, a real SIGKILL, a real broker."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import soundfile
from broker import Broker, Ear
from daemon_process import daemon, write_config
from fakes import WAIT_S

pytestmark = pytest.mark.long
SETS = Path(__file__).resolve().parents[2] / "models"
CLOSING = {"done", "interrupted", "expired", "failed"}
LONG = "This is a very long story that takes a while to tell. " * 30


def configured(folder: Path, broker: Broker, device: str) -> Path:
    """A daemon with the shipped voice."""
    return write_config(folder, SETS, broker.port, device, models={"dir": str(SETS), "name": "starter"})


def kill(process: subprocess.Popen[str], ear: Ear) -> None:
    """Without warning; returns when the broker knows."""
    process.kill()
    process.wait(WAIT_S)
    ear.wait_topic("status", "offline")


def stages(events: list[dict[str, Any]], name: str) -> list[str]:
    return [event["stage"] for event in events if event["id"] == name]


def test_a_kill_loses_nothing_that_was_accepted(tmp_path: Path, broker: Broker) -> None:
    """Killed with one request in service and three queued, the next start speaks all four in their order; over both
    runs each is closed once, and answered where it was asked. A duplicate is dropped."""
    config, names = configured(tmp_path, broker, "dying"), ["current", "first", "second", "last"]
    priorities = {"last": "low"}
    with Ear(broker, "edge-tts/dying") as ear:
        with daemon(config) as process:
            ear.wait_topic("status", "online")
            ear.publish("pause")
            ear.wait_state(paused=True)
            for name in (names[0], names[3], *names[1:3]):
                payload = {"id": name, "text": f"The {name} one.", "priority": priorities.get(name, "normal")}
                ear.publish("say", payload, ResponseTopic="answers/edge-tts/dying", CorrelationData=name.encode())
                ear.wait_event(id=name, stage="accepted")
            ear.wait_event(id="current", stage="started")
            kill(process, ear)
        first_run = ear.events()
        assert not CLOSING & {event["stage"] for event in first_run}
        with daemon(config) as process:
            done = [ear.wait_event(id=name, stage="done") for name in names]
            ear.publish("say", {"id": "first", "text": "The first one."})
            ear.publish("say", {"id": "after", "text": "Afterwards."})
            done.append(ear.wait_event(id="after", stage="done"))
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=WAIT_S)
    second_run = ear.events()[len(first_run) :]
    assert [event["id"] for event in second_run if event["stage"] == "started"] == [*names, "after"]
    for name in names:
        assert stages(second_run, name) == ["accepted", "started", "first_audio", "done"]
    answers = [(report["id"], correlation) for report, correlation in ear.replies if report["stage"] in CLOSING]
    assert answers == [(name, name.encode()) for name in names]
    sound = soundfile.info(tmp_path / "out.wav")
    seconds = sum(event["details"]["audio_s"] for event in done)
    assert abs(sound.duration - seconds) < 0.1
    assert list((tmp_path / ".state" / "jobs").iterdir()) == []


def test_a_request_that_the_daemon_dies_of_is_given_up(tmp_path: Path, broker: Broker) -> None:
    """Two kills in the middle of one request: the third start closes it by name and speaks what waited behind it."""
    config = configured(tmp_path, broker, "deadly")
    with Ear(broker, "edge-tts/deadly") as ear:
        for run in (1, 2):
            with daemon(config) as process:
                ear.wait_topic("status", "online")
                if run == 1:
                    ear.publish("say", {"id": "deadly", "text": LONG})
                    ear.publish("say", {"id": "harmless", "text": "Good morning."})
                    ear.wait_event(id="harmless", stage="accepted")
                ear.wait_event(id="deadly", stage="started")
                kill(process, ear)
            ear.messages.clear()
        with daemon(config):
            ear.wait_event(id="harmless", stage="done")
        assert stages(ear.events(), "deadly") == ["failed"]
        assert ear.wait_event(id="deadly")["details"]["error"] == "AbandonedError"


def test_what_was_set_outlives_a_kill(tmp_path: Path, broker: Broker) -> None:
    """A volume is on disk before its message is acknowledged: killed right after the next one has been answered, the
    daemon comes back with it."""
    config = configured(tmp_path, broker, "set")
    with Ear(broker, "edge-tts/set") as ear:
        with daemon(config) as process:
            ear.wait_topic("status", "online")
            ear.publish("volume/set", 30)
            ear.publish("volume/set", "loud")  # refused, and so answered, after the first was carried out
            ear.wait_event(stage="failed")
            kill(process, ear)
        ear.messages.clear()
        with daemon(config):
            ear.wait_state(volume=30.0)
