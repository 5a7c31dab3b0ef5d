"""tools/enroll_button as it is used by hand, with a real broker; the daemon is played by the test."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
from pathlib import Path

import yaml
from broker import Broker, Ear
from fakes import WAIT_S
from rig import make_runtime

from edge_tts.errors import PayloadError
from edge_tts.front_doors.payloads import EnrolPayload
from edge_tts.front_doors.press_socket import PressSocket

ROOT = Path(__file__).resolve().parent.parent


def test_enter_begins_and_gets_on(tmp_path: Path, broker: Broker) -> None:
    """Away from the daemon the first Enter asks for an enrolment with the given name, which takes a press there; while
    it is under way the next one is a press; each step and the end are shown."""
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"device": "by-hand", "mqtt": {"host": "127.0.0.1", "port": broker.port}}))
    command = [sys.executable, "-m", "tools.enrolling", "-c", str(config), "--name", "Anna", "--language", "en"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, Ear(broker, "edge-tts/by-hand") as ear:
        assert "Enter" in process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        assert "ask for a press" in process.stdout.readline()
        request = json.loads(ear.wait_topic("enroll"))
        assert (request["name"], request["language"]) == ("Anna", "en")
        ear.publish("enrolment", {"step": "recording", "id": request["id"], "name": "Anna"}, retain=True)
        assert "RECORDING" in process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        assert ear.wait_topic("enroll/press") == ""
        ear.publish("events", {"id": request["id"], "stage": "done", "ms": 1, "details": {"voice": "0123"}})
        assert process.stdout.readline() == "done: 0123\n"
        process.stdin.close()
        assert process.wait(WAIT_S) == 0


def test_enter_beside_the_daemon_is_a_press_at_the_device(tmp_path: Path, broker: Broker) -> None:
    """Where the daemon's socket is each Enter goes through it, with the name, not over MQTT; a refusal is shown."""
    pressed: queue.Queue[EnrolPayload] = queue.Queue()

    def press(payload: EnrolPayload) -> None:
        pressed.put(payload)
        if pressed.qsize() > 1:
            raise PayloadError("not in that language")

    config = tmp_path / "config.yaml"
    keys = {"device": "beside", "mqtt": {"host": "127.0.0.1", "port": broker.port}, "state_dir": "state"}
    config.write_text(yaml.safe_dump(keys))
    command = [sys.executable, "-m", "tools.enrolling", "-c", str(config), "--name", "Anna"]
    socket = PressSocket(runtime=make_runtime(), folder=tmp_path / "state", press=press)
    with socket, Ear(broker, "edge-tts/beside") as ear:
        done = subprocess.run(command, cwd=ROOT, input="\n\n", capture_output=True, text=True, timeout=120, check=False)
        assert [pressed.get(timeout=WAIT_S).name for _ in range(2)] == ["Anna", "Anna"]
        assert "refused: not in that language" in done.stdout
        assert not ear.on("enroll")
        assert not ear.on("enroll/press")
