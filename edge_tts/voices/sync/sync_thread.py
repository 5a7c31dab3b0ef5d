"""The thread that syncs voices with the bucket, at intervals and on demand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random
from typing import Protocol

from edge_tts.runtime.repeated_part import RepeatedPart
from edge_tts.runtime.runtime import Runtime
from edge_tts.voices.sync.notes import Publish, SyncReport

log = logging.getLogger(__name__)

FIRST_RETRY_S = 5.0
"""Delay after an incomplete sync."""
THOROUGH_EVERY = 1000
"""Syncs between two that hash everything again, to find bit rot while it can be repaired."""
_PROGRESS_S = 1.0


class Syncing(Protocol):
    """One sync; errors are in the report."""

    def __call__(self, *, publish: Publish, abandon: Callable[[], bool], thorough: bool) -> SyncReport:
        """`publish` receives progress; `abandon` is polled, True ends the sync early."""


class SyncThread(RepeatedPart):
    """Syncs at start, then every `interval_s`, and after `soon`."""

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
        super().__init__(
            name="sync", runtime=runtime, advice=advice, retry_s=FIRST_RETRY_S, interval_s=interval_s, random=random
        )
        self._sync, self._publish = sync, publish
        self._done = 0
        self._problems: tuple[str, ...] = ()
        self._published: tuple[str, float] = ("", 0.0)

    def attempt(self) -> bool:
        report = self._sync(publish=self._publish_throttled, abandon=self.abandoned, thorough=self._is_thorough_due())
        self._done += 1
        self._note(report)
        return report.status == "done"

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

    def _publish_throttled(self, report: SyncReport) -> None:
        """Each change of the status at once, progress once a second at most."""
        status, at = self._published
        if report.status != status or self.runtime.clock() - at >= _PROGRESS_S:
            self._published = (report.status, self.runtime.clock())
            self._publish(report)

    def _is_thorough_due(self) -> bool:
        return self._done % THOROUGH_EVERY == THOROUGH_EVERY - 1
