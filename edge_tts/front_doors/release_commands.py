"""The command about signed releases."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import read_text


class ReleaseCommands:
    """Serves `release/install`: the bare name of what is offered, or nothing."""

    def __init__(self, install: Callable[[str], None]) -> None:
        """`install` raises PayloadError."""
        self._install_release = install

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        return {"release/install": self._install}

    def _install(self, message: Message) -> None:
        self._install_release(read_text(message.payload, what="release/install").strip()[:128])
