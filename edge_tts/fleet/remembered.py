"""What a device must not forget: the documents it has seen, so that none before them is taken for new."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.errors import FleetError
from edge_tts.fleet.overlay import Overlay
from edge_tts.fleet.release import Release
from edge_tts.schema import Field, Record, check_json

_MOST_REFUSED = 20


class Remembered(Record):
    """fleet.json"""

    format: Literal[1] = 1
    counter: int = 0
    """Of the latest document."""
    digest: str = ""
    """Its sha256: another one with the same counter is a forgery, or a signer's mistake."""
    minimum: int = 0
    signed_at: float = 0.0
    """When the latest was signed, in seconds since 1970: it cannot be earlier now."""
    number: int = 0
    """Of the release that was installed last."""
    trying: int = 0
    """Number of the release that is being tried."""
    tries: int = 0
    """How often that began."""
    activating: str | None = None
    """Folder of the set that the device restarts with."""
    installed: tuple[str, ...] = ()
    """Folders of sets that releases have put here."""
    refused: dict[str, str] = Field(default_factory=dict)
    """Number of a release that failed here -> why."""
    overlays: dict[str, tuple[int, str]] = Field(default_factory=dict)
    """Group -> counter and sha256 of its latest overlay."""
    told: str = ""
    """The outcome that the bucket knows."""


class RememberedFile:
    """One device's `fleet.json`. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Remembered:
        """Raises FleetError for a damaged file: without it a replayed release would pass for a new one."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Remembered()
        except OSError as unreadable:
            raise FleetError(f"{self._path}: cannot be read ({unreadable.strerror})") from unreadable
        advice = (
            f"{self._path}: is damaged, and an old release could not be told from a new one; remove it to begin anew"
        )
        return check_json(Remembered, data, error=FleetError, what=advice)

    def update(self, **changes: Any) -> Remembered:
        """Durable before it returns. Raises FleetError."""
        before = self.read()
        after = before.model_copy(update=changes)
        if after != before:
            try:
                make_folder(self._path.parent)
                write_atomic(self._path, after.model_dump_json().encode())
            except OSError as refused:
                raise FleetError(f"{self._path}: cannot be written ({refused.strerror})") from refused
        return after

    def accept(self, release: Release, payload: bytes) -> Remembered:
        """Note a document whose signatures were verified. Raises FleetError for one that was superseded."""
        known, digest = self.read(), hashlib.sha256(payload).hexdigest()
        if release.counter < known.counter:
            raise FleetError(
                f"the bucket gives out document {release.counter}, though {known.counter} was there: it is out of date,"
                " or somebody replays an old release"
            )
        if release.counter == known.counter and digest != known.digest:
            raise FleetError(f"there are two documents {release.counter}; publish another one")
        if release.number < known.minimum:
            raise FleetError(f"release {release.number} is below {known.minimum}, the lowest that is allowed by now")
        return self.update(
            counter=release.counter,
            digest=digest,
            minimum=max(known.minimum, release.minimum),
            signed_at=max(known.signed_at, release.signed_at),
        )

    def accept_overlay(self, overlay: Overlay, payload: bytes, group: str) -> None:
        """As `accept`, for the overlay of a group."""
        if overlay.group != group:
            raise FleetError(f"the overlay is for the group {overlay.group}, not for {group}")
        known, digest = self.read(), hashlib.sha256(payload).hexdigest()
        counter, seen = known.overlays.get(group, (0, ""))
        if overlay.counter < counter:
            raise FleetError(
                f"the bucket gives out overlay {overlay.counter} of {group}, though {counter} was there: it is out of"
                " date, or somebody replays an old one"
            )
        if overlay.counter == counter and digest != seen:
            raise FleetError(f"there are two overlays {counter} of {group}; publish another one")
        self.update(overlays={**known.overlays, group: (overlay.counter, digest)})

    def refuse(self, release: Release, why: str) -> Remembered:
        """Never try this release here again."""
        refused = {**self.read().refused, str(release.number): why}
        kept = dict(list(refused.items())[-_MOST_REFUSED:])
        return self.update(refused=kept, activating=None, trying=0, tries=0)
