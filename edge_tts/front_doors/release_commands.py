"""The commands about what comes signed through the bucket."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import read_text


class ReleaseCommands:
    """Serves `release/install`, with the bare name of what is offered or nothing, and `overlay/apply`."""

    def __init__(self, *, install: Callable[[str], None], apply_overlay: Callable[[], None]) -> None:
        """Both raise PayloadError."""
        self._install_release, self._apply_overlay = install, apply_overlay

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        return {"release/install": self._install, "overlay/apply": lambda message: self._apply_overlay()}

    def _install(self, message: Message) -> None:
        self._install_release(read_text(message.payload, what="release/install").strip()[:128])
