"""Upkeep: the thread that syncs voices with the bucket every so often and on demand. Knows no bucket and no voices."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from random import Random
from typing import Protocol

from edge_tts.runtime.part import Part
from edge_tts.runtime.runtime import Runtime
from edge_tts.voices.sync.notes import Publish, SyncReport

log = logging.getLogger(__name__)

FIRST_RETRY_S = 5.0
"""After a sync that was not complete the next one follows so soon; the time doubles up to the regular interval."""
THOROUGH_EVERY = 1000
"""Every so many syncs all objects and recordings are read and hashed again: bit rot is found while it can be healed."""
_TICK_S = 1.0


class Syncing(Protocol):
    """One sync between store and bucket, from beginning to end. What goes wrong is in the report."""

    def __call__(self, *, publish: Publish, abandon: Callable[[], bool], thorough: bool) -> SyncReport:
        """`publish` hears of progress; `abandon` is asked now and then, True ends it early."""


class SyncThread(Part):
    """Syncs at start, then every `interval_s`, and soon after `sync_soon`. A sync never raises what can be expected."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        sync: Syncing,
        publish: Publish,
        interval_s: float,
        random: Random,
    ) -> None:
        super().__init__(name="sync", runtime=runtime)
        self._sync, self._publish = sync, publish
        self._interval_s, self._random = interval_s, random
        self._pulse = runtime.health.pulse("sync")
        self._wanted = threading.Event()
        self._done = 0
        self._failing = False
        self._incomplete = 0
        self._problems: tuple[str, ...] = ()
        self._told: tuple[str, float] = ("", 0.0)

    def sync_soon(self) -> None:
        """Something has changed here: do not wait for the interval. Returns at once."""
        self._wanted.set()

    def wake(self) -> None:
        """See `Part.wake`."""
        self._wanted.set()

    def work(self) -> None:
        """Sync, wait, sync; until asked to stop."""
        self.ready()
        while not self.stopping.is_set():
            self._wanted.clear()
            report = self._sync(publish=self._tell, abandon=self._abandon, thorough=self._is_thorough_due())
            self._done += 1
            self._note(report)
            self._wait(self._pause_s())

    def _note(self, report: SyncReport) -> None:
        """A line in the log where there is news: trouble that began, trouble that is over."""
        failed = report.status == "failed"
        if failed and not self._failing and not self.stopping.is_set():
            log.warning("sync with %s failed, and is tried again: %s", report.bucket, report.error)
        if not failed and self._failing:
            log.info("sync with %s works again", report.bucket)
        for problem in report.problems:
            if problem not in self._problems:
                log.warning("sync with %s: %s", report.bucket, problem)
        self._problems = report.problems
        self._failing = failed
        self._incomplete = 0 if report.status == "done" else self._incomplete + 1

    def _pause_s(self) -> float:
        """The interval; less after trouble, and a random part of it, so that devices do not come all at once."""
        longest = self._interval_s
        if self._incomplete:
            longest = min(longest, FIRST_RETRY_S * 2.0 ** min(self._incomplete - 1, 30))
        return longest * self._random.uniform(0.75, 1.0)

    def _wait(self, pause_s: float) -> None:
        """Sleep, showing signs of life, until the time is over or somebody wants something."""
        while pause_s > 0 and not self.stopping.is_set():
            self._pulse()
            if self._wanted.wait(min(pause_s, _TICK_S)):
                return
            pause_s -= _TICK_S

    def _tell(self, report: SyncReport) -> None:
        """Pass a report on: each change of the status at once, progress once a second at most."""
        status, at = self._told
        if report.status != status or self.runtime.clock() - at >= _TICK_S:
            self._told = (report.status, self.runtime.clock())
            self._publish(report)

    def _abandon(self) -> bool:
        self._pulse()
        return self.stopping.is_set()

    def _is_thorough_due(self) -> bool:
        return self._done % THOROUGH_EVERY == THOROUGH_EVERY - 1
