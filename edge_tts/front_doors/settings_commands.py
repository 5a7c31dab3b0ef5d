"""The commands that set what is kept over a restart: `volume/set`, `voice/set`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_voice, parse_volume
from edge_tts.runtime.event_bus import EventBus
from edge_tts.runtime.runtime import random_id
from edge_tts.speaking.player import Player
from edge_tts.values import Report

log = logging.getLogger(__name__)


class SettingsCommands:
    """`save` writes them to disk before the message is acknowledged."""

    def __init__(
        self,
        *,
        events: EventBus,
        player: Player,
        resolve_voice: Callable[[str], str],
        save: Callable[[], None],
        new_id: Callable[[], str] = random_id,
    ) -> None:
        self._events, self._player, self._resolve_voice, self._save = events, player, resolve_voice, save
        self._new_id = new_id

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        """Command -> what serves it; each may raise RequestError."""
        return {"volume/set": self._set_volume, "voice/set": self._set_voice}

    def _set_volume(self, message: Message) -> None:
        volume = parse_volume(message.payload)
        self._player.set_volume(volume / 100)
        self._events.update(volume=volume)
        self._save()
        if 0 < volume < 1 and not message.payload.lstrip().startswith(b"{"):  # somebody's scale ends at 1
            self._warn(message, f"the volume is {volume:g} percent now, which nobody hears: it goes from 0 to 100")

    def _warn(self, message: Message, warning: str) -> None:
        """Answers a command that was carried out, but was hardly meant."""
        log.warning("%s: %s", message.command, warning)
        report = Report(self._new_id(), "done", 0.0, {"kind": message.command, "warning": warning})
        self._events.report(report)
        message.reply(report)

    def _set_voice(self, message: Message) -> None:
        self._events.update(voice=self._resolve_voice(parse_voice(message.payload)))
        self._save()
