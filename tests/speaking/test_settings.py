"""The settings that outlive a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.speaking.settings import SettingsFile


def settings_after(path: Path, *changes: dict[str, object]) -> SettingsFile:
    """A settings file that has seen these changes of a state and was saved."""
    kept = SettingsFile(path)
    events = EventBus(state=State(voice="hum", volume=100.0))
    events.subscribe(kept)
    for change in changes:
        events.update(**change)
    kept.save()
    return kept


def test_what_was_set_is_there_after_a_restart(tmp_path: Path) -> None:
    """Volume and voice that somebody set are read back; what nobody touched stays with the configuration."""
    path = tmp_path / "state" / "settings.json"
    settings_after(path, {"volume": 40.0})
    settings = SettingsFile(path).settings
    assert (settings.volume, settings.voice) == (40.0, None)
    settings_after(path, {"voice": "buzz"})
    settings = SettingsFile(path).settings
    assert (settings.volume, settings.voice) == (40.0, "buzz")


def test_nothing_set_writes_nothing(tmp_path: Path) -> None:
    """A run in which nobody changes anything leaves no file."""
    settings_after(tmp_path / "settings.json", {"speaking": "a"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"{", b'{"volume": 900}', b'{"colour": 1}'])
def test_a_damaged_file_is_not_used(tmp_path: Path, damage: bytes) -> None:
    """A file that was cut off or edited badly is ignored, and the next change replaces it."""
    path = tmp_path / "settings.json"
    path.write_bytes(damage)
    assert SettingsFile(path).settings.volume is None
    settings_after(path, {"volume": 5.0})
    assert SettingsFile(path).settings.volume == 5.0


def test_a_disk_that_refuses_is_survived(tmp_path: Path) -> None:
    """Settings that cannot be written are logged, and the daemon goes on."""
    (tmp_path / "file").write_text("")
    settings_after(tmp_path / "file" / "settings.json", {"volume": 5.0})
