"""A message from a front door: a command, its payload, and where its reports go."""

from __future__ import annotations

from dataclasses import dataclass

from edge_tts.speaking.job import Reply, no_reply
from edge_tts.speaking.journal import ReplyTo


@dataclass(frozen=True, slots=True)
class Message:
    command: str
    """`say`, `volume/set`: the topic below the device's base topic."""
    payload: bytes
    retained: bool = False
    redelivered: bool = False
    """MQTT's DUP flag: it may have come before, under the same `number`."""
    number: int = 0
    """MQTT's packet identifier."""
    expires_in_s: float | None = None
    """The rest of the MQTT 5 message expiry interval."""
    starts_in_s: float = 0.0
    """How long after it has come it begins to be heard, so that several devices begin together."""
    reply: Reply = no_reply
    reply_to: ReplyTo | None = None
    """The address behind `reply`, for the journal."""
    caller: str = ""
    """See `Report`."""
