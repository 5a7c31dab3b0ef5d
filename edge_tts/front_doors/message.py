"""A message from a front door: a command, its payload, and where its reports go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from edge_tts.config import CALLER_NAME
from edge_tts.speaking.job import Reply, no_reply
from edge_tts.speaking.journal import ReplyTo
from edge_tts.values import Caller

_SOMEBODY = Caller("mqtt")


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
    caller: Caller = _SOMEBODY
    renders: bool = False
    """For another house: the sound goes to the caller and never to the loudspeaker, after all that is said here."""


def caller_name(text: str) -> str:
    """What a caller calls itself, or is called by its broker, in lower case; empty for what is no name."""
    name = text.casefold()
    return name if re.fullmatch(CALLER_NAME, name) else ""


def plain_address(peer: str) -> str:
    """Of a socket's peer, without its zone; IPv4 in IPv6 as IPv4. Empty for what is none."""
    try:
        ip = ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    return str(ip.ipv4_mapped if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None else ip)
