"""A message as a front door took it in: a command, its payload, and where its reports go."""

from __future__ import annotations

from dataclasses import dataclass

from edge_tts.speaking.job import Reply, no_reply
from edge_tts.speaking.journal import ReplyTo


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came in."""

    command: str
    """The topic below the device's own, such as `say` or `volume/set`."""
    payload: bytes
    retained: bool = False
    redelivered: bool = False
    """The broker has sent it before (QoS 1 DUP) under the same `number`."""
    number: int = 0
    expires_in_s: float | None = None
    """What is left of the MQTT 5 message expiry."""
    reply: Reply = no_reply
    """Hears every report on what the message asks for."""
    reply_to: ReplyTo | None = None
    """The address behind `reply`, where it has one that outlives this process: the journal keeps it."""
