"""What tools/demo shows once everything is installed: a broker, the daemon, sentences, their receipts."""

from __future__ import annotations

import argparse
import json
import os
import queue
import shlex
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import yaml
from paho.mqtt.enums import CallbackAPIVersion

from edge_tts.audio.devices import has_loudspeaker
from edge_tts.durable.atomic import replacing
from tools.environment import ROOT, find_program, say
from tools.machine_load import MachineLoad, load_average, load_between, read_ticks

SENTENCES = {
    "en": "Good evening. The kettle has boiled, and it is 7 degrees outside.",
    "zh": "晚上好。水烧开了，外面7度。",
}
"""What is said without a text, by language."""
STATE = ROOT / ".state"
SOUND = STATE / "demo.wav"
BASE = "edge-tts/demo"
LOAD_S, SPEAK_S = 600.0, 600.0
"""How long loading and speaking may take before the demo gives up: minutes on the slowest board."""

Heard = queue.Queue[tuple[str, bytes]]
"""Topic below the device's own, payload."""


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def main() -> int:
    arguments = _arguments()
    try:
        with ExitStack() as stack:
            return demonstrate(arguments, stack)
    except DemoError as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def demonstrate(arguments: argparse.Namespace, stack: ExitStack) -> int:
    """The whole show; `stack` stops what it starts, in reverse."""
    STATE.mkdir(exist_ok=True)
    print("2. a model set", flush=True)
    models, name = model_set()
    wav = Path(arguments.wav) if arguments.wav else None if has_loudspeaker() else SOUND
    say(f"the sound goes {f'into {wav}' if wav else 'to the loudspeaker'}")
    print("3. a broker and the daemon", flush=True)
    port = free_port()
    mosquitto = stack.enter_context(broker(port))
    say(f"mosquitto listens on 127.0.0.1:{port}")
    daemon = stack.enter_context(speaking_daemon(port, models, name, SOUND if wav else None))
    client, heard = stack.enter_context(listening(port, mosquitto))
    began = time.monotonic()
    wait_until_online(daemon, heard)
    say(f"the daemon is up after {time.monotonic() - began:.1f} s")
    ours = [os.getpid(), mosquitto.pid, daemon.pid]
    before = read_ticks(ours)
    said = [speak(client, daemon, heard, text, arguments.voice) for text in texts(arguments.text, models / name)]
    ended_well = all(said)
    print(remark(load_between(before, read_ticks(ours), load_average())), end="")
    if ended_well and wav:
        put(wav)
        print(f"\nThe speech is in {wav}")
    if arguments.keep and ended_well:
        keep(port, daemon, heard, spoken=lambda: put(wav) if wav else None)
    return 0 if ended_well else 1


def texts(given: str | None, model: Path) -> list[str]:
    """What is said: the text that was given, else a sentence in each language of the set."""
    if given is not None:
        return [given]
    languages = json.loads((model / "manifest.json").read_text(encoding="utf-8"))["languages"]
    return [sentence for language, sentence in SENTENCES.items() if language in languages]


def speak(client: paho.Client, daemon: subprocess.Popen[bytes], heard: Heard, text: str, voice: str | None) -> bool:
    """Publish a text and print what comes back; True when it was spoken to its end."""
    print(f"4. publish to {BASE}/say: {text}", flush=True)
    request_id = f"demo-{uuid.uuid4().hex[:8]}"  # one id is spoken once, also by the next daemon
    request = {"id": request_id, "text": text, **({"voice": voice} if voice else {})}
    client.publish(f"{BASE}/say", json.dumps(request, ensure_ascii=False), qos=1)
    return show_receipts(daemon, heard, request_id)


def remark(load: MachineLoad) -> str:
    """A line where others had so much of the machine that the figure above says nothing of it, else nothing."""
    if not load.too_busy:
        return ""
    return f"NOTE: {load}: too much for this figure to mean anything. Try it on a quiet machine.\n"


def put(wav: Path) -> None:
    """The sound so far as the file that was asked for. Until something was spoken, what was there stays."""
    if wav == SOUND:
        return
    try:
        with replacing(wav) as beside:
            shutil.copyfile(SOUND, beside)
    except OSError as refused:
        raise DemoError(f"{wav}: cannot be written ({refused.strerror}); the speech is in {SOUND}") from refused


def model_set() -> tuple[Path, str]:
    """Folder and name of the set that speaks: the starter voice, or else one with untrained weights made here."""
    if (ROOT / "models" / "starter" / "manifest.json").exists():
        say("the starter voice, models/starter")
        return ROOT / "models", "starter"
    models = STATE / "models"
    if not (models / "untrained" / "manifest.json").exists():
        say("models/starter is not there: converting a small checkpoint with made-up weights")
        command = [sys.executable, "-m", "tools.demo_model", str(models / "untrained")]
        made = subprocess.run(command, cwd=ROOT, check=False)
        if made.returncode:
            raise DemoError("the model set could not be made")
    say("NOTE: these weights are random, not trained: what you will hear is noise, not speech")
    return models, "untrained"


