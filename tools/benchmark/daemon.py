"""The daemon as a contender: from its start to READY, and a request over MQTT until it is spoken."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import yaml

from edge_tts.model_sets.activation import PHRASES
from edge_tts.values import ModelSet
from tools.demonstration import BASE, DemoError, Heard, broker, free_port, listening, messages, wait_until_online
from tools.environment import ROOT, find_program

from .contender import Answer

_CLOSING = ("done", "failed", "interrupted", "expired")
_LIMIT_S = 600.0
_TICK_S = 0.5


class DaemonRuns:
    """Starts the daemon with a set again and again; its state stays, so only the first start is a device's first."""

    def __init__(self, model: ModelSet, flavour: str, threads: int, folder: Path) -> None:
        self._language = next((name for name in PHRASES if name in model.languages), "en")
        self._folder = folder
        self._port = free_port()
        self._config = folder / "daemon.yaml"
        settings = {
            "device": BASE.split("/")[1],
            "mqtt": {"host": "127.0.0.1", "port": self._port},
            "models": {"dir": str(model.directory.parent.absolute()), "name": model.directory.name},
            "engine": {"flavour": flavour, "threads": threads, "cache_dir": str(folder / "engines")},
            "audio": {"output": "file", "file": str(folder / "daemon.wav")},
            "state_dir": str(folder / "state"),
        }
        self._config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def ask(self) -> Answer:
        """Start, speak a short sentence and stop."""
        if find_program("mosquitto") is None:
            return {"cannot": "mosquitto is not installed"}
        try:
            return self._run()
        except DemoError as trouble:
            return {"cannot": str(trouble)}

    def _run(self) -> Answer:
        with (
            redirect_stdout(sys.stderr),
            broker(self._port) as mosquitto,
            listening(self._port, mosquitto) as (client, heard),
        ):
            began = time.perf_counter()
            with self._daemon() as (daemon, ready):
                _await(daemon, ready)
                took = time.perf_counter() - began
                at_ready = _status(daemon.pid)
                wait_until_online(daemon, heard)  # it has subscribed by then
                first = self._speak(client, daemon, heard)
                at_end = _status(daemon.pid)
        return {
            "wall": took,
            "cpu": took,
            "first": [first, first],
            "ready_mb": at_ready.get("VmRSS", 0) / 1024,
            "mb": at_end.get("VmHWM", 0) / 1024,
        }

    def _speak(self, client: Any, daemon: subprocess.Popen[bytes], heard: Heard) -> float:
        request = {"id": f"bench-{uuid.uuid4().hex}", "text": PHRASES[self._language], "language": self._language}
        began, first = time.perf_counter(), 0.0
        client.publish(f"{BASE}/say", json.dumps(request), qos=1)
        for topic, payload in messages(daemon, heard, _LIMIT_S, "speaking"):
            report: Mapping[str, Any] = json.loads(payload) if topic == "events" else {}
            if report.get("id") != request["id"]:
                continue
            if report["stage"] == "first_audio":
                first = time.perf_counter() - began
            if report["stage"] in _CLOSING:
                break
        return first

    @contextmanager
    def _daemon(self) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            address = self._folder / "ready"
            address.unlink(missing_ok=True)
            ready.bind(str(address))
            ready.settimeout(_TICK_S)
            command = [sys.executable, "-m", "edge_tts", "run", "-c", str(self._config)]
            places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = {**_environment(), "NOTIFY_SOCKET": str(address), "PYTHONPATH": os.pathsep.join(places)}
            with (self._folder / "daemon.log").open("ab") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            try:
                yield process, ready
            finally:
                process.terminate()
                process.wait(60)


def _await(daemon: subprocess.Popen[bytes], ready: socket.socket) -> None:
    """Until it says READY. Raises DemoError when it ends before, or takes too long."""
    until = time.monotonic() + _LIMIT_S
    while time.monotonic() < until:
        with suppress(TimeoutError):
            ready.recv(4096)
            return
        if daemon.poll() is not None:
            raise DemoError(f"the daemon ended with status {daemon.returncode} before it was ready; see daemon.log")
    raise DemoError(f"the daemon was not ready after {_LIMIT_S:g} s")


def _environment() -> dict[str, str]:
    """Bytecode is kept, as by an installed daemon."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _status(pid: int) -> dict[str, int]:
    """Memory in kB, by the names of /proc; empty elsewhere."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest}
