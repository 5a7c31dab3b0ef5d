"""Removing folders as far as the disk lets them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from bad_disk import undeletable

from edge_tts.durable.folders import remove


def test_what_stays_is_named_with_its_whole_path(tmp_path: Path) -> None:
    """On every version of Python the error names the undeletable file; everything else is removed."""
    deep = tmp_path / "folder" / "deep"
    deep.mkdir(parents=True)
    for path in (deep / "kept", deep / "other", deep.parent / "beside"):
        path.write_text("x")
    with undeletable(deep / "kept"), pytest.raises(OSError, match="Input/output error") as refused:
        remove(deep.parent)
    assert (refused.value.errno, refused.value.filename) == (errno.EIO, str(deep / "kept"))
    assert [path for path in deep.parent.rglob("*") if path.is_file()] == [deep / "kept"]
    assert remove(deep.parent)
    assert not remove(deep.parent)
