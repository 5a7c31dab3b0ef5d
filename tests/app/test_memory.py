"""What the allocator keeps."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

MANY_THREADS = """
import ctypes, sys, threading
from edge_tts.app.memory import limit_arenas

if sys.argv[1:] == ["limited"]:
    limit_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
all_here = threading.Barrier(8)

def allocate():
    all_here.wait()
    libc.malloc(10_000)
    all_here.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def heaps(*arguments: str) -> int:
    """Of a process with eight threads that allocate, as malloc_info(3) tells."""
    command = [sys.executable, "-c", MANY_THREADS, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="NO GLIBC: its heaps per thread were not tested")
def test_threads_share_two_heaps() -> None:
    """However many threads allocate, the daemon has two heaps at most; without the limit there is one for each."""
    assert heaps() > 4
    assert heaps("limited") <= 2
