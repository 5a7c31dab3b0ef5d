"""Hashes of many files."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from edge_tts.durable.hashes import sha256_of_each


def test_many_files_are_hashed_at_a_time(tmp_path: Path) -> None:
    """A file whose bytes do not come keeps none behind it from being read."""
    late, soon = tmp_path / "late", tmp_path / "soon"
    os.mkfifo(late)
    os.mkfifo(soon)

    def write() -> None:
        soon.write_bytes(b"soon")
        late.write_bytes(b"late")

    writer = threading.Thread(target=write)
    writer.start()
    found = [result.result() for _, result in sha256_of_each([late, soon])]
    writer.join()
    assert found == [hashlib.sha256(word).hexdigest() for word in (b"late", b"soon")]


def test_a_file_that_cannot_be_read_costs_the_others_nothing(tmp_path: Path) -> None:
    """Its result raises; the others have theirs, in the order that was asked."""
    here, gone = tmp_path / "here", tmp_path / "gone"
    here.write_bytes(b"x")
    (_, first), (_, second) = sha256_of_each([gone, here])
    assert second.result() == hashlib.sha256(b"x").hexdigest()
    with pytest.raises(FileNotFoundError):
        first.result()
