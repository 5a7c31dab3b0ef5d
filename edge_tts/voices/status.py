"""The retained topic `voices`: voices that are usable, unready, damaged or being deleted, and the last sync."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from edge_tts.errors import ConfigError, VoiceError
from edge_tts.runtime.event_bus import EventBus
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.sync.notes import SyncReport

log = logging.getLogger(__name__)


class VoiceStatus:
    """Refreshes the catalogue and publishes it. Thread-safe."""

    def __init__(
        self,
        *,
        events: EventBus,
        catalogue: Catalogue,
        first: Callable[[], str],
        reason: Callable[[VoiceRef], str | None] = lambda ref: None,
        refreshed: Callable[[], None] = lambda: None,
    ) -> None:
        """`first` gives the default voice, and may raise ConfigError; `reason` why a voice could not be encoded.
        `refreshed` is called when the catalogue was read again."""
        self._events, self._catalogue, self._first, self._reason = events, catalogue, first, reason
        self._refreshed = refreshed
        self._default = events.state.voice
        self._sync: Mapping[str, Any] | None = None
        self.trouble = ""
        """The error of the last read of the disk, or empty."""
        self._lock = threading.RLock()
        """Keeps reading and publishing in the same order."""

    @property
    def syncing(self) -> bool:
        return self._sync is not None and self._sync["status"] == "running"

    def refresh(self) -> None:
        """Read the disk and publish; a default voice that is gone, or not shared with this device any more, falls back
        to the configured one.

        After a disk error the old catalogue stays, and `Catalogue.is_stale` causes a retry.
        """
        with self._lock:
            error = self._read_disk()
            if error and error != self.trouble:
                log.warning("the voices cannot be read: %s", error)
            self.trouble = error
            if not error:
                self._refreshed()
            if self._events.state.voice not in self._catalogue.own_ids():
                with suppress(ConfigError):  # the configured voice does not exist
                    self._default = self._first()
                self._events.update(voice=self._default)
            self.show()

    def _read_disk(self) -> str:
        """The error, if any."""
        try:
            self._catalogue.refresh()
        except VoiceError as error:
            return str(error)
        return ""

    def synced(self, report: SyncReport) -> None:
        """Publish a sync's progress; refresh at its end."""
        self._sync = report.model_dump(mode="json")
        if report.status == "running":
            self.show()
        else:
            self.refresh()

    def show(self) -> None:
        """Publish what is known, without reading the disk."""
        with self._lock:
            cards = [asdict(card) for card in self._catalogue.cards()]
            unready = [
                {"id": voice.ref.id, "name": voice.name, "reason": self._reason(voice.ref)}
                for voice in self._catalogue.unready()
            ]
            damaged = [{"id": ref.id, "reason": reason} for ref, reason in self._catalogue.damaged()]
            deleting = [
                {"id": one.ref.id, "name": one.name, "until": _utc(one.until)} for one in self._catalogue.deleting()
            ]
            value = {"default": self._default, "voices": cards, "unready": unready, "damaged": damaged}
            self._events.retain("voices", {**value, "deleting": deleting, "sync": self._sync})


def _utc(seconds: float) -> str:
    """ISO 8601, of seconds since 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")
