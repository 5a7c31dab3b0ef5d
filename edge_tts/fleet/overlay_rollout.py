"""One look of a device at its group's overlay: shown as a diff, checked, taken up with a restart."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge_tts.buckets.bucket import Bucket
from edge_tts.errors import ConfigError, QueueFullError
from edge_tts.fleet.device_overlay import DeviceOverlay
from edge_tts.fleet.layout import overlay_path
from edge_tts.fleet.overlay import OVERLAY, Overlay, parse_overlay
from edge_tts.fleet.release import CLOCK_SLACK_S
from edge_tts.fleet.remembered import RememberedFile
from edge_tts.fleet.signing import MOST_BYTES, Trust, verify
from edge_tts.schema import Record

log = logging.getLogger(__name__)

_MOST_CHANGES = 100


class OverlayStatus(Record):
    """The retained topic `overlay`."""

    stage: Literal["none", "offered", "waiting", "applying", "applied", "refused", "expired"] = "none"
    counter: int = 0
    """Of the document in the bucket."""
    running: int = 0
    """Of the one that the device runs."""
    changes: tuple[str, ...] = ()
    """What it changes, before it does: `audio.volume: 100.0 -> 40.0`."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """Who looks."""

    trust: Trust
    group: str
    auto: bool


class OverlayRollout:
    """`look` is called again and again, by one thread; `show` is told every change of the status."""

    def __init__(
        self,
        *,
        who: GroupMember,
        device: DeviceOverlay,
        file: RememberedFile,
        show: Callable[[OverlayStatus], None],
        restart: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """`restart` returns when the device is about to restart, and raises QueueFullError when it cannot now. `clock`
        in seconds since 1970."""
        self._who, self._device, self._file = who, device, file
        self._show, self._restart, self._clock = show, restart, clock
        self.status = OverlayStatus()

    def look(self, bucket: Bucket, *, asked: bool = False) -> OverlayStatus:
        """Act on the group's overlay; `asked`: a person wants what is offered. Raises TransportError, and FleetError
        for one that is not to be trusted."""
        blob = bucket.get(overlay_path(self._who.group), most=MOST_BYTES)
        if blob is None:
            return self._tell(OverlayStatus(running=self._device.counter))
        payload = verify(blob.data, OVERLAY, self._who.trust)
        overlay = parse_overlay(payload)
        self._file.accept_overlay(overlay, payload, self._who.group)
        status = self._decide(overlay, asked=asked)
        self._tell(status)
        if status.stage == "applying":
            self._apply(overlay, status)
        return self.status

    def _decide(self, overlay: Overlay, *, asked: bool) -> OverlayStatus:
        status = OverlayStatus(counter=overlay.counter, running=self._device.counter)
        if self._device.counter == overlay.counter:
            return status.model_copy(update={"stage": "applying" if self._device.pending else "applied"})
        refused = self._device.refused(overlay.counter)
        if refused is not None:
            return status.model_copy(update={"stage": "refused", "why": refused})
        if self._clock() < overlay.signed_at - CLOCK_SLACK_S:
            why = "the clock is wrong: it is behind the signature of the overlay"
            return status.model_copy(update={"stage": "waiting", "why": why})
        if self._clock() >= overlay.expires:
            return status.model_copy(update={"stage": "expired", "why": "its end is over"})
        try:
            changes = tuple(self._device.changes(overlay)[:_MOST_CHANGES])
        except ConfigError as wrong:
            self._device.refuse(overlay, str(wrong))
            log.error("the overlay %d is refused: %s", overlay.counter, wrong)
            return status.model_copy(update={"stage": "refused", "why": str(wrong)})
        stage = "applying" if self._who.auto or asked else "offered"
        return status.model_copy(update={"stage": stage, "changes": changes})

    def _apply(self, overlay: Overlay, status: OverlayStatus) -> None:
        if not self._device.pending:
            log.warning("the overlay %d changes %s", overlay.counter, "; ".join(status.changes) or "nothing")
            self._device.take(overlay)
        try:
            self._restart()
        except QueueFullError as busy:
            self._tell(status.model_copy(update={"stage": "waiting", "why": str(busy)}))

    def _tell(self, status: OverlayStatus) -> OverlayStatus:
        if status != self.status:
            self.status = status
            self._show(status)
        return status
