"""A real Home Assistant finds the real daemon over a real broker: what its user sees and does is checked step by step.

Home Assistant needs Python 3.13 (`--python`) and, the first time, PyPI. Where one of them cannot be had, the check is
SKIPPED, with status 0.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

from tools.environment import ROOT, find_program, say

PARTS = ROOT / "tools" / "home_assistant"
VENV = ROOT / ".state" / "home-assistant"
CONSENT = ROOT / "tests" / "spoken" / "consent-slt.flac"
CONSENT_TEXT = "I agree that this device may speak with my voice. My name is Anna."
WAIT_S = 120.0
"""For whatever has to happen, on a busy machine, too."""
ENTITIES = {
    "notify.edge_tts_check",
    "select.edge_tts_check_voice",
    "number.edge_tts_check_volume",
    "button.edge_tts_check_stop",
    "button.edge_tts_check_skip",
    "switch.edge_tts_check_pause",
    "event.edge_tts_check_receipt",
    "sensor.edge_tts_check_queue",
    "sensor.edge_tts_check_real_time_factor",
    "sensor.edge_tts_check_health_loudspeaker",
    "sensor.edge_tts_check_health_microphone",
    "sensor.edge_tts_check_health_sync",
    "binary_sensor.edge_tts_check_microphone",
    "update.edge_tts_check_model_set",
}


class SkipError(Exception):
    """Home Assistant cannot be had here; the message says why."""


class CheckError(Exception):
    """Something is not as it should be."""


def main() -> int:
    arguments = _arguments()
    try:
        python = arguments.python or find_python()
        install(python)
        with tempfile.TemporaryDirectory(prefix="home-assistant-") as folder, ExitStack() as stack:
            stack.push(partial(show_logs, Path(folder)))
            check(Path(folder), stack)
    except SkipError as reason:
        print(f"SKIPPED: nothing was checked with Home Assistant: {reason}")
    except CheckError as wrong:
        print(f"FAILED: {wrong}", file=sys.stderr)
        return 1
    else:
        print("Home Assistant finds, commands and understands the device")
    return 0


def show_logs(folder: Path, *exception: object) -> None:
    """What the programs said, if something was wrong."""
    for log in sorted(folder.glob("*.log")) if isinstance(exception[1], CheckError) else ():
        print(f"== {log.name}", *log.read_text().splitlines()[-20:], sep="\n", file=sys.stderr)


def check(folder: Path, stack: ExitStack) -> None:
    """Every step."""
    port = free_port()
    stack.enter_context(broker(folder, port))
    stack.enter_context(home_assistant(folder, port))
    user = User(folder / "remote")
    models = folder / "models"
    models.mkdir()
    (models / "starter").symlink_to(ROOT / "models" / "starter")
    with daemon(folder, port) as process:
        found(user)
        settings(user)
        speaking(user, folder)
        receipts(user)
        pausing(user)
        new_voice(user, folder)
        new_model_set(user, models)
        process.kill()  # the broker publishes the last will
        user.wait("killed, it is unavailable", lambda: user.unavailable())
    with daemon(folder, port) as process:
        user.wait("started again, it is there", lambda: not user.unavailable())
        process.send_signal(signal.SIGTERM)
        user.wait("stopped in order, it is unavailable", lambda: user.unavailable())
    with daemon(folder, port, enabled=False):
        user.wait("switched off, its entities are gone", lambda: not user.ours())
    complaints = [
        line for line in (folder / "home-assistant.log").read_text().splitlines() if "components.mqtt" in line
    ]
    if complaints:
        raise CheckError("Home Assistant complains:\n" + "\n".join(complaints))


def found(user: User) -> None:
    user.wait("its entities are there", lambda: user.ours().keys() >= ENTITIES and not user.unavailable())
    user.wait("loudspeaker: ok", lambda: user.state("sensor.edge_tts_check_health_loudspeaker") == "ok")
    user.wait("microphone: closed", lambda: user.state("binary_sensor.edge_tts_check_microphone") == "off")
    user.wait("model set: up to date", lambda: user.state("update.edge_tts_check_model_set") == "off")


def settings(user: User) -> None:
    user.call("select.select_option", "select.edge_tts_check_voice", option="Sally")
    user.wait("the voice changes", lambda: user.state("select.edge_tts_check_voice") == "Sally")
    user.call("number.set_value", "number.edge_tts_check_volume", value=40)
    user.wait("the volume changes", lambda: user.state("number.edge_tts_check_volume") == "40.0")


def speaking(user: User, folder: Path) -> None:
    user.notify("The washing machine has finished.")
    user.wait("an announcement is done", lambda: user.receipt() == "done")
    samples, rate = soundfile.read(folder / "out.wav", dtype="float32")
    loudness = float(np.sqrt(np.mean(samples**2)))
    say(f"heard: {len(samples) / rate:.1f} s, RMS {loudness:.3f}, receipt {user.receipt_details()}")
    if len(samples) < rate or loudness < 0.005:
        raise CheckError("the announcement was not heard")
    user.wait("the real-time factor is known", lambda: float(user.state("sensor.edge_tts_check_real_time_factor")) > 0)


def receipts(user: User) -> None:
    long = "It goes on and on, about the weather, the garden, the neighbours and the shopping. " * 10
    user.notify(long)
    user.call("button.press", "button.edge_tts_check_stop")
    user.wait("a stop interrupts", lambda: user.receipt() == "interrupted")
    user.notify("unavailable")
    user.wait("a refused text has failed", lambda: user.receipt() == "failed")
    user.notify(json.dumps({"text": long, "id": "skipped", "priority": "alert"}))
    user.call("button.press", "button.edge_tts_check_skip")
    user.wait(
        "a JSON object is a request, too, and a skip interrupts it",
        lambda: user.receipt_details().get("id") == "skipped",
    )


def pausing(user: User) -> None:
    for action, shown in (("switch.turn_on", "on"), ("switch.turn_off", "off")):
        user.call(action, "switch.edge_tts_check_pause")
        user.wait(f"pause: {shown}", lambda shown=shown: user.state("switch.edge_tts_check_pause") == shown)  # type: ignore[misc]


def new_voice(user: User, folder: Path) -> None:
    command = [sys.executable, "-m", "edge_tts", "enroll", "-c", str(folder / "config.yaml"), "--audio", str(CONSENT)]
    done = subprocess.run(
        [*command, "--name", "Anna", "--language", "en", "--text", CONSENT_TEXT],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CheckError(f"a voice could not be enrolled: {done.stdout}{done.stderr}")
    voice = "select.edge_tts_check_voice"
    user.wait("a new voice can be chosen", lambda: "Anna" in user.ours()[voice]["options"])
    user.call("select.select_option", voice, option="Anna")
    user.wait("a new voice is chosen", lambda: user.state(voice) == "Anna")


def new_model_set(user: User, models: Path) -> None:
    shutil.copytree(models / "starter", models / "another")
    update = "update.edge_tts_check_model_set"
    user.wait("a new model set is an update", lambda: user.state(update) == "on")
    user.call("update.install", update)
    user.wait("it is installed", lambda: user.ours()[update]["installed_version"] == "another")
    user.wait("after the change it is there", lambda: not user.unavailable() and user.state(update) == "off")


class User:
    """Acts and looks through Home Assistant."""

    def __init__(self, address: Path) -> None:
        self._channel = socket.socket(socket.AF_UNIX)
        self._channel.connect(str(address))
        self._answers = self._channel.makefile("rb")

    def call(self, action: str, entity: str, **data: Any) -> None:
        answer = self._ask({"call": [*action.split("."), {"entity_id": entity, **data}]})
        if answer:
            raise CheckError(f"{action} for {entity}: {answer['error']}")

    def notify(self, message: str) -> None:
        self.call("notify.send_message", "notify.edge_tts_check", message=message)

    def ours(self) -> dict[str, dict[str, Any]]:
        """Entity id -> state and attributes."""
        states: dict[str, dict[str, Any]] = self._ask({"states": True})
        return {name: state for name, state in states.items() if "edge_tts_check" in name}

    def state(self, entity: str) -> str:
        return str(self.ours()[entity]["state"])

    def receipt(self) -> str | None:
        """The kind of the last one."""
        return self.receipt_details().get("event_type")

    def receipt_details(self) -> dict[str, Any]:
        return self.ours()["event.edge_tts_check_receipt"]

    def unavailable(self) -> bool:
        """Whether all are; an entity that never had a state is `unknown`."""
        return {state["state"] for state in self.ours().values()} == {"unavailable"}

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        """Raises CheckError when it never comes to that."""
        began = time.monotonic()
        while time.monotonic() - began < WAIT_S:
            try:
                if condition():
                    say(f"{time.monotonic() - began:5.1f} s  {what}")
                    return
            except (KeyError, ValueError):  # an entity that is not there yet, a state that is no number yet
                pass
            time.sleep(0.1)
        raise CheckError(f"not so: {what}; Home Assistant sees\n{json.dumps(self.ours(), indent=1)}")

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._channel.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        return answer


def find_python() -> str:
    """Raises SkipError."""
    for name in (sys.executable, shutil.which("python3.13")):
        if name and _output(name, "-c", "import sys; print(sys.version_info[:2])") == "(3, 13)":
            return name
    raise SkipError("Home Assistant 2025.4 needs Python 3.13 (--python names one that is not on the PATH)")


def install(python: str) -> None:
    """A virtual environment with Home Assistant. Raises SkipError."""
    requirements = (PARTS / "requirements.txt").read_text()
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == requirements:
        return
    say("installing Home Assistant (once; some minutes on a slow line)")
    pip = [str(VENV / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "--no-deps"]
    for command in ([python, "-m", "venv", str(VENV)], [*pip, "-r", str(PARTS / "requirements.txt")]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SkipError(f"it could not be installed: {done.stdout[-500:]}{done.stderr[-500:]}")
    stamp.write_text(requirements)


@contextmanager
def broker(folder: Path, port: int) -> Iterator[None]:
    """A mosquitto. Raises SkipError."""
    program = find_program("mosquitto")
    if program is None:
        raise SkipError("mosquitto is not installed (apt install mosquitto)")
    (folder / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with process([program, "-c", str(folder / "mosquitto.conf")], folder / "mosquitto.log"):
        yield


@contextmanager
def home_assistant(folder: Path, port: int) -> Iterator[None]:
    """Until the block ends; it listens to `folder`/remote."""
    config = folder / "config"
    shutil.copytree(PARTS / "custom_components", config / "custom_components")
    (config / ".storage").mkdir()
    (config / ".storage" / "core.config_entries").write_text(json.dumps(_mqtt_entry(port)))
    settings = {
        "homeassistant": {"name": "check", "time_zone": "UTC"},
        "http": {"server_host": "127.0.0.1", "server_port": free_port()},
        "logger": {"default": "error", "logs": {"homeassistant.components.mqtt": "warning"}},
        "remote_control": None,
    }
    (config / "configuration.yaml").write_text(yaml.safe_dump(settings))
    hass = [str(VENV / "bin" / "hass"), "--skip-pip", "-c", str(config)]
    environment = {"PYTHONPATH": str(PARTS / "stubs"), "REMOTE_CONTROL": str(folder / "remote")}
    with process(hass, folder / "home-assistant.log", **environment) as running:
        began = time.monotonic()
        while not (folder / "remote").exists():
            if running.poll() is not None or time.monotonic() - began > WAIT_S:
                raise CheckError(
                    f"Home Assistant did not start:\n{(folder / 'home-assistant.log').read_text()[-3000:]}"
                )
            time.sleep(0.1)
        say(f"{time.monotonic() - began:5.1f} s  Home Assistant has started")
        yield


@contextmanager
def daemon(folder: Path, port: int, *, enabled: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """`edge-ttsd run`, speaking into `folder`/out.wav."""
    settings = {
        "device": "check",
        "mqtt": {"host": "127.0.0.1", "port": port},
        "home_assistant": {"enabled": enabled},
        "models": {"dir": str(folder / "models"), "name": "starter"},
        "audio": {"output": "file", "file": "out.wav"},
        "voices": {"require_consent": False},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    with process([sys.executable, "-m", "edge_tts", "run", "-c", str(path)], folder / "daemon.log") as running:
        yield running


@contextmanager
def process(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Runs until the block ends."""
    with log.open("a") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        yield running
    finally:
        running.terminate()
        running.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _mqtt_entry(port: int) -> dict[str, Any]:
    """Home Assistant's storage with the MQTT integration set up."""
    entry = {
        "entry_id": "01JABCDEFGHJKMNPQRSTVWXYZ0",
        "domain": "mqtt",
        "title": "broker",
        "version": 1,
        "minor_version": 2,
        "data": {"broker": "127.0.0.1", "port": port, "protocol": "5"},
        "options": {"discovery": True, "discovery_prefix": "homeassistant"},
        "source": "user",
        "unique_id": None,
        "disabled_by": None,
        "discovery_keys": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "subentries": [],
        "created_at": "2025-01-01T00:00:00+00:00",
        "modified_at": "2025-01-01T00:00:00+00:00",
    }
    return {"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [entry]}}


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/check_home_assistant", description=__doc__)
    parser.add_argument("--python", metavar="PATH", help="Python 3.13 (default: python3.13)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
