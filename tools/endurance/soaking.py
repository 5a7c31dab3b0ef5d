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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho

from tools.demonstration import broker, free_port
from tools.endurance import house
from tools.endurance.house import Traffic
from tools.endurance.killing import kill_often

MOST_OPEN = 12
"""Requests that may be open at once; more wait until some are closed."""
START_S, CHECK_S = 120.0, 60.0
SHARES = {"say": 60, "ssml": 6, "rubbish": 20, "volume": 4, "pause": 4, "stop": 3, "enroll": 2, "model": 1}
"""How often each kind of step is drawn, in percent."""
WORDS = "the kettle has boiled dinner is ready a window in kitchen open somebody at front door it rains".split()
COMMANDS = ("say", "stop", "skip", "pause", "resume", "volume/set", "voice/set", "enroll")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process holds at one moment."""

    minute: float
    rss_mb: float
    threads: int
    descriptors: int
    gpu_mb: float | None = None


def main() -> int:
    arguments = _arguments()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
        port, traffic = free_port(), Traffic()
        stack.enter_context(broker(port))
        for _ in range(arguments.busy):
            stack.enter_context(_busy_loop())
        if arguments.kills:
            verdict = kill_often(folder, port, kills=arguments.kills, seed=arguments.seed, traffic=traffic)
            print(verdict)
            return 1 if verdict.faults else 0
        daemon = stack.enter_context(house.daemon(house.furnish(folder, port)))
        client = stack.enter_context(house.client(port, traffic))
        house.wait(lambda: traffic.online, START_S, "the daemon did not start")
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
    shares = {kind: share for kind, share in SHARES.items() if kind not in arguments.without}
    while daemon.poll() is None and (elapsed := time.monotonic() - began) < 60 * arguments.minutes:
        if hostile and elapsed > 60 * arguments.minutes / 6:
            flood(client, traffic, draw, hostile)
            hostile = 0
        _step(client, traffic, draw, shares)
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
    return Sample(minute, int(status["VmRSS"].split()[0]) / 1024, int(status["Threads"]), descriptors, _gpu_mb(pid))


def _gpu_mb(pid: int) -> float | None:
    """Memory of a discrete GPU; None without one (a Jetson's is part of the resident memory)."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    rows = subprocess.run(query, capture_output=True, text=True, check=False).stdout.splitlines()
    used = dict(row.split(", ", 1) for row in rows if ", " in row).get(str(pid), "")
    return float(used) if used.isdigit() else None


def slope_mb_h(samples: list[Sample]) -> float:
    """Growth of the resident memory over the second half: the median of the slopes between all pairs (Theil and Sen),
    which the two sets in memory during a change do not bend."""
    later = samples[len(samples) // 2 :]
    if len(later) < 3:
        return float("nan")
    hours, rss = np.array([one.minute / 60 for one in later]), np.array([one.rss_mb for one in later])
    first, second = np.triu_indices(len(later), 1)
    return float(np.median((rss[second] - rss[first]) / (hours[second] - hours[first])))


def report(samples: list[Sample], traffic: Traffic) -> None:
    """The chart, and the figures in words."""
    print(chart([one.rss_mb for one in samples]))
    first, last = samples[len(samples) // 2], samples[-1]
    print(f"sent {traffic.sent} requests and {traffic.rubbish} messages of rubbish; closed: {traffic.closed()}")
    tenths = [min(one.rss_mb for one in part) for part in np.array_split(np.array(samples, dtype=object), 10)]
    print(f"lowest RSS in each tenth, MB: {', '.join(f'{low:.0f}' for low in tenths)}")
    print(f"slope of the second half: {slope_mb_h(samples):+.1f} MB/h")
    print(f"threads {first.threads} -> {last.threads}, descriptors {first.descriptors} -> {last.descriptors}")
    if first.gpu_mb is not None and last.gpu_mb is not None:
        print(f"GPU memory {first.gpu_mb:.0f} -> {last.gpu_mb:.0f} MB")


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


def _step(client: paho.Client, traffic: Traffic, draw: random.Random, shares: dict[str, int]) -> None:
    match draw.choices(tuple(shares), tuple(shares.values()))[0]:
        case "say":
            priority = draw.choice(("alert", "normal", "normal", "low"))
            house.say(client, traffic, {"text": _sentence(draw), "priority": priority})
        case "ssml":
            house.say(
                client, traffic, {"text": f"<speak>{_sentence(draw)}<break time='200ms'/>Yes.</speak>", "ssml": True}
            )
        case "rubbish":
            _rubbish(client, traffic, draw)
        case "volume":
            house.send(client, "volume/set", str(draw.randint(1, 100)))
        case "pause":
            house.send(client, "pause", "")
            house.send(client, "resume", "")
        case "stop":
            house.send(client, draw.choice(("stop", "skip")), "")
        case "enroll":
            house.send(client, "enroll", json.dumps({"name": f"Guest {draw.randint(1, 9)}", "language": "en"}))
            house.send(client, "stop", "")
        case "model":
            house.send(client, "models/activate", draw.choice(("starter", "other")))


def _sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(2, 25))).capitalize() + "."


def _rubbish(client: paho.Client, traffic: Traffic, draw: random.Random) -> paho.MQTTMessageInfo:
    traffic.rubbish += 1
    size = draw.choice((0, 1, 20, 300, 5000))
    payload = draw.choice((draw.randbytes(size), b'{"text": ' + draw.randbytes(size), b'{"text": "a", "speed": 99}'))
    return house.send(client, draw.choice(COMMANDS), payload)


def _settle(daemon: subprocess.Popen[bytes], traffic: Traffic) -> None:
    """Until some of the open requests are closed; what an earlier stop or restart has closed unseen is given up."""
    until = time.monotonic() + CHECK_S
    while len(traffic.open) > MOST_OPEN // 3 and time.monotonic() < until and daemon.poll() is None:
        time.sleep(0.05)
    if len(traffic.open) > MOST_OPEN // 3:
        traffic.open.clear()


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
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="kill the daemon N times and judge by ear")
    parser.add_argument("--without", nargs="*", default=[], choices=SHARES, help="kinds of steps that are left out")
    parser.add_argument("--pause-s", type=float, default=0.1, help="seconds between two steps (default: 0.1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
