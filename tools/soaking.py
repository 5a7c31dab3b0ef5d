"""Use the daemon for a long time and see what it keeps: memory, threads, descriptors.

A real broker and a real daemon with the shipped voice. Every step is drawn from the seed: sentences, SSML, stops,
pauses, volumes, enrolments that nobody agrees to, changes of the model set, rubbish. In the end a slope and a chart.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from tools.demonstration import broker, free_port
from tools.environment import ROOT

BASE = "edge-tts/soak"
MOST_OPEN = 12
"""Requests that may be open at once; more wait until some are closed."""
START_S, CHECK_S = 120.0, 60.0
SHARES = {"say": 60, "ssml": 6, "rubbish": 20, "volume": 4, "pause": 4, "stop": 3, "enroll": 2, "model": 1}
"""How often each kind of step is drawn, in percent."""
CLOSING = {"done", "interrupted", "expired", "failed"}
WORDS = "the kettle has boiled dinner is ready a window in kitchen open somebody at front door it rains".split()
COMMANDS = ("say", "stop", "skip", "pause", "resume", "volume/set", "voice/set", "enroll")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process holds at one moment."""

    minute: float
    rss_mb: float
    threads: int
    descriptors: int


@dataclass
class Traffic:
    """What was sent and what came of it."""

    open: set[str] = field(default_factory=set)
    closed: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    rubbish: int = 0
    online: bool = False

    def on_message(self, client: paho.Client, data: object, message: paho.MQTTMessage) -> None:
        """Count reports; notice the start."""
        if message.topic.endswith("/status"):
            self.online = bytes(message.payload) == b"online"
        elif message.topic.endswith("/events"):
            report = json.loads(message.payload)
            if report["stage"] in CLOSING:
                self.open.discard(report["id"])
                self.closed[report["stage"]] = self.closed.get(report["stage"], 0) + 1


def main() -> int:
    arguments = _arguments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        port = free_port()
        stack.enter_context(broker(port))
        daemon = stack.enter_context(_daemon(folder, port))
        traffic = Traffic()
        client = stack.enter_context(_client(port, traffic))
        for _ in range(arguments.busy):
            stack.enter_context(_busy_loop())
        _wait(lambda: traffic.online, START_S, "the daemon did not start")
        samples = soak(daemon, client, traffic, arguments)
        if daemon.poll() is not None:
            print(f"the daemon ended with status {daemon.returncode}; its log: {folder / 'log'}", file=sys.stderr)
            return 1
    report(samples, traffic)
    return 0


def soak(
    daemon: subprocess.Popen[bytes], client: paho.Client, traffic: Traffic, arguments: argparse.Namespace
) -> list[Sample]:
    """Send until the time is over; one sample every few seconds, taken while the daemon has little to do."""
    draw, began, samples, due = random.Random(arguments.seed), time.monotonic(), list[Sample](), 0.0
    hostile = arguments.hostile
    while daemon.poll() is None and (elapsed := time.monotonic() - began) < 60 * arguments.minutes:
        if hostile and elapsed > 60 * arguments.minutes / 3:
            flood(client, traffic, draw, hostile)
            hostile = 0
        _step(client, traffic, draw)
        if elapsed >= due:
            due += max(2.0, 60 * arguments.minutes / 300)
            samples.append(sample(daemon.pid, elapsed / 60))
        if len(traffic.open) >= MOST_OPEN:
            _settle(daemon, traffic)
        time.sleep(arguments.pause_s)
    return samples


def flood(client: paho.Client, traffic: Traffic, draw: random.Random, count: int) -> None:
    """Nothing but rubbish, as fast as the broker takes it."""
    for _ in range(count):
        info = _rubbish(client, traffic, draw)
        if traffic.rubbish % 500 == 0:
            info.wait_for_publish(60.0)


