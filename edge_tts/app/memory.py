"""What the C library's allocator keeps. Nothing here does anything outside of glibc."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

_M_ARENA_MAX = -8
"""mallopt(3)."""
_MOST_ARENAS = 2


def limit_arenas() -> None:
    """Call it before threads are started. By default glibc gives every thread that finds the others busy a heap of its
    own, eight per core, and each keeps the most it ever held: on a busy machine resident memory grows with every change
    of the model set (docs/reliability.md)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _MOST_ARENAS)


def trim_memory() -> None:
    """Give free memory back to the system: the allocator would keep what the old networks held."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
