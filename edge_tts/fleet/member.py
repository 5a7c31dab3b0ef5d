"""One device of a fleet: a round looks at the bucket, acts on what is there, and tells what came of it."""

from __future__ import annotations

from collections.abc import Callable

from edge_tts import __version__
from edge_tts.buckets.bucket import Bucket
from edge_tts.errors import FleetError
from edge_tts.fleet.overlay_rollout import OverlayRollout
from edge_tts.fleet.reports import DeviceReport, send_report
from edge_tts.fleet.rollout import Rollout

REPORT_S = 86400.0
"""A report is sent so often though nothing but its figures has changed."""


class Member:
    """Used by one thread."""

    def __init__(
        self,
        *,
        device: str,
        rollout: Rollout,
        overlays: OverlayRollout | None = None,
        p95_s: Callable[[], float | None],
        clock: Callable[[], float],
    ) -> None:
        """`p95_s`: until the first sound, of the last day."""
        self._device, self._rollout, self._overlays = device, rollout, overlays
        self._p95_s, self._clock = p95_s, clock
        self._sent: DeviceReport | None = None
        self._overlay_trouble = ""

    def begin(self) -> None:
        """Before the first round."""
        self._rollout.begin()

    def round(self, bucket: Bucket, *, asked: bool = False, overlay_asked: bool = False) -> None:
        """Raises TransportError when the bucket is away, and, after the report, FleetError for what it should not have
        given out."""
        trouble: FleetError | None = None
        try:
            self._rollout.look(bucket, asked=asked)
        except FleetError as error:
            trouble = error
        self._overlay_trouble = ""
        if self._overlays is not None and self._rollout.status.stage != "activating":  # one trial at a time
            try:
                self._overlays.look(bucket, asked=overlay_asked)
            except FleetError as error:
                self._overlay_trouble, trouble = str(error), trouble or error
        self._report(bucket)
        if trouble is not None:
            raise trouble

    def _report(self, bucket: Bucket) -> None:
        report, last = self._made(), self._sent
        if last is not None and report.at - last.at < REPORT_S:
            figures = {"at": report.at, "p95_s": report.p95_s}
            if report == last.model_copy(update=figures):
                return
        send_report(bucket, report)
        self._sent = report

    def _made(self) -> DeviceReport:
        heard, p95_s = self._rollout.heard, self._p95_s()
        return DeviceReport(
            device=self._device,
            at=self._clock(),
            release=self._rollout.status,
            mos=None if heard is None else round(heard.mos, 3),
            guard=None if heard is None else heard.guard,
            p95_s=heard.p95_s if p95_s is None and heard is not None else p95_s,
            overlay=0 if self._overlays is None else self._overlays.status.running,
            overlay_why=self._overlay_trouble or ("" if self._overlays is None else self._overlays.status.why),
            version=__version__,
        )
