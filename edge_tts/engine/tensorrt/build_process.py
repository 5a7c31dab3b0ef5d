"""Runs the child process that builds an engine: its progress, its memory, its time-out."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_tts.durable.atomic import write_atomic
from edge_tts.engine.tensorrt.build import BuildRequest, Progress, request_json
from edge_tts.errors import ModelError

COMMAND = (sys.executable, "-m", "edge_tts.engine.tensorrt.build")
_TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class BuildCost:
    """What a build took."""

    seconds: float
    peak_memory_mb: float
    """The largest drop of the machine's available memory; on a Jetson it includes the GPU's share."""


def build_in_child(
    request: BuildRequest, *, limit_s: float, progress: Progress, waiting: Callable[[], None]
) -> BuildCost:
    """Build one engine; `waiting` is called about twice a second meanwhile.

    Raises `ModelError` with the builder's last message when it fails, dies or takes longer than `limit_s`.
    """
    plan = Path(request.plan)
    request_file, log_file = plan.with_suffix(".request"), plan.with_suffix(".log")
    write_atomic(request_file, request_json(request).encode())
    began, available = time.monotonic(), _available_mb()
    lowest = available
    child = _start(request_file, log_file)
    messages = _Messages(child)
    try:
        while messages.read(_TICK_S, progress):
            lowest = min(lowest, _available_mb())
            waiting()
            if time.monotonic() - began > limit_s:
                raise ModelError(f"{request.onnx}: the build was still going on after {limit_s:.0f} s and was ended")
        status = child.wait()
    finally:
        _end(child)
        request_file.unlink(missing_ok=True)
    if status != 0 or not plan.is_file():
        reason = messages.error or f"{request.onnx}: the builder ended with status {status}: {_tail(log_file)}"
        raise ModelError(reason)
    log_file.unlink(missing_ok=True)
    return BuildCost(seconds=time.monotonic() - began, peak_memory_mb=max(0.0, available - lowest))


def _start(request_file: Path, log_file: Path) -> subprocess.Popen[bytes]:
    # A checkout that is not installed is found too.
    places = [str(Path(__file__).resolve().parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
    with log_file.open("wb") as errors:
        return subprocess.Popen(
            [*COMMAND, str(request_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
            start_new_session=True,  # a process group, to kill the child with its own children
        )


class _Messages:
    """The child's JSON lines as they arrive."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        self.error = ""
        self._pipe = child.stdout
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)

    def read(self, timeout_s: float, progress: Progress) -> bool:
        """Wait for output and report it; False when the child closed its end."""
        if not self._selector.select(timeout_s):
            return True
        data = os.read(self._pipe.fileno(), 65536)
        if not data:
            self._selector.close()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._report(line, progress)
        return True

    def _report(self, line: bytes, progress: Progress) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return  # a library of the child writes to standard output too
        if isinstance(message, dict) and "phase" in message:
            progress(message["phase"], message["step"], message["of"])
        elif isinstance(message, dict):
            self.error = message.get("error", self.error)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _available_mb() -> float:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-3:]) or "it said nothing"
