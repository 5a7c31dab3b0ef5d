"""tools/enroll_button as it is used by hand, with a real broker; the daemon is played by the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml
from broker import Broker, Ear
from fakes import WAIT_S

ROOT = Path(__file__).resolve().parent.parent


def test_enter_begins_and_gets_on(tmp_path: Path, broker: Broker) -> None:
    """The first Enter asks for an enrolment with the given name; while it is under way the next one is a press; each
    step and the end are shown."""
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
