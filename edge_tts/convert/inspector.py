"""Has another process look at a checkpoint file, within limits of memory and time: whatever the file does to it becomes
an error with a name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_tts.convert.contents import Contents, from_plain
from edge_tts.durable.fsync import FULL
from edge_tts.errors import CheckpointError

_MODULE = "edge_tts.convert.inspection"
_CPU_S, _BYTES_PER_CPU_S = 20, 10_000_000
"""Processor's time for any file, and for its bytes on a slow device that has to unpack them."""
_PATIENCE = 10
"""How many times that on the clock: a drive may be slow, the machine may have other work."""


@dataclass(frozen=True, slots=True)
class LookLimits:
    """Of one look."""

    memory_bytes: int
    cpu_s: int

    @classmethod
    def for_file(cls, file: BinaryIO) -> LookLimits:
        return cls(1 << 30, _CPU_S + os.fstat(file.fileno()).st_size // _BYTES_PER_CPU_S)


def inspected(file: BinaryIO, spool: BinaryIO, limits: LookLimits | None = None) -> Contents:
    """The contents of an open checkpoint file, what is compressed in it unpacked into `spool`.

    Raises CheckpointError, and OSError for a full disk.
    """
    limits = limits or LookLimits.for_file(file)
    handles = (file.fileno(), spool.fileno())
    numbers = (*handles, limits.memory_bytes, limits.cpu_s)
    # A checkout that is not installed is found too, and in the working folder there may be anybody's modules.
    home = str(Path(__file__).resolve().parents[2])
    places = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", _MODULE, *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=handles,
            cwd=home,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
            timeout=_PATIENCE * limits.cpu_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise CheckpointError(f"looking at it was not over after {late.timeout:.0f} s: a drive that hangs?") from late
    return _answer(done, limits)


def _answer(done: subprocess.CompletedProcess[bytes], limits: LookLimits) -> Contents:
    if done.returncode == -signal.SIGXCPU:
        raise CheckpointError(f"it takes more than {limits.cpu_s} s of computing to look at, as no checkpoint does")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise CheckpointError(f"looking at it ends the process that looks ({name}): damaged, hostile or too large")
    try:
        values = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise CheckpointError(f"it cannot be looked at: {reason}") from None
    if values.get("errno") in FULL:
        raise OSError(values["errno"], os.strerror(values["errno"]))
    if "error" in values:
        raise CheckpointError(values["error"])
    return from_plain(values)
