"""StateFile: a small record kept over a restart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_tts.durable.state_file import StateFile
from edge_tts.schema import Field, Record


class Lamp(Record):
    """An example record."""

    brightness: int = Field(default=0, ge=0, le=10)


def lamp(folder: Path) -> StateFile[Lamp]:
    """The state file, opened anew as by another process."""
    return StateFile(folder / "state" / "lamp.json", Lamp, what="the lamp's state")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Another process reads it too; the file has mode 0600, and missing folders are made."""
    assert lamp(tmp_path).read(Lamp(brightness=1)) == Lamp(brightness=1)
    assert list(tmp_path.iterdir()) == []
    lamp(tmp_path).write(Lamp(brightness=7))
    assert lamp(tmp_path).read(Lamp()) == Lamp(brightness=7)
    assert lamp(tmp_path).path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", [b"", b"{", b'{"brightness": 11}', b'{"colour": 1}', b"\xff"])
def test_a_damaged_state_is_logged_once_and_quarantined(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    """The default is used, the log names the file once, and the next write keeps a copy."""
    state = lamp(tmp_path)
    state.write(Lamp(brightness=7))
    state.path.write_bytes(damage)
    for _ in range(2):
        assert state.read(Lamp(brightness=1)) == Lamp(brightness=1)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"the lamp's state cannot be used: {state.path}: ")
    state.write(Lamp(brightness=2))
    assert state.read(Lamp()) == Lamp(brightness=2)
    assert {path.name: path.read_bytes() for path in state.path.parent.iterdir()}["lamp.json.damaged"] == damage


def test_a_disk_that_refuses_leaves_the_state_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails raises OSError and changes nothing."""
    state = lamp(tmp_path)
    state.write(Lamp(brightness=7))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        state.write(Lamp(brightness=2))
    assert state.read(Lamp()) == Lamp(brightness=7)
    assert os.listdir(state.path.parent) == ["lamp.json"]
