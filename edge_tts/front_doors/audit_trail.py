"""What callers did, for the audit log. What they do to voices the store writes down, with the caller's name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from edge_tts.durable.audit_log import AuditLog
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_model
from edge_tts.request import SpeakRequest
from edge_tts.values import Caller

log = logging.getLogger(__name__)

_COMMANDS = frozenset({"models/activate", "models/rollback", "voice/set", "lexicon/set", "lexicon/remove", "enroll"})
"""Those that change something which stays, but for the volume."""


class AuditTrail:
    """Thread-safe. A disk that refuses costs the line, and is logged once."""

    def __init__(
        self, audit: AuditLog | None = None, *, speech: bool = False, default_voice: Callable[[], str] = str
    ) -> None:
        """`audit` None: nothing is kept. `speech`: also who had what voice speak."""
        self._audit, self._speech, self._default_voice = audit, speech, default_voice
        self._failing = False

    @property
    def keeps_speech(self) -> bool:
        return self._speech and self._audit is not None

    def command(self, message: Message) -> None:
        """One that was carried out, or begun."""
        if message.command not in _COMMANDS:
            return
        details: dict[str, Any] = {}
        if message.command == "models/activate":
            details["model"] = parse_model(message.payload).model
        if message.command == "voice/set":
            details["voice"] = self._default_voice()
        self._append(message.caller, message.command, details, sync=True)

    def said(self, caller: Caller, request: SpeakRequest, characters: int) -> None:
        """A request that was accepted. A power cut may forget the last ones."""
        if self._speech:
            self._append(caller, "said", {"voice": request.voice, "characters": characters}, sync=False)

    def _append(self, caller: Caller, event: str, details: dict[str, Any], *, sync: bool) -> None:
        if self._audit is None:
            return
        try:
            self._audit.acting(str(caller)).append(event, details, sync=sync)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.error("the audit log cannot be written: %s", error)
            self._failing = True
