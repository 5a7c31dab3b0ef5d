"""The name of the session at the broker."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_tts.config import Config, MqttConfig
from edge_tts.front_doors.mqtt.session import session_config


def name(folder: Path, *, keep: bool = True, **mqtt: str) -> str | None:
    """The client id of a device `home`."""
    return session_config(Config(device="home", state_dir=folder, mqtt=MqttConfig(**mqtt)), keep=keep).client_id


def test_a_new_device_has_a_name_of_its_own(tmp_path: Path) -> None:
    """The name has digits of the machine; the doctor, before the first start, and every later start find the same."""
    state = tmp_path / "state"
    guessed = name(state, keep=False)
    assert not state.exists()
    assert re.fullmatch(r"edge-tts-home-[0-9a-f]{6}", guessed or "")
    assert name(state) == guessed
    (state / "settings.json").write_text("{}")
    assert name(state) == name(state, keep=False) == guessed


@pytest.mark.parametrize("old", ["settings.json", "jobs"])
def test_a_device_with_a_session_keeps_it(tmp_path: Path, old: str) -> None:
    """What the broker keeps for a device that was there before still reaches it."""
    (tmp_path / old).mkdir()
    assert name(tmp_path, keep=False) == name(tmp_path) == "edge-tts-home"
    (tmp_path / old).rmdir()
    assert name(tmp_path) == "edge-tts-home"


def test_a_configured_name_is_used_as_it_is(tmp_path: Path) -> None:
    """Nothing is put behind it, and nothing is written."""
    assert name(tmp_path, client_id="mine") == "mine"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"no digits", b"\xff", b"0123456789"])
def test_a_damaged_file_is_read_over(tmp_path: Path, damage: bytes) -> None:
    """It is as if there were none."""
    kept = name(tmp_path)
    (tmp_path / "session").write_bytes(damage)
    assert name(tmp_path) == kept
