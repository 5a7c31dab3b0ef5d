"""The thread that syncs voices with the bucket, at intervals and on demand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from random import Random
from typing import Protocol

from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.runtime import Runtime
from edge_tts.voices.sync.notes import Publish, SyncReport

log = logging.getLogger(__name__)

FIRST_RETRY_S = 5.0
"""Delay after an incomplete sync; it doubles up to the regular interval."""
THOROUGH_EVERY = 1000
"""Syncs between two that hash everything again, to find bit rot while it can be repaired."""
_TICK_S = 1.0


class Syncing(Protocol):
    """One sync; errors are in the report."""

    def __call__(self, *, publish: Publish, abandon: Callable[[], bool], thorough: bool) -> SyncReport:
        """`publish` receives progress; `abandon` is polled, True ends the sync early."""


class SyncThread(OptionalPart):
    """Syncs at start, then every `interval_s`, and after `sync_soon`."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        sync: Syncing,
        publish: Publish,
        interval_s: float,
        random: Random,
    ) -> None:
        advice = "`edge-ttsd voices sync` tells more; see bucket in config.yaml"
        super().__init__(name="sync", runtime=runtime, advice=advice, retry_s=FIRST_RETRY_S, stop_timeout_s=10.0)
        self._sync, self._publish = sync, publish
        self._interval_s, self._random = interval_s, random
        self._pulse = runtime.health.pulse("sync")
        self._wake = threading.Event()
        self._done = 0
        self._incomplete = 0
        self._problems: tuple[str, ...] = ()
        self._published: tuple[str, float] = ("", 0.0)

    def sync_soon(self) -> None:
        """Sync without waiting for the interval. Returns at once."""
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    def work(self) -> None:
        self.ready()
        while not self.stopping.is_set():
            self._wake.clear()
            report = self._sync(
                publish=self._publish_throttled, abandon=self._abandon, thorough=self._is_thorough_due()
            )
            self._done += 1
            self._note(report)
            self._wait(self._pause_s())

    def _note(self, report: SyncReport) -> None:
        """Log new problems and the end of a failure, once each."""
        failed = report.status == "failed"
        if failed and not self.stopping.is_set():
            if self.status.is_ok:
                log.warning("sync with %s failed, and is tried again: %s", report.bucket, report.error)
            self.status.fail(f"{report.bucket}: {report.error}", quiet=True)
        if not failed and not self.status.is_ok:
            log.info("sync with %s works again", report.bucket)
            self.status.ok(quiet=True)
        for problem in report.problems:
            if problem not in self._problems:
                log.warning("sync with %s: %s", report.bucket, problem)
        self._problems = report.problems
        self._incomplete = 0 if report.status == "done" else self._incomplete + 1

    def _pause_s(self) -> float:
        """The interval, or the back-off after a failure, with jitter so that devices do not sync all at once."""
        longest = self._interval_s
        if self._incomplete:
            longest = min(longest, FIRST_RETRY_S * 2.0 ** min(self._incomplete - 1, 30))
        return longest * self._random.uniform(0.75, 1.0)

    def _wait(self, pause_s: float) -> None:
        """Sleep with heartbeats until the time is over or `sync_soon` is called."""
        while pause_s > 0 and not self.stopping.is_set():
            self._pulse()
            if self._wake.wait(min(pause_s, _TICK_S)):
                return
            pause_s -= _TICK_S

    def _publish_throttled(self, report: SyncReport) -> None:
        """Each change of the status at once, progress once a second at most."""
        status, at = self._published
        if report.status != status or self.runtime.clock() - at >= _TICK_S:
            self._published = (report.status, self.runtime.clock())
            self._publish(report)

    def _abandon(self) -> bool:
        self._pulse()
        return self.stopping.is_set()

    def _is_thorough_due(self) -> bool:
        return self._done % THOROUGH_EVERY == THOROUGH_EVERY - 1
