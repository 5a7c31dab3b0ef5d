"""What people set while it runs, kept over a restart: volume and default voice. Knows nothing of who set them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_tts.durable.state_file import StateFile
from edge_tts.schema import Field, Record
from edge_tts.values import Report

log = logging.getLogger(__name__)


class Settings(Record):
    """None: never set, so the configuration decides."""

    volume: float | None = Field(default=None, ge=0, le=100)
    voice: str | None = None


class SettingsFile:
    """A board listener that notices changes at once and writes them when `save` is called: listeners must not wait."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, Settings, what="the volume and voice that were set")
        self.settings = self._file.read(Settings())
        self._saved = self.settings
        self._shown: Mapping[str, Any] = {}

    def on_report(self, report: Report) -> None:
        """Not of interest."""

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """Remember what differs from the state before: that is what somebody set."""
        if topic != "state":
            return
        before, self._shown = self._shown, value
        changes = {key: value[key] for key in ("volume", "voice") if value[key] != before.get(key, value[key])}
        self.settings = self.settings.model_copy(update=changes)

    def save(self) -> None:
        """Write the settings if they have changed. A disk that refuses is logged: speech goes on without memory."""
        settings = self.settings
        if settings == self._saved:
            return
        try:
            self._file.write(settings)
        except OSError as refused:
            log.error("%s: the volume and voice that were set cannot be kept (%s)", self._file.path, refused.strerror)
        self._saved = settings
