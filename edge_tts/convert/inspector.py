"""Has another process look at a checkpoint file, within limits of memory and time: whatever the file does to it becomes
an error with a name."""

from __future__ import annotations

import json
import os
from typing import BinaryIO

from edge_tts.convert.contents import Contents, from_plain
from edge_tts.durable.fsync import FULL
from edge_tts.errors import CheckpointError
from edge_tts.limited_process import ProcessLimits, ProcessLostError, run_limited

_MODULE = "edge_tts.convert.inspection"
_MEMORY_BYTES = 1 << 30
_CPU_S, _BYTES_PER_CPU_S = 20, 10_000_000
"""Processor's time for any file, and for its bytes on a slow device that has to unpack them."""


def inspected(file: BinaryIO, spool: BinaryIO, limits: ProcessLimits | None = None) -> Contents:
    """The contents of an open checkpoint file, what is compressed in it unpacked into `spool`.

    Raises CheckpointError, and OSError for a full disk.
    """
    handles = (file.fileno(), spool.fileno())
    try:
        answer = run_limited(_MODULE, [str(handle) for handle in handles], limits or _limits(file), handles=handles)
    except ProcessLostError as lost:
        raise CheckpointError(str(lost)) from lost
    values = json.loads(answer)
    if values.get("errno") in FULL:
        raise OSError(values["errno"], os.strerror(values["errno"]))
    if "error" in values:
        raise CheckpointError(values["error"])
    return from_plain(values)


def _limits(file: BinaryIO) -> ProcessLimits:
    return ProcessLimits(_MEMORY_BYTES, _CPU_S + os.fstat(file.fileno()).st_size // _BYTES_PER_CPU_S)
