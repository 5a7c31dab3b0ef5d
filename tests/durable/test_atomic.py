"""Atomic replacement of a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_tts.durable.atomic import replacing


def test_the_file_changes_when_the_block_has_ended(tmp_path: Path) -> None:
    """Until then a reader finds the old bytes; the staged file has the same suffix, and is gone afterwards."""
    path = tmp_path / "a.wav"
    path.write_text("old")
    path.chmod(0o640)
    with replacing(path) as beside:
        assert (beside.parent, beside.suffix, beside.read_bytes()) == (tmp_path, ".wav", b"")
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("trouble", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("existed", [True, False])
def test_a_block_that_fails_changes_nothing(tmp_path: Path, trouble: type[BaseException], existed: bool) -> None:
    """After any exception, Ctrl-C too, the file is as it was and no staged file is left."""
    path = tmp_path / "a.wav"
    if existed:
        path.write_text("old")

    def fail() -> None:
        with replacing(path) as beside:
            beside.write_text("half of the n")
            raise trouble

    with pytest.raises(trouble):
        fail()
    assert [(name, (tmp_path / name).read_text()) for name in os.listdir(tmp_path)] == [("a.wav", "old")] * existed


def test_folders_are_made_and_the_umask_holds(tmp_path: Path) -> None:
    """A new file in a new folder gets its mode from the caller's umask."""
    umask = os.umask(0o027)
    try:
        with replacing(tmp_path / "new" / "a.wav") as beside:
            beside.write_text("x")
    finally:
        os.umask(umask)
    assert (tmp_path / "new" / "a.wav").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """Its target is replaced."""
    (tmp_path / "far").mkdir()
    (tmp_path / "a.wav").symlink_to(tmp_path / "far" / "b.wav")
    with replacing(tmp_path / "a.wav") as beside:
        beside.write_text("x")
    assert (tmp_path / "a.wav").is_symlink()
    assert (tmp_path / "far" / "b.wav").read_text() == "x"


def test_a_folder_is_refused_and_a_device_is_written_to() -> None:
    """A folder is no file; /dev/null is still a device afterwards."""
    with pytest.raises(IsADirectoryError), replacing(Path("/tmp")):
        raise AssertionError("the work began")
    with replacing(Path(os.devnull)) as beside:
        assert beside == Path(os.devnull)
    assert Path(os.devnull).is_char_device()
