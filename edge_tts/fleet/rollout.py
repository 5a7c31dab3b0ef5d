"""One look of a device at the current release, and what follows from it: wait, download, try, change the model set.

The set that speaks goes on until the change, and whatever fails or is killed before leaves it as it is.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from edge_tts.buckets.bucket import Bucket
from edge_tts.durable.fsync import sync_folder
from edge_tts.errors import EdgeTTSError, FleetError, ModelError, QueueFullError, TransportError, named
from edge_tts.fleet.download import fetch
from edge_tts.fleet.hearing import Heard, fault_of
from edge_tts.fleet.layout import CURRENT
from edge_tts.fleet.release import CLOCK_SLACK_S, RELEASE, Release, is_stopped, parse_release, takes_part
from edge_tts.fleet.remembered import Remembered, RememberedFile
from edge_tts.fleet.reports import ReleaseStage, ReleaseStatus, count_outcomes, tell_outcome
from edge_tts.fleet.signing import MOST_BYTES, Trust, verify
from edge_tts.model_folder import MANIFEST

log = logging.getLogger(__name__)

STAGING = ".fleet"
"""Folder in `models.dir` of what is not whole or not tried yet."""
_MOST_TRIES = 3
"""A set during whose trial the process dies so often is at fault."""
_FIRST_RETRY_S, _LONGEST_RETRY_S = 600.0, 86400.0
"""Between two downloads that gave bytes nobody signed."""


class ReleaseSets(Protocol):
    """The model sets of a device, as a release uses them."""

    def current(self) -> str:
        """The folder's name."""

    def given_up(self) -> str | None:
        """`NAME: why` of the set that could not start."""

    def with_manifest(self, sha256: str) -> str | None:
        """The installed set that has this manifest."""

    def copies(self) -> Mapping[str, Path]:
        """sha256 -> a file of an installed set that should have it."""

    def hear(self, folder: Path, beside: Path) -> Heard:
        """Have a set say twenty sentences, in languages that the set in `beside` speaks, too, if there are any. Raises
        EdgeTTSError."""

    def activate(self, name: str) -> None:
        """Change to an installed set: returns when the device is about to restart with it. Raises EdgeTTSError,
        QueueFullError during another change."""

    def remove(self, name: str) -> None:
        """Remove an installed set, unless it speaks or spoke last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Who looks."""

    device: str
    trust: Trust
    auto: bool
    models: Path
    """Folder of the model sets."""


class InterruptedRolloutError(Exception):
    """The process stops."""


