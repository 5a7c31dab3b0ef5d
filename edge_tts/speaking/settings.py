"""Volume and default voice as they were set, kept over a restart."""

from __future__ import annotations

import logging
import threading
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
    """An event listener that collects changes; `save`, on any thread, writes them: listeners must not wait."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, Settings, what="the volume and voice that were set")
        self.settings = self._file.read(Settings())
        self._saved = self.settings
        self._lock = threading.Lock()
        self._shown: Mapping[str, Any] = {}

    def on_report(self, report: Report) -> None:
        """Not kept."""

    def on_retained(self, topic: str, value: Mapping[str, Any]) -> None:
        """What differs from the state before was set."""
        if topic != "state":
            return
        before, self._shown = self._shown, value
        changes = {key: value[key] for key in ("volume", "voice") if value[key] != before.get(key, value[key])}
        self.settings = self.settings.model_copy(update=changes)

    def save(self) -> None:
        """Write changed settings. A disk error is logged, and speech goes on."""
        with self._lock:
            settings = self.settings
            if settings == self._saved:
                return
            try:
                self._file.write(settings)
            except OSError as error:
                log.error("%s: the volume and voice that were set cannot be kept (%s)", self._file.path, error.strerror)
            self._saved = settings
