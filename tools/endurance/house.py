"""A house to live and die in: a real broker, the shipped daemon with the shipped voice, a client that keeps count."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from tools.environment import ROOT

BASE = "edge-tts/soak"
TOPICS = ("status", "events", "voices")
CLOSING = {"done", "interrupted", "expired", "failed"}
SETS = ("starter", "other")
"""Two model sets of the same networks, to change between."""


@dataclass
class Traffic:
    """What was sent and what came of it. Written by the client's thread."""

    open: set[str] = field(default_factory=set)
    """Requests without a closing report."""
    closings: dict[str, list[str]] = field(default_factory=dict)
    """Request -> its closing reports, as they came."""
    sent: int = 0
    rubbish: int = 0
    online: bool = False
    voices: set[str] = field(default_factory=set)
    """Names of those that can speak."""

    def on_message(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        """Count reports; notice starts and deaths."""
        if message.topic.endswith("/status"):
            self.online = bytes(message.payload) == b"online"
            return
        report = json.loads(message.payload)
        if message.topic.endswith("/voices"):
            self.voices = {voice["name"] for voice in report["voices"]}
            return
        if report["stage"] in CLOSING:
            self.open.discard(report["id"])
            details = [report["details"][key] for key in ("error", "message") if key in report["details"]]
            self.closings.setdefault(report["id"], []).append(": ".join([report["stage"], *details]))

    def closed(self) -> dict[str, int]:
        """Closing report -> how many requests ended so."""
        counts: dict[str, int] = {}
        for reports in self.closings.values():
            how = ": ".join(reports[-1].split(": ")[:2])
            counts[how] = counts.get(how, 0) + 1
        return counts


def furnish(folder: Path, port: int, **keys: object) -> Path:
    """A configuration in `folder`, with two model sets; the loudspeaker is `out.wav`."""
    models = folder / "models"
    for name in SETS:
        shutil.copytree(ROOT / "models" / "starter", models / name)
        manifest = models / name / "manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "name": name}))
    settings = {
        "device": "soak",
        "mqtt": {"host": "127.0.0.1", "port": port},
        "models": {"dir": str(models), "name": "starter"},
        "audio": {"output": "file", "file": "out.wav"},
        "state_dir": str(folder / "state"),
        "voices": {"dir": str(folder / "voices")},
        "bucket": {"url": None},
        "log": {"level": "error"},
        **keys,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def command(config: Path, *words: str) -> list[str]:
    """`edge-ttsd` with these words."""
    return [sys.executable, "-m", "edge_tts", *words, "-c", str(config)]


@contextmanager
def daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`edge-ttsd run` until the block ends; its log is `log` beside the configuration."""
    with (config.parent / "log").open("ab") as log:
        process = subprocess.Popen(command(config, "run"), cwd=ROOT, stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def client(port: int, traffic: Traffic) -> Iterator[paho.Client]:
    """A connected client that keeps `traffic`."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(0)
    client.on_message = traffic.on_message
    client.on_connect = lambda client, *_: client.subscribe([(f"{BASE}/{topic}", 1) for topic in TOPICS])
    wait(lambda: _connects(client, port), 10.0, "the broker did not start")
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def send(client: paho.Client, topic: str, payload: str | bytes) -> paho.MQTTMessageInfo:
    """Publish to a topic of the device, at least once."""
    return client.publish(f"{BASE}/{topic}", payload, qos=1)


def say(client: paho.Client, traffic: Traffic, payload: dict[str, object]) -> str:
    """Send a request of its own id, which is returned."""
    traffic.sent += 1
    request_id = f"soak-{traffic.sent}"
    traffic.open.add(request_id)
    send(client, "say", json.dumps({**payload, "id": request_id}))
    return request_id


def wait(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    """Until it holds; ends the tool with `what` when it does not in time."""
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(what)
        time.sleep(0.05)


def _connects(client: paho.Client, port: int) -> bool:
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    return True
