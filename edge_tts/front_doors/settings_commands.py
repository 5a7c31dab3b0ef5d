"""The commands that set what is kept over a restart: `volume/set`, `voice/set`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_voice, parse_volume
from edge_tts.runtime.event_bus import EventBus
from edge_tts.speaking.player import Player


class SettingsCommands:
    """`save` writes them to disk before the message is acknowledged."""

    def __init__(
        self, *, events: EventBus, player: Player, resolve_voice: Callable[[str], str], save: Callable[[], None]
    ) -> None:
        self._events, self._player, self._resolve_voice, self._save = events, player, resolve_voice, save

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        """Command -> what serves it; each may raise RequestError."""
        return {"volume/set": self._set_volume, "voice/set": self._set_voice}

    def _set_volume(self, message: Message) -> None:
        volume = parse_volume(message.payload)
        self._player.set_volume(volume / 100)
        self._events.update(volume=volume)
        self._save()

    def _set_voice(self, message: Message) -> None:
        self._events.update(voice=self._resolve_voice(parse_voice(message.payload)))
        self._save()
