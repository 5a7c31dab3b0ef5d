"""The account that runs a command, as a caller: held to `access` like any other.

It counts in a file of its own: the daemon has the other one in memory. Whoever may write there can also remove it.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from edge_tts.config import Config
from edge_tts.durable.audit_log import open_audit
from edge_tts.durable.folders import other_owner
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.audit_trail import AuditTrail
from edge_tts.front_doors.message import caller_name
from edge_tts.front_doors.usage_ledger import UsageLedger
from edge_tts.request import SpeakRequest
from edge_tts.values import AudioChunk, Caller
from edge_tts.voices.catalogue import Catalogue


class LocalCaller:
    def __init__(self, config: Config, catalogue: Catalogue) -> None:
        ledger = UsageLedger(config.state_dir / "usage-cli.json" if _is_ours(config.state_dir) else None)
        self._access = Access(config.access, ledger=ledger, resolve=catalogue.resolve, shared=catalogue.is_shared)
        self._caller = local_caller()
        kept = open_audit(config, clock=time.time) if _is_ours(config.state_dir) else None
        self._audit = AuditTrail(kept, speech=config.audit.speech)

    def check(self, request: SpeakRequest) -> None:
        """Raises AccessError."""
        self._access.enter(self._caller, "say")
        self._access.check(self._caller, request)

    def counted(self, request: SpeakRequest, characters: int, chunks: Iterable[AudioChunk]) -> Iterator[AudioChunk]:
        """The chunks that may be heard. Raises AccessError at the first that may not."""
        self.check(request)
        meter, _ = self._access.admit(self._caller, characters, request.priority)
        self._audit.said(self._caller, request, characters)
        try:
            for chunk in chunks:
                used_up = meter(len(chunk.samples) / chunk.sample_rate)
                if used_up is not None:
                    raise used_up
                yield chunk
        finally:
            self._access.save()


def _is_ours(folder: Path) -> bool:
    """What root wrote there would be in the daemon's way."""
    with suppress(OSError):
        return not folder.exists() or other_owner(folder) is None
    return False


def local_caller() -> Caller:
    """Named as its account, or by its number."""
    try:
        return Caller("cli", caller_name(pwd.getpwuid(os.geteuid()).pw_name))
    except KeyError:
        return Caller("cli", f"uid-{os.geteuid()}")