def free_port() -> int:
    """A loopback TCP port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def broker(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A real mosquitto on that port until the block ends."""
    program = find_program("mosquitto")
    if program is None:
        raise DemoError("mosquitto is not installed")
    STATE.mkdir(exist_ok=True)
    settings = STATE / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with (STATE / "mosquitto.log").open("w") as log:
        process = subprocess.Popen([program, "-c", str(settings)], stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def speaking_daemon(port: int, models: Path, name: str, wav: Path | None) -> Iterator[subprocess.Popen[bytes]]:
    """`edge-ttsd run` with a configuration of its own."""
    audio = {"output": "file", "file": str(wav)} if wav else {"output": "speaker"}
    settings = STATE / "demo.yaml"
    settings.write_text(
        yaml.safe_dump(
            {
                "device": "demo",
                "mqtt": {"host": "127.0.0.1", "port": port},
                "models": {"dir": str(models), "name": name},
                "audio": audio,
            }
        )
    )
    command = [sys.executable, "-m", "edge_tts", "run", "-c", str(settings)]
    with (STATE / "demo.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def listening(port: int, mosquitto: subprocess.Popen[bytes]) -> Iterator[tuple[paho.Client, Heard]]:
    """A client that puts whatever the device publishes into a queue."""
    heard: Heard = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/#", qos=1)
    client.on_message = lambda _, __, message: heard.put((below_base(message.topic), bytes(message.payload)))
    while True:
        try:
            client.connect("127.0.0.1", port)
            break
        except ConnectionRefusedError:
            if mosquitto.poll() is not None:
                raise DemoError(f"mosquitto did not start; see {STATE / 'mosquitto.log'}") from None
            time.sleep(0.05)
    client.loop_start()
    try:
        yield client, heard
    finally:
        client.disconnect()
        client.loop_stop()


def below_base(topic: str) -> str:
    """`events` for `edge-tts/demo/events`."""
    return topic.removeprefix(f"{BASE}/")


def wait_until_online(daemon: subprocess.Popen[bytes], heard: Heard) -> None:
    """Until the daemon has loaded its networks and says so."""
    for topic, payload in messages(daemon, heard, LOAD_S, "loading the networks"):
        if (topic, payload) == ("status", b"online"):
            return


def show_receipts(daemon: subprocess.Popen[bytes], heard: Heard, request_id: str) -> bool:
    """Print each report on our request, what an earlier one has said left out; True when it was spoken to its end."""
    printed: dict[str, Any] = {}
    for topic, payload in messages(daemon, heard, SPEAK_S, "thinking"):
        if topic != "events":
            continue
        report = json.loads(payload)
        if report["id"] != request_id:
            continue
        print(f"   {report['stage']:12} {report['ms']:8.0f} ms  {details_of(report, printed)}", flush=True)
        if report["stage"] == "done":
            numbers = report["details"]
            print(
                f"\nreal-time factor {numbers['rtf'] or 0:.2f}: "
                f"{numbers['audio_s']:.1f} s of sound took {numbers['synthesis_s']:.1f} s to make"
            )
        if report["stage"] in ("done", "failed", "interrupted", "expired"):
            return bool(report["stage"] == "done")
    return False


def details_of(report: dict[str, Any], printed: dict[str, Any]) -> str:
    """A report's details in words, but for those in `printed`, where they are put."""
    if report["stage"] == "failed":
        return f"{report['details']['error']}: {report['details']['message']}"
    new = {key: value for key, value in report["details"].items() if (key, value) not in printed.items()}
    printed.update(new)
    return "  ".join(f"{key} {value}" for key, value in new.items())


def messages(
    daemon: subprocess.Popen[bytes], heard: Heard, limit_s: float, busy_with: str
) -> Iterator[tuple[str, bytes]]:
    """What the device publishes, with a sign of life while it publishes nothing. Raises DemoError when it died."""
    began = time.monotonic()
    while time.monotonic() - began < limit_s:
        if daemon.poll() is not None:
            tail = (STATE / "demo.log").read_text().strip().splitlines()[-8:]
            raise DemoError("\n".join(["the daemon ended:", *tail]))
        try:
            yield heard.get(timeout=2.0)
        except queue.Empty:
            say(f"... {busy_with} ({time.monotonic() - began:.0f} s)")
    raise DemoError(f"gave up {busy_with} after {limit_s:.0f} s; see {STATE / 'demo.log'}")


def keep(port: int, daemon: subprocess.Popen[bytes], heard: Heard, *, spoken: Callable[[], None]) -> None:
    """Stay up and print each report until Ctrl-C; `spoken` is called after each request that was."""
    message = shlex.quote("Hello from the other room.")
    print(f"\nIt stays up until Ctrl-C. Try:\n\n  mosquitto_pub -p {port} -t {BASE}/say -m {message}\n", flush=True)
    printed: dict[str, dict[str, Any]] = defaultdict(dict)
    while daemon.poll() is None:
        try:
            topic, payload = heard.get(timeout=1.0)
        except queue.Empty:
            continue
        if topic == "events":
            report = json.loads(payload)
            if report["stage"] == "done":
                spoken()
            details = details_of(report, printed[report["id"]])
            print(f"   {report['id']:12} {report['stage']:12} {report['ms']:8.0f} ms  {details}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--text")
    parser.add_argument("--wav")
    parser.add_argument("--voice")
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
