"""Processes with limits."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import mmap
from edge_tts.limited_process import limit_memory

libraries = mmap.mmap(-1, 4 << 30)  # address space, as of a GPU's libraries
limit_memory(256 << 20)
bytearray(64 << 20)
try:
    bytearray(512 << 20)
except MemoryError:
    print("refused")
"""


def test_libraries_that_were_loaded_before_do_not_count() -> None:
    """Behind 4 GiB that are mapped already a process may have its own 256 MiB, and no more."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