def sample(pid: int, minute: float) -> Sample:
    """What the kernel says of a process (proc(5)): resident MB, threads, open descriptors."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return Sample(minute, int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), descriptors)


def slope_mb_h(samples: list[Sample]) -> float:
    """Growth of the resident memory after the first third, by least squares."""
    later = samples[len(samples) // 3 :]
    if len(later) < 3:
        return float("nan")
    return float(np.polyfit([one.minute / 60 for one in later], [one.rss_mb for one in later], 1)[0])


def report(samples: list[Sample], traffic: Traffic) -> None:
    """The chart, and the figures in words."""
    print(chart([one.rss_mb for one in samples]))
    first, last = samples[len(samples) // 3], samples[-1]
    print(f"sent {traffic.sent} requests and {traffic.rubbish} messages of rubbish; closed: {traffic.closed}")
    print(f"RSS {first.rss_mb:.0f} MB after a third, {last.rss_mb:.0f} MB at the end: {slope_mb_h(samples):+.1f} MB/h")
    print(f"threads {first.threads} -> {last.threads}, descriptors {first.descriptors} -> {last.descriptors}")


def chart(values: list[float], *, width: int = 72, height: int = 12) -> str:
    """Values over time, one column per share of them, drawn with text."""
    columns = [float(np.mean(part)) for part in np.array_split(values, min(width, len(values)))]
    low, high = min(columns), max(columns)
    step = (high - low) / (height - 1) or 1.0
    levels = [round((value - low) / step) for value in columns]
    rows = []
    for level in reversed(range(height)):
        marks = "".join("*" if one == level else " " for one in levels)
        rows.append(f"{low + level * step:8.1f} |{marks}")
    return "\n".join(["RSS, MB", *rows])


def _step(client: paho.Client, traffic: Traffic, draw: random.Random) -> None:
    match draw.choices(tuple(SHARES), tuple(SHARES.values()))[0]:
        case "say":
            priority = draw.choice(("alert", "normal", "normal", "low"))
            _say(client, traffic, {"text": _sentence(draw), "priority": priority})
        case "ssml":
            _say(client, traffic, {"text": f"<speak>{_sentence(draw)}<break time='200ms'/>Yes.</speak>", "ssml": True})
        case "rubbish":
            _rubbish(client, traffic, draw)
        case "volume":
            _send(client, "volume/set", str(draw.randint(1, 100)))
        case "pause":
            _send(client, "pause", "")
            _send(client, "resume", "")
        case "stop":
            _send(client, draw.choice(("stop", "skip")), "")
        case "enroll":
            _send(client, "enroll", json.dumps({"name": f"Guest {draw.randint(1, 9)}", "language": "en"}))
            _send(client, "stop", "")
        case "model":
            _send(client, "models/activate", draw.choice(("starter", "other")))


def _sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(2, 25))).capitalize() + "."


def _say(client: paho.Client, traffic: Traffic, payload: dict[str, object]) -> None:
    traffic.sent += 1
    request_id = f"soak-{traffic.sent}"
    traffic.open.add(request_id)
    _send(client, "say", json.dumps({**payload, "id": request_id}))


def _rubbish(client: paho.Client, traffic: Traffic, draw: random.Random) -> paho.MQTTMessageInfo:
    traffic.rubbish += 1
    size = draw.choice((0, 1, 20, 300, 5000))
    payload = draw.choice((draw.randbytes(size), b'{"text": ' + draw.randbytes(size), b'{"text": "a", "speed": 99}'))
    return client.publish(f"{BASE}/{draw.choice(COMMANDS)}", payload, qos=1)


def _send(client: paho.Client, command: str, payload: str) -> None:
    client.publish(f"{BASE}/{command}", payload, qos=1)


def _settle(daemon: subprocess.Popen[bytes], traffic: Traffic) -> None:
    """Until some of the open requests are closed; what an earlier stop or restart has closed unseen is given up."""
    until = time.monotonic() + CHECK_S
    while len(traffic.open) > MOST_OPEN // 3 and time.monotonic() < until and daemon.poll() is None:
        time.sleep(0.05)
    if len(traffic.open) > MOST_OPEN // 3:
        traffic.open.clear()


def _wait(condition: object, timeout_s: float, what: str) -> None:
    assert callable(condition)
    until = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"soak: {what}")
        time.sleep(0.1)


@contextmanager
def _daemon(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    models = folder / "models"
    shutil.copytree(ROOT / "models" / "starter", models / "starter")
    shutil.copytree(ROOT / "models" / "starter", models / "other")
    manifest = models / "other" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "name": "other"}))
    settings = {
        "device": "soak",
        "mqtt": {"host": "127.0.0.1", "port": port},
        "models": {"dir": str(models), "name": "starter"},
        "audio": {"output": "file", "file": "out.wav"},
        "state_dir": str(folder / "state"),
        "voices": {"dir": str(folder / "voices")},
        "bucket": {"url": None},
        "log": {"level": "error"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "edge_tts", "run", "-c", str(folder / "config.yaml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _client(port: int, traffic: Traffic) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_queued_messages_set(0)
    client.on_message = traffic.on_message
    client.on_connect = lambda client, *_: client.subscribe([(f"{BASE}/status", 1), (f"{BASE}/events", 1)])
    _wait(lambda: _connects(client, port), 10.0, "the broker did not start")
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def _connects(client: paho.Client, port: int) -> bool:
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    return True


@contextmanager
def _busy_loop() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=1, help="what is drawn (default: 1)")
    parser.add_argument("--hostile", type=int, default=0, metavar="N", help="a flood of N messages of rubbish")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="N busy loops beside it")
    parser.add_argument("--pause-s", type=float, default=0.1, help="seconds between two steps (default: 0.1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
