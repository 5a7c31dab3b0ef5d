"""Starts the child process that builds an engine, follows it and ends it when it takes too long. Knows no TensorRT."""

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
    """The largest drop of the machine's available memory while it ran: on a Jetson the GPU's share is in it."""


def build_in_child(
    request: BuildRequest,
    *,
    limit_s: float,
    progress: Progress,
    waiting: Callable[[], None],
    command: tuple[str, ...] = COMMAND,
) -> BuildCost:
    """Build one engine; `waiting` is called about twice a second meanwhile.

    Raises `ModelError` with the builder's last words when it fails, dies or takes longer than `limit_s`.
    """
    plan = Path(request.plan)
    asked, said = plan.with_suffix(".request"), plan.with_suffix(".log")
    write_atomic(asked, request_json(request).encode())
    began, available = time.monotonic(), _available_mb()
    lowest = available
    with said.open("wb") as errors:
        child = subprocess.Popen(
            [*command, str(asked)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(),
            start_new_session=True,  # so that it can be ended with everything it may have started
        )
    try:
        lines = _Lines(child)
        while not lines.ended:
            lines.read(_TICK_S, progress)
            lowest = min(lowest, _available_mb())
            waiting()
            if time.monotonic() - began > limit_s:
                raise ModelError(f"{request.onnx}: the build was still going on after {limit_s:.0f} s and was ended")
        status = child.wait()
    finally:
        _end(child)
        asked.unlink(missing_ok=True)
    if status != 0 or not plan.is_file():
        raise ModelError(lines.error or f"{request.onnx}: the builder ended with status {status}: {_tail(said)}")
    said.unlink(missing_ok=True)
    return BuildCost(seconds=time.monotonic() - began, peak_memory_mb=max(0.0, available - lowest))


def _environment() -> dict[str, str]:
    """Ours, with this package where the child finds it, also from a checkout that is not installed."""
    places = [str(Path(__file__).resolve().parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(places)}


class _Lines:
    """The child's JSON lines as they come."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        self.error = ""
        self.ended = False
        self._pipe = child.stdout
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)

    def read(self, timeout_s: float, progress: Progress) -> None:
        if not self._selector.select(timeout_s):
            return
        data = os.read(self._pipe.fileno(), 65536)
        if not data:
            self.ended = True
            self._selector.close()
            self._pipe.close()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line, progress)

    def _take(self, line: bytes, progress: Progress) -> None:
        try:
            said = json.loads(line)
        except ValueError:
            return  # a library of the child writes to standard output too
        if isinstance(said, dict) and "phase" in said:
            progress(said["phase"], said["step"], said["of"])
        elif isinstance(said, dict):
            self.error = said.get("error", self.error)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing of the child is left."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _available_mb(meminfo: Path = Path("/proc/meminfo")) -> float:
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return " / ".join(lines[-3:]) or "it said nothing"
