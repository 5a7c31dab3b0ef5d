"""The name of the daemon's session at the broker: the device's, with some digits of the machine.

Two machines are easily called `home`, and a broker lets one of two clients of a name in. What the broker keeps for us
while we are away lies under the name, so it must not change: the digits are kept in the state folder, and a device
that already has a session under the name without digits keeps that.
"""

from __future__ import annotations

import hashlib
import logging
import platform
import re
import time
from contextlib import suppress
from pathlib import Path

from edge_tts.config import Config, MqttConfig
from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.front_doors.mqtt.client import daemon_client_id

log = logging.getLogger(__name__)

_FILE = "session"
_FRESH_S = 600.0
"""A clash is noted again with every lost connection."""
_OLDER = ("settings.json", "jobs")
"""In a state folder that has been used."""


def session_config(config: Config, *, keep: bool) -> MqttConfig:
    """`config.mqtt` with the client id that is used; `keep` writes its digits down."""
    if config.mqtt.client_id is not None:
        return config.mqtt
    digits = _digits(config.state_dir)
    if keep:
        _keep(config.state_dir, digits)
    name = daemon_client_id(config.mqtt, config.device)
    return config.mqtt.model_copy(update={"client_id": f"{name}-{digits}" if digits else name})


class ClashNote:
    """A file that stands while another client seems to use our name: the doctor's connection cannot tell."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "session.clash"

    def set(self, clashing: bool) -> None:
        with suppress(OSError):
            if clashing:
                self._path.touch()
            else:
                self._path.unlink(missing_ok=True)

    def is_set(self) -> bool:
        with suppress(OSError):
            return time.time() - self._path.stat().st_mtime < _FRESH_S
        return False


def _digits(state_dir: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        kept = (state_dir / _FILE).read_text(encoding="ascii").strip()
        if re.fullmatch("[0-9a-f]{6}|", kept):
            return kept
    return "" if any((state_dir / name).exists() for name in _OLDER) else _machine_digits()


def _machine_digits() -> str:
    machine = b""
    with suppress(OSError):
        machine = Path("/etc/machine-id").read_bytes()
    return hashlib.sha256(b"edge-tts\0" + machine + platform.node().encode()).hexdigest()[:6]


def _keep(state_dir: Path, digits: str) -> None:
    path = state_dir / _FILE
    try:
        if not path.exists():
            write_atomic(make_folder(state_dir) / _FILE, digits.encode())
    except OSError as error:
        log.warning("the name of the session cannot be kept in %s: %s", state_dir, error)
