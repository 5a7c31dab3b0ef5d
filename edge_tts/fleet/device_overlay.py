"""The overlay that a device runs: on trial until it has served, with the last good one to go back to.

As with a chosen model set: a start is counted before it, and one that never served ends the trial at the next.
"""

from __future__ import annotations

import logging
from pathlib import Path

from edge_tts.config import Config, ConfigSource, find_source
from edge_tts.durable.state_file import StateFile
from edge_tts.errors import ConfigError, FleetError
from edge_tts.fleet.overlay import Overlay, differences, overlaid
from edge_tts.schema import Field, Record

log = logging.getLogger(__name__)


class _Running(Record):
    """overlay.json"""

    overlay: Overlay | None = None
    good: Overlay | None = None
    """The one before, while `overlay` is on trial."""
    trial: bool = False
    starts: int = Field(default=0, ge=0)
    """Starts begun with `overlay` on trial."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Counter of the overlay that was given up last -> why."""


class DeviceOverlay:
    """`take` is called by another thread than the rest."""

    def __init__(self, path: Path, *, source: ConfigSource, group: str) -> None:
        self._source, self._group = source, group
        self._file = StateFile(path, _Running, what="the overlay of the configuration")
        self._running = self._file.read(_Running())

    @property
    def counter(self) -> int:
        """Of the overlay that runs, 0 without one."""
        overlay = self._own(self._running.overlay)
        return 0 if overlay is None else overlay.counter

    @property
    def pending(self) -> bool:
        """Whether it waits for a restart."""
        return self._running.trial and not self._running.starts

    def refused(self, counter: int) -> str | None:
        """Why an overlay was given up here."""
        return self._running.refused.get(str(counter))

    def config(self) -> Config:
        """The device's own configuration under its overlay, without one that is not valid any more. Raises ConfigError
        for the device's own."""
        overlay = self._own(self._running.overlay)
        if overlay is not None:
            try:
                return overlaid(self._source, overlay.text)
            except ConfigError as wrong:
                log.error("the overlay %d is left out: %s", overlay.counter, wrong)
        return self._source.config()

    def changes(self, overlay: Overlay) -> list[str]:
        """What it would change, a line each. Raises ConfigError when it is not valid here."""
        return differences(self.config(), overlaid(self._source, overlay.text))

    def take(self, overlay: Overlay) -> None:
        """Run it from the next start, on trial. Raises FleetError."""
        good = self._running.good if self._running.trial else self._running.overlay
        self._write(_Running(overlay=overlay, good=good, trial=True, refused=self._running.refused))

    def refuse(self, overlay: Overlay, why: str) -> None:
        """Never try it again. Raises FleetError."""
        self._write(self._running.model_copy(update={"refused": {str(overlay.counter): why}}))

    def begin(self) -> None:
        """Note a start; go back from an overlay on trial whose first start never served."""
        if self._running.trial and self._running.starts:
            self.fall_back("the process died before it could serve")
        elif self._running.trial:
            self._keep(self._running.model_copy(update={"starts": 1}))

    def proven(self) -> None:
        """It serves: end the trial."""
        if self._running.trial and self._running.starts:  # else it was taken after this start
            self._keep(self._running.model_copy(update={"trial": False, "starts": 0, "good": None}))

    def cancel_attempt(self) -> None:
        """A user stopped the start: do not count it."""
        if self._running.trial and self._running.starts:
            self._keep(self._running.model_copy(update={"starts": 0}))

    def fall_back(self, why: str) -> bool:
        """Go back to the last good one; False without a trial."""
        failed = self._running.overlay
        if not self._running.trial or failed is None:
            return False
        log.critical("the overlay %d of the configuration is given up, the one before runs: %s", failed.counter, why)
        self._keep(_Running(overlay=self._running.good, refused={str(failed.counter): why}))
        return True

    def _own(self, overlay: Overlay | None) -> Overlay | None:
        """None for one of a group that this device has left."""
        return overlay if overlay is not None and overlay.group == self._group else None

    def _write(self, running: _Running) -> None:
        try:
            self._file.write(running)
        except OSError as refused:
            raise FleetError(f"{self._file.path}: cannot be written ({refused.strerror})") from refused
        self._running = running

    def _keep(self, running: _Running) -> None:
        """Without a caller to report to: a disk error is only logged."""
        self._running = running
        try:
            self._file.write(running)
        except OSError as refused:
            log.error("%s: which overlay runs cannot be kept (%s)", self._file.path, refused.strerror)


def device_overlay(path: Path | None, config: Config) -> DeviceOverlay | None:
    """That of the device whose configuration `find_config` found at `path`; None where it is in no group. Raises
    ConfigError."""
    fleet = config.fleet
    if fleet.group is None or not fleet.public_keys:
        return None
    return DeviceOverlay(config.state_dir / "overlay.json", source=find_source(path), group=fleet.group)