class Rollout:
    """`look` is called again and again, by one thread; `show` is told every change of the status."""

    def __init__(
        self,
        *,
        who: Participant,
        file: RememberedFile,
        sets: ReleaseSets,
        show: Callable[[ReleaseStatus], None],
        clock: Callable[[], float],
    ) -> None:
        """`clock` in seconds since 1970."""
        self._who, self._file, self._sets, self._show, self._clock = who, file, sets, show, clock
        self._lies, self._lie, self._retry_at = 0, "", 0.0
        self.status = ReleaseStatus()
        self.heard: Heard | None = None
        """What the last trial gave."""

    def begin(self) -> None:
        """Show that nothing is known yet."""
        self._tell(ReleaseStatus())

    def look(self, bucket: Bucket, *, asked: bool = False) -> ReleaseStatus:
        """Act on the current release; `asked`: a person wants what is offered. Raises TransportError when the bucket
        is away, and FleetError when what it gives out is not to be trusted."""
        try:
            self._settle()
            release = self._newest(bucket)
        except FleetError as error:
            self._tell(self.status.model_copy(update={"why": str(error)}))
            raise
        if release is None:
            return self._tell(ReleaseStatus())
        stage, why = self._decide(release, self._file.read(), asked=asked)
        if stage == "downloading":
            self._install(release, bucket)
        else:
            self._say(release, stage, why)
        self._tell_outcome(release, bucket)
        return self.status

    def _settle(self) -> None:
        """What came of a change, after the restart."""
        memory = self._file.read()
        if memory.activating is None:
            return
        given_up = self._sets.given_up() or ""
        if self._sets.current() == memory.activating:
            self._file.update(number=memory.trying, activating=None, trying=0, tries=0)
        elif given_up.startswith(f"{memory.activating}: "):
            refused = {**memory.refused, str(memory.trying): given_up.partition(": ")[2]}
            self._file.update(refused=refused, activating=None, trying=0, tries=0)
            self._sets.remove(memory.activating)
        else:  # the process ended before the change
            self._file.update(activating=None)

    def _newest(self, bucket: Bucket) -> Release | None:
        """The current release, proven to be signed and no older than what was here."""
        blob = bucket.get(CURRENT, most=MOST_BYTES)
        if blob is None:
            seen = self._file.read().counter
            if seen:
                raise FleetError(f"the bucket has no release any more, though document {seen} was there")
            return None
        payload = verify(blob.data, RELEASE, self._who.trust)
        release = parse_release(payload)
        self._file.accept(release, payload)
        return release

    def _decide(self, release: Release, memory: Remembered, *, asked: bool) -> tuple[ReleaseStage, str]:
        """The stage that this release has here by now; `downloading`: it is to be installed."""
        if memory.number == release.number:
            return "installed", ""
        if str(release.number) in memory.refused:
            return "failed", memory.refused[str(release.number)]
        if not takes_part(self._who.device, release.number, release.terms.share):
            return "outside", ""
        when = self._time_fault(release)
        if when:
            return when
        if self._sets.with_manifest(release.files[MANIFEST].sha256) == self._sets.current():
            self._file.update(number=release.number)
            return "installed", ""
        if self._clock() < self._retry_at:
            return "waiting", f"tried again at {_utc(self._retry_at)}: {self._lie}"
        if not (self._who.auto or asked or memory.trying == release.number):
            return "offered", ""
        return "downloading", ""

    def _time_fault(self, release: Release) -> tuple[ReleaseStage, str] | None:
        now, signed_at = self._clock(), self._file.read().signed_at
        if now < signed_at - CLOCK_SLACK_S:
            return "waiting", f"the clock is wrong: it says {_utc(now)}, the release was signed at {_utc(signed_at)}"
        if now >= release.terms.expires:
            return "expired", f"it ended at {_utc(release.terms.expires)}, and the clock says {_utc(now)}"
        if now < release.terms.not_before:
            return "waiting", f"begins at {_utc(release.terms.not_before)}"
        return None

    def _install(self, release: Release, bucket: Bucket) -> None:
        """Up to the change of the set; what fails ends in the status."""
        if self._file.read().trying != release.number:
            self._file.update(trying=release.number, tries=0)
        try:
            if self._is_stopped(release, bucket):
                return
            folder = self._fetched(release, bucket)
            self._try(release, folder)
            when = self._time_fault(release)
            if when is not None:
                self._say(release, *when)
            elif not self._is_stopped(release, bucket):
                self._activate(release, folder)
        except TransportError as error:
            self._say(release, "waiting", str(error))
            raise
        except QueueFullError as error:
            self._say(release, "waiting", str(error))
        except OSError as error:
            self._say(release, "waiting", f"{error.filename or self._who.models}: {error.strerror}")
        except FleetError as error:
            self._lies, self._lie = self._lies + 1, str(error)
            self._retry_at = self._clock() + min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(20, self._lies - 1))
            self._say(release, "waiting", str(error))
        except InterruptedRolloutError:
            raise
        except Exception as unexpected:  # noqa: BLE001 - a set that was never here before can raise anything
            self._fail(release, named(unexpected, f"release {release.number}"))

    def _is_stopped(self, release: Release, bucket: Bucket) -> bool:
        ok, failed = count_outcomes(bucket, release.number)
        self.status = self.status.model_copy(update={"number": release.number, "ok": ok, "failed": failed})
        stopped = is_stopped(release.terms, ok=ok, failed=failed)
        if stopped:
            self._say(release, "stopped", f"it failed on {failed} of {ok + failed} devices")
        return stopped

    def _fetched(self, release: Release, bucket: Bucket) -> Path:
        """The folder with the verified files."""
        here = self._sets.with_manifest(release.files[MANIFEST].sha256)
        if here is not None:
            return self._who.models / here
        staging = self._who.models / STAGING
        staged = staging / release.folder
        for other in staging.iterdir() if staging.is_dir() else ():
            if other != staged:
                shutil.rmtree(other, ignore_errors=True)

        def progress(share: float) -> None:
            if self.status.percent != int(100 * share):
                self._say(release, "downloading", "", percent=int(100 * share))

        fetch(release, staged, bucket, copies=self._sets.copies(), progress=progress)
        self._lies = 0
        return staged

    def _try(self, release: Release, folder: Path) -> None:
        """Raises ModelError for a set that cannot speak here or is worse than the one that does."""
        tries = self._file.read().tries + 1
        if tries > _MOST_TRIES:
            raise ModelError(f"the process died {_MOST_TRIES} times while the set was tried")
        self._file.update(tries=tries)
        self._say(release, "trying", "")
        now = self._who.models / self._sets.current()
        try:
            self.heard = self._sets.hear(folder, now)
            fault = fault_of(self.heard, self._heard_now(now, folder), release.terms)
        except InterruptedRolloutError:
            self._file.update(tries=tries - 1)
            raise
        if fault:
            raise ModelError(fault)

    def _heard_now(self, now: Path, beside: Path) -> Heard | None:
        try:
            return self._sets.hear(now, beside)
        except ModelError as damaged:
            log.error("the set that speaks cannot be compared with: %s", damaged)
            return None

    def _activate(self, release: Release, folder: Path) -> None:
        name = folder.name
        memory = self._file.read()
        self._file.update(activating=name, installed=tuple(dict.fromkeys((*memory.installed, name))))
        if folder.parent != self._who.models:
            self._sets.remove(name)  # a damaged one of that name
            folder.rename(self._who.models / name)
            sync_folder(self._who.models)
        self._say(release, "activating", "")
        try:
            self._sets.activate(name)
        except QueueFullError:
            self._file.update(activating=None)
            raise
        self._remove_old(name)

    def _remove_old(self, but: str) -> None:
        """Sets of earlier releases; the one that speaks and the one before stay."""
        kept = [but]
        for name in self._file.read().installed:
            if name != but:
                self._sets.remove(name)
                if (self._who.models / name).exists():
                    kept.append(name)
        self._file.update(installed=tuple(kept))

    def _fail(self, release: Release, error: EdgeTTSError) -> None:
        """The set that speaks stays, and this release is not tried here again."""
        log.error("release %s is refused: %s", release.folder, error)
        installed = self._file.read().installed
        self._file.refuse(release, str(error))
        if release.folder in installed:
            self._sets.remove(release.folder)
        with suppress(OSError):
            shutil.rmtree(self._who.models / STAGING / release.folder)
        self._say(release, "failed", str(error))

    def _tell_outcome(self, release: Release, bucket: Bucket) -> None:
        stage = self.status.stage
        if stage in ("installed", "failed"):
            mark = f"{release.number} {stage}"
            if self._file.read().told != mark:
                tell_outcome(bucket, release.number, "ok" if stage == "installed" else "failed", self._who.device)
                self._file.update(told=mark)

    def _say(self, release: Release, stage: ReleaseStage, why: str, *, percent: int | None = None) -> None:
        self._tell(
            ReleaseStatus(
                stage=stage,
                set=release.folder,
                version=release.version,
                number=release.number,
                why=why,
                percent=percent,
                ok=self.status.ok if self.status.number == release.number else 0,
                failed=self.status.failed if self.status.number == release.number else 0,
            )
        )

    def _tell(self, status: ReleaseStatus) -> ReleaseStatus:
        status = status.model_copy(update={"current": self._sets.current()})
        if status != self.status:
            self.status = status
            self._show(status)
        return status


def _utc(instant: float) -> str:
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(instant, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return f"{instant:.0f} s since 1970"
