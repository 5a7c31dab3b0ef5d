"""The model set chosen at run time, kept over a restart.

A chosen set is on trial until it has served: after a failed start the previous set is used again. A new name in the
configuration discards the choice.
"""

from __future__ import annotations

import logging
from pathlib import Path

from edge_tts.durable.audit_log import AuditLog
from edge_tts.durable.state_file import StateFile
from edge_tts.errors import ModelError
from edge_tts.schema import Field, Record

log = logging.getLogger(__name__)


class _Choice(Record):
    """model.json"""

    configured: str
    """`models.name` when the choice was made."""
    current: str
    previous: str | None = None
    trial: bool = False
    starts: int = Field(default=0, ge=0)
    """Starts begun with `current` on trial."""
    given_up: str | None = None
    """The set whose trial failed last, with the reason."""


class ModelChoice:
    """`choose` may be called by another thread than the rest."""

    def __init__(self, path: Path, *, configured: str, audit: AuditLog | None = None) -> None:
        """A file that is damaged or of another configuration is ignored."""
        self._audit = audit
        self._file = StateFile(path, _Choice, what="the choice of a model set")
        self._choice = self._file.read(_Choice(configured=configured, current=configured))
        if self._choice.configured != configured:
            log.info("models.name is now %s: the choice of %s is over", configured, self._choice.current)
            self._choice = _Choice(configured=configured, current=configured)

    @property
    def current(self) -> str:
        return self._choice.current

    @property
    def previous(self) -> str | None:
        return self._choice.previous

    @property
    def given_up(self) -> str | None:
        """The set that was rolled back last, with the reason."""
        return self._choice.given_up

    def choose(self, name: str) -> None:
        """Use `name` from the next start, on trial. Raises ModelError."""
        chosen = _Choice(configured=self._choice.configured, current=name, previous=self._choice.current, trial=True)
        try:
            self._file.write(chosen)
        except OSError as refused:
            raise ModelError(f"{self._file.path}: the choice cannot be kept ({refused.strerror})") from refused
        self._choice = chosen
        self._note("model chosen", model=name)

    def begin(self) -> None:
        """Note a start; roll back a set on trial whose first start never served."""
        if self._choice.trial and self._choice.starts:
            self.fall_back("the process died before it could serve")
        elif self._choice.trial:
            self._keep(self._choice.model_copy(update={"starts": 1}))

    def proven(self) -> None:
        """The current set serves: end its trial."""
        if self._choice.trial and self._choice.starts:  # else it was chosen after this start
            self._keep(self._choice.model_copy(update={"trial": False, "starts": 0}))

    def cancel_attempt(self) -> None:
        """A user stopped the start: do not count it against the set on trial."""
        if self._choice.trial and self._choice.starts:
            self._keep(self._choice.model_copy(update={"starts": 0}))

    def fall_back(self, reason: str) -> bool:
        """Return to the previous set; False without a trial or a previous set."""
        failed, previous = self._choice.current, self._choice.previous
        if not self._choice.trial or previous is None:
            return False
        log.critical("model set %s is given up, %s speaks again: %s", failed, previous, reason)
        self._keep(_Choice(configured=self._choice.configured, current=previous, given_up=f"{failed}: {reason}"))
        self._note("model given up", model=failed)
        return True

    def _note(self, event: str, **details: str) -> None:
        if self._audit is not None:
            self._audit.note(event, details)

    def _keep(self, choice: _Choice) -> None:
        """Store without a caller to report to: a disk error is only logged."""
        self._choice = choice
        try:
            self._file.write(choice)
        except OSError as refused:
            log.error("%s: which model set speaks cannot be kept (%s)", self._file.path, refused.strerror)
