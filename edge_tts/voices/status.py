"""The retained topic `voices`: who can speak, who cannot (yet) and why, how the last sync went."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from edge_tts.errors import ConfigError, VoiceError
from edge_tts.runtime.event_bus import EventBus
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.sync.notes import SyncReport

log = logging.getLogger(__name__)


class VoiceStatus:
    """Looks at the disk and publishes what it finds. For any thread."""

    def __init__(
        self,
        *,
        events: EventBus,
        catalogue: Catalogue,
        first: Callable[[], str],
        reason: Callable[[VoiceRef], str | None] = lambda ref: None,
    ) -> None:
        """`first`: the voice that speaks where none is chosen; may raise ConfigError. `reason`: why a voice could not
        be encoded, if somebody has tried."""
        self._events, self._catalogue, self._first, self._reason = events, catalogue, first, reason
        self._default = events.state.voice
        self._sync: Mapping[str, Any] | None = None
        self.trouble = ""
        """Why the disk cannot be read; empty when it can."""
        self._lock = threading.RLock()
        """Who looks at the disk last is also the last to tell."""

    @property
    def syncing(self) -> bool:
        """Whether a sync is under way."""
        return self._sync is not None and self._sync["status"] == "running"

    def refresh(self) -> None:
        """Look at the disk again and tell everybody. A default voice that is gone gives way to the configured one.

        Where the disk cannot be read, what was known stays, and `Catalogue.is_stale` has it tried again.
        """
        with self._lock:
            trouble = self._look()
            if trouble and trouble != self.trouble:
                log.warning("the voices cannot be read: %s", trouble)
            self.trouble = trouble
            if self._events.state.voice not in self._catalogue.ids():
                with suppress(ConfigError):  # a configured voice that never was
                    self._default = self._first()
                self._events.update(voice=self._default)
            self.show()

    def _look(self) -> str:
        """What is wrong with the disk, if anything."""
        try:
            self._catalogue.refresh()
        except VoiceError as trouble:
            return str(trouble)
        return ""

    def synced(self, report: SyncReport) -> None:
        """How far a sync has come; once it is over the disk is looked at again."""
        self._sync = report.model_dump(mode="json")
        if report.status == "running":
            self.show()
        else:
            self.refresh()

    def show(self) -> None:
        """Tell everybody what is known."""
        with self._lock:
            cards = [asdict(card) for card in self._catalogue.cards()]
            unready = [
                {"id": voice.ref.id, "name": voice.name, "reason": self._reason(voice.ref)}
                for voice in self._catalogue.unready()
            ]
            damaged = [{"id": ref.id, "reason": reason} for ref, reason in self._catalogue.damaged()]
            value = {"default": self._default, "voices": cards, "unready": unready, "damaged": damaged}
            self._events.retain("voices", {**value, "sync": self._sync})
