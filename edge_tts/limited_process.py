"""Runs a module of this package as a process with limits of memory and time, for files that nobody vouches for.

Whatever they do to it is an outcome with a name.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_PATIENCE = 10
"""How many times its computing time a process may take on the clock: a drive may be slow, the machine may have other
work."""
_TICK_S = 0.5
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
FRUGAL = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Heaps and threads reserve address space by the core, which the limit of memory counts."""


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Of one process."""

    memory_bytes: int
    """Of address space, beside what its libraries take."""
    cpu_s: int


class ProcessLostError(Exception):
    """It did not answer; the message says what ended it. Callers make an error of their own of it."""


def run_limited(
    module: str,
    arguments: Sequence[str],
    limits: ProcessLimits,
    *,
    handles: tuple[int, ...] = (),
    waiting: Callable[[], None] = lambda: None,
) -> bytes:
    """What `module`, run as a process that calls `begin`, answers. It inherits the open files `handles`.

    `waiting` is called twice a second and may raise to end it. Raises ProcessLostError, OSError.
    """
    numbers = map(str, (limits.memory_bytes, limits.cpu_s))
    child = _start([sys.executable, "-m", module, *numbers, *arguments], handles)
    try:
        answer, errors = _wait(child, _PATIENCE * limits.cpu_s, waiting)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    _check_end(child.returncode, errors, limits)
    return answer


def begin(arguments: Sequence[str]) -> tuple[BinaryIO, list[str]]:
    """In the process: applies the limits, and ends it with its parent. Returns where the answer goes, and the arguments
    of `run_limited`.

    Standard output is kept for the answer: libraries print there.
    """
    end_with_parent()
    memory_bytes, cpu_s, *own = arguments
    limit_memory(int(memory_bytes))
    _limit(resource.RLIMIT_CPU, int(cpu_s))
    _limit(resource.RLIMIT_CORE, 0)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answer, own


def end_with_parent() -> None:
    """Have the kernel kill this process with its parent (prctl(2))."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def limit_memory(memory_bytes: int) -> None:
    """Of this process: address space, beside what its libraries have taken by now, which may be much with a GPU's."""
    _limit(resource.RLIMIT_AS, _mapped_bytes() + memory_bytes)


def _mapped_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):  # no Linux
        return 0
    return pages * resource.getpagesize()


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _start(command: Sequence[str], handles: tuple[int, ...]) -> subprocess.Popen[bytes]:
    # A checkout that is not installed is found too, and in the working folder there may be anybody's modules.
    home = str(Path(__file__).resolve().parents[1])
    places = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=handles,
        cwd=home,
        env={**os.environ, **FRUGAL, "PYTHONPATH": os.pathsep.join(places)},
    )


def _wait(child: subprocess.Popen[bytes], limit_s: float, waiting: Callable[[], None]) -> tuple[bytes, bytes]:
    """Its answer, and its standard error."""
    until = time.monotonic() + limit_s
    while True:
        try:
            return child.communicate(timeout=_TICK_S)
        except subprocess.TimeoutExpired:
            waiting()
            if time.monotonic() > until:
                raise ProcessLostError(
                    f"looking at it was not over after {limit_s:.0f} s: a drive that hangs?"
                ) from None


def _check_end(status: int, errors: bytes, limits: ProcessLimits) -> None:
    if status == -signal.SIGXCPU:
        raise ProcessLostError(f"it takes more than {limits.cpu_s} s of computing to look at")
    if status < 0:
        name = signal.Signals(-status).name
        raise ProcessLostError(f"looking at it ends the process that looks ({name}): damaged, hostile or too large")
    if status:
        lines = errors.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise ProcessLostError(f"it cannot be looked at: {lines[-1]}")
