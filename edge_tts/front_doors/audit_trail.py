"""What callers did, for the audit log. What they do to voices the store writes down, with the caller's name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_tts.durable.audit_log import AuditLog
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_model
from edge_tts.request import SpeakRequest
from edge_tts.values import Caller

_COMMANDS = frozenset({"models/activate", "models/rollback", "voice/set", "lexicon/set", "lexicon/remove", "enroll"})
"""Those that change something which stays, but for the volume."""


class AuditTrail:
    """Thread-safe."""

    def __init__(
        self, audit: AuditLog | None = None, *, speech: bool = False, default_voice: Callable[[], str] = str
    ) -> None:
        """`audit` None: nothing is kept. `speech`: also who had what voice speak."""
        self._audit, self._speech, self._default_voice = audit, speech, default_voice

    def command(self, message: Message) -> None:
        """One that was carried out, or begun."""
        if self._audit is None or message.command not in _COMMANDS:
            return
        details: dict[str, Any] = {}
        if message.command == "models/activate":
            details["model"] = parse_model(message.payload).model
        if message.command == "voice/set":
            details["voice"] = self._default_voice()
        self._audit.acting(str(message.caller)).note(message.command, details)

    def said(self, caller: Caller, request: SpeakRequest, characters: int) -> None:
        """A request that was accepted. A power cut may forget the last ones."""
        if self._audit is not None and self._speech:
            details = {"voice": request.voice, "characters": characters}
            self._audit.acting(str(caller)).note("said", details, sync=False)
