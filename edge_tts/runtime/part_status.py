"""Whether something outside works: its place in the state, and one line in the log per change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Literal

from edge_tts.errors import AudioError, EdgeTTSError, one_line
from edge_tts.runtime.event_bus import EventBus, PartHealth

log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


class PartStatus:
    """One entry of `State.health`, from `begin` on. Used by one thread; each method returns at once."""

    def __init__(self, name: str, *, events: EventBus, advice: str, now: Callable[[], datetime] = utc_now) -> None:
        """`advice`: what to do about a failure."""
        self.name, self._events, self._advice, self._now = name, events, advice, now
        self._health = PartHealth()

    @property
    def is_ok(self) -> bool:
        return self._health.status == "ok"

    def begin(self) -> None:
        """Publish that it is configured."""
        self._events.set_health(self.name, self._health)

    def ok(self, *, quiet: bool = False) -> None:
        """It works."""
        if not self.is_ok:
            if not quiet:
                log.info("the %s works again", self._words)
            self._set(PartHealth())

    def fail(self, error: BaseException | str, *, quiet: bool = False) -> None:
        """It does not: warn when that is news, unless `quiet`. `since` stays that of the first failure."""
        why, before = reason(error), self._health
        status: Literal["failing", "stuck"] = "stuck" if isinstance(error, AudioError) and error.stuck else "failing"
        if before.status != status and not quiet:
            log.warning("the %s is %s, the rest goes on: %s. %s", self._words, status, why, self._advice)
        self._set(PartHealth(status, before.since or self._now().isoformat(timespec="seconds"), why))

    @property
    def _words(self) -> str:
        return self.name.replace("_", " ")

    def _set(self, health: PartHealth) -> None:
        if health != self._health:
            self._health = health
            self._events.set_health(self.name, health)


def reason(error: BaseException | str) -> str:
    """Why something failed, in one line; exceptions of others with their type."""
    if isinstance(error, (EdgeTTSError, str)):
        return one_line(str(error))
    return one_line(f"{type(error).__name__}: {error}")
