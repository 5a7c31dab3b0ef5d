"""Which model set speaks, once somebody has chosen another than the configured one. Knows names, not what is in a set.

A chosen set is on trial until it has served: if the process dies or cannot start before, the one before it speaks
again. A new name in the configuration puts an end to every choice made before.
"""

from __future__ import annotations

import logging
from pathlib import Path

from edge_tts.durable.state_file import StateFile
from edge_tts.errors import ModelError
from edge_tts.schema import Field, Record

log = logging.getLogger(__name__)


class _Choice(Record):
    """model.json"""

    configured: str
    """`models.name` of the configuration at the time of the choice."""
    current: str
    previous: str | None = None
    trial: bool = False
    starts: int = Field(default=0, ge=0)
    """How often a start with `current` on trial was begun."""
    given_up: str | None = None
    """The set whose trial failed last, and why."""


class ModelChoice:
    """The file that remembers the choice. `choose` may come from another thread than the rest."""

    def __init__(self, path: Path, *, configured: str) -> None:
        """A file that is damaged, or was written under another configuration, is not used."""
        self._file = StateFile(path, _Choice, what="the choice of a model set")
        self._choice = self._file.read(_Choice(configured=configured, current=configured))
        if self._choice.configured != configured:
            log.info("models.name is now %s: the choice of %s is over", configured, self._choice.current)
            self._choice = _Choice(configured=configured, current=configured)

    @property
    def current(self) -> str:
        """The name of the set that speaks."""
        return self._choice.current

    @property
    def previous(self) -> str | None:
        """The one that spoke before, if there was one."""
        return self._choice.previous

    @property
    def given_up(self) -> str | None:
        """The set that was chosen last and had to give way, and why; None when that did not happen."""
        return self._choice.given_up

    def choose(self, name: str) -> None:
        """Have `name` speak from the next start on, on trial. Raises ModelError when that cannot be written down."""
        chosen = _Choice(configured=self._choice.configured, current=name, previous=self._choice.current, trial=True)
        try:
            self._file.write(chosen)
        except OSError as refused:
            raise ModelError(f"{self._file.path}: the choice cannot be kept ({refused.strerror})") from refused
        self._choice = chosen

    def begin(self) -> None:
        """A start begins. A set on trial whose first start never came to serving gives way."""
        if self._choice.trial and self._choice.starts:
            self.fall_back("the process died before it could serve")
        elif self._choice.trial:
            self._keep(self._choice.model_copy(update={"starts": 1}))

    def proven(self) -> None:
        """The current set serves: the trial, if there was one, is over."""
        if self._choice.trial and self._choice.starts:  # a choice made since has not begun yet
            self._keep(self._choice.model_copy(update={"trial": False, "starts": 0}))

    def cancel_attempt(self) -> None:
        """The start is broken off by somebody's wish: that says nothing against the set on trial."""
        if self._choice.trial and self._choice.starts:
            self._keep(self._choice.model_copy(update={"starts": 0}))

    def fall_back(self, reason: str) -> bool:
        """Go back to the set before the one on trial; False when none is on trial, or there is none before."""
        failed, before = self._choice.current, self._choice.previous
        if not self._choice.trial or before is None:
            return False
        log.critical("model set %s is given up, %s speaks again: %s", failed, before, reason)
        self._keep(_Choice(configured=self._choice.configured, current=before, given_up=f"{failed}: {reason}"))
        return True

    def _keep(self, choice: _Choice) -> None:
        """Write what is no wish of anybody's: a disk that refuses is logged, and speech goes on."""
        self._choice = choice
        try:
            self._file.write(choice)
        except OSError as refused:
            log.error("%s: which model set speaks cannot be kept (%s)", self._file.path, refused.strerror)
