"""Looks at a checkpoint file that nobody vouches for: which format it has, what it holds, or what it is in truth.

Run as a process by `inspector`: only the standard library, so that the limits can be tight.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import BinaryIO

from edge_tts.convert.contents import Contents, to_plain
from edge_tts.convert.safetensors_file import read_safetensors
from edge_tts.convert.torch_file import HEADS, READABLE, read_torch
from edge_tts.errors import CheckpointError
from edge_tts.limited_process import begin

_OTHERS = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself; fetch it with: git lfs pull",
    b"<": "a web page, not the file itself; download it again with the page's link to the raw file",
    b"{": "a JSON text; the download may have failed, fetch the file again",
    b"\x1f\x8b": "a gzip archive; unpack it and give the checkpoint in it",
    b"7z\xbc\xaf": "a 7z archive; unpack it and give the checkpoint in it",
    b"Rar!": "a RAR archive; unpack it and give the checkpoint in it",
    b"GGUF": "a GGUF file; a checkpoint of PyTorch or safetensors is needed",
    b"\x80": "an old torch file (before 1.6, no zip); save it again with a newer torch",
}
"""What other files begin with, after white space."""


def inspect(handle: int, spool: BinaryIO) -> Contents:
    """The contents of an open file, by its first bytes. Raises CheckpointError, OSError."""
    head = os.pread(handle, 64, 0)
    with io.FileIO(handle, closefd=False) as file:
        if head[:2] in (b"PK", *READABLE):
            return read_torch(file, spool)
        if head[8:9] == b"{" and not _is_text(head):
            return read_safetensors(io.BufferedReader(file))
    raise CheckpointError(_what_it_is(head))


def _what_it_is(head: bytes) -> str:
    if not head:
        return "an empty file"
    if head[:2] in HEADS:
        return f"a GPT-SoVITS {HEADS[head[:2]]} file; v2, v2Pro and v2ProPlus are supported"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    kind = next((kind for begin, kind in _OTHERS.items() if text.startswith(begin)), None)
    if kind is None and _is_text(head):
        kind = "a text; the download may have failed, fetch the file again"
    return kind or f"not a checkpoint (it begins with {head[:8]!r})"


def _is_text(head: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)


def main(arguments: list[str]) -> int:
    """FILE SPOOL (descriptors): answers the contents as JSON, or an `error`, and its `errno`."""
    out, numbers = begin(arguments)
    handle, spool_handle = map(int, numbers)
    try:
        with os.fdopen(spool_handle, "wb") as spool:
            answer = to_plain(inspect(handle, spool))
    except CheckpointError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "it takes more memory to look at than any checkpoint does"}
    except OSError as error:
        answer = {"error": str(error), "errno": error.errno}
    with out:
        out.write(json.dumps(answer).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
