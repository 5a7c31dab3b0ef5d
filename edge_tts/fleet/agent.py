"""The thread of a device that looks for what is new in the bucket."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from random import Random
from typing import Protocol

from edge_tts.buckets.bucket import Bucket
from edge_tts.errors import FleetError, PayloadError, TransportError
from edge_tts.fleet.member import Member
from edge_tts.fleet.overlay_rollout import OverlayStatus
from edge_tts.fleet.reports import ReleaseStatus
from edge_tts.fleet.rollout import InterruptedRolloutError
from edge_tts.fleet.signing import require_library
from edge_tts.runtime.repeated_part import RepeatedPart
from edge_tts.runtime.runtime import Runtime

_FIRST_RETRY_S = 30.0
"""After the bucket could not be reached."""

OpenBucket = Callable[[Callable[[], bool]], AbstractContextManager[Bucket]]
"""Opens the configured bucket; a request ends when the given function returns True. Raises TransportError."""


class Shows(Protocol):
    """What a member uses of its agent."""

    def go_on(self) -> None:
        """Called while something takes long; raises InterruptedRolloutError to end it."""

    def show_release(self, status: ReleaseStatus) -> None: ...

    def show_overlay(self, status: OverlayStatus) -> None: ...


MakeMember = Callable[[Shows], Member]


class FleetAgent(RepeatedPart):
    """Looks at the start, then every `interval_s`, and after `install`."""

    def __init__(
        self, *, runtime: Runtime, make_member: MakeMember, open_bucket: OpenBucket, interval_s: float, random: Random
    ) -> None:
        advice = "`edge-ttsd release status` tells more; see docs/fleet.md"
        super().__init__(
            name="fleet", runtime=runtime, advice=advice, retry_s=_FIRST_RETRY_S, interval_s=interval_s, random=random
        )
        self._member = make_member(self)
        self._open_bucket = open_bucket
        self._asked, self._offered = "", ""
        self._overlay_asked = self._overlay_offered = 0

    def install(self, name: str) -> None:
        """Install the release on offer; an empty `name` takes whatever is. Returns at once. Raises PayloadError."""
        if not self._offered:
            raise PayloadError("release/install: no release is on offer")
        if name not in ("", self._offered):
            raise PayloadError(f"release/install: '{name}' is not on offer, {self._offered} is")
        self._asked = self._offered
        self.soon()

    def apply_overlay(self) -> None:
        """Take up the overlay on offer. Returns at once. Raises PayloadError."""
        if not self._overlay_offered:
            raise PayloadError("overlay/apply: no configuration is on offer")
        self._overlay_asked = self._overlay_offered
        self.soon()

    def work(self) -> None:
        self.pulse()
        self._member.begin()
        self.ready()
        require_library()
        self.repeat()

    def attempt(self) -> bool:
        try:
            with self._open_bucket(self.abandoned) as bucket:
                asked, self._asked = self._asked, ""
                overlay_asked, self._overlay_asked = self._overlay_asked, 0
                self._member.round(
                    bucket,
                    asked=bool(asked) and asked == self._offered,
                    overlay_asked=bool(overlay_asked) and overlay_asked == self._overlay_offered,
                )
        except InterruptedRolloutError:
            return True
        except FleetError as error:  # what lies there does not change by asking again soon
            self.status.fail(error)
            return True
        except TransportError as error:
            if not self.stopping.is_set():
                self.status.fail(error)
            return False
        self.status.ok()
        return True

    def show_release(self, status: ReleaseStatus) -> None:
        self._offered = status.set or "" if status.stage == "offered" else ""
        self.runtime.events.retain("release", status.model_dump(mode="json"))

    def show_overlay(self, status: OverlayStatus) -> None:
        self._overlay_offered = status.counter if status.stage == "offered" else 0
        self.runtime.events.retain("overlay", status.model_dump(mode="json"))

    def go_on(self) -> None:
        if self.abandoned():
            raise InterruptedRolloutError
