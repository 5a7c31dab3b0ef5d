"""The operator's side: signs releases and puts them into the bucket, whose word on earlier ones counts for nothing."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge_tts.buckets.bucket import Bucket
from edge_tts.durable.hashes import sha256_of
from edge_tts.errors import FleetError
from edge_tts.fleet.layout import CURRENT, FILES, HISTORY, PENDING, history_path, overlay_path, pending_overlay_path
from edge_tts.fleet.overlay import OVERLAY, Overlay, parse_overlay, payload_of_overlay
from edge_tts.fleet.release import RELEASE, Release, ReleasedFile, Terms, is_stopped, parse_release, payload_of
from edge_tts.fleet.reports import count_outcomes
from edge_tts.fleet.signing import MOST_BYTES, Trust, add_signatures, missing_signatures, sign, verify
from edge_tts.model_folder import MANIFEST
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.values import ModelSet


@dataclass(frozen=True, slots=True)
class Published:
    release: Release
    missing: int
    """Signatures that it needs before any device takes it."""


class Publisher:
    """Raises FleetError and TransportError."""

    def __init__(
        self,
        *,
        bucket: Bucket,
        trust: Trust,
        keys: Sequence[Path] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`keys`: files with private ones; reading needs none. `clock` in seconds since 1970."""
        self._bucket, self._trust, self._keys, self._clock = bucket, trust, keys, clock

    def create(
        self, folder: Path, terms: Terms, *, no_way_back: bool = False, sent: Callable[[str], None] = lambda path: None
    ) -> Published:
        """Sign and upload a model set; `sent` is told each file. Also raises ModelError."""
        model = read_model_set(folder)
        verify_model_set(model)
        before, files = self._latest(), _files_of(model)
        self._upload(model, files, sent)
        counter = self._next_counter(before)
        release = Release(
            counter=counter,
            number=counter,
            minimum=counter if no_way_back else _minimum(before),
            name=folder.name,
            version=model.version,
            signed_at=self._clock(),
            terms=terms,
            files=files,
        )
        return self._submit(release)

    def promote(self, change: Callable[[Terms], Terms], *, no_way_back: bool = False) -> Published:
        """The current release under other terms."""
        return self._again(self._require_current(), change, no_way_back=no_way_back)

    def roll_back(self, change: Callable[[Terms], Terms], *, to: str | None = None) -> Published:
        """Give out an earlier release again: the last before the current that did not stop itself, or the one called
        `to`."""
        current = self._require_current()
        for earlier in self.history():
            if earlier.number == current.number or (to is not None and earlier.folder != to):
                continue
            if earlier.number < current.minimum:
                raise FleetError(f"{earlier.folder}: no device may go back to it any more, a later release was final")
            if to is not None or (earlier.number < current.number and not self._has_stopped(earlier)):
                return self._again(earlier, change)
        raise FleetError(f"there is no release {to or f'before {current.folder}'}; `release create` makes one")

    def overlay(self, group: str) -> Overlay | None:
        """What the bucket gives out for a group. Raises FleetError when that is not signed."""
        blob = self._bucket.get(overlay_path(group), most=MOST_BYTES)
        return None if blob is None else parse_overlay(verify(blob.data, OVERLAY, self._trust))

    def pending_overlay(self, group: str) -> Overlay | None:
        """What waits for a second signature."""
        blob = self._bucket.get(pending_overlay_path(group), most=MOST_BYTES)
        if blob is None:
            return None
        return parse_overlay(verify(blob.data, OVERLAY, self._trust, most_missing=self._trust.signers))

    def publish_overlay(self, group: str, text: str, expires: float) -> int:
        """Sign a part of the configuration for a group; returns how many signatures it needs yet."""
        before: Overlay | None = None
        with suppress(FleetError):  # a forged one must not keep the operator from publishing
            before = self.overlay(group)
        counter = max(int(self._clock()), 1 if before is None else before.counter + 1)
        overlay = Overlay(counter=counter, group=group, signed_at=self._clock(), expires=expires, text=text)
        return self._put_overlay(sign(payload_of_overlay(overlay), OVERLAY, self._keys), overlay)

    def cosign_overlay(self, group: str) -> int:
        """Add signatures to the overlay that waits for them; returns how many are missing yet."""
        overlay, blob = self.pending_overlay(group), self._bucket.get(pending_overlay_path(group), most=MOST_BYTES)
        if overlay is None or blob is None:
            raise FleetError(f"no overlay of {group} waits for a signature")
        before = self.overlay(group)
        if before is not None and overlay.counter <= before.counter:
            raise FleetError(f"the overlay that waits is older than the one that {group} has")
        return self._put_overlay(add_signatures(blob.data, self._keys), overlay)

    def _put_overlay(self, envelope: bytes, overlay: Overlay) -> int:
        verify(envelope, OVERLAY, self._trust, most_missing=self._trust.signers)
        missing = missing_signatures(envelope, self._trust)
        if missing:
            self._bucket.replace(pending_overlay_path(overlay.group), envelope)
            return missing
        self._bucket.replace(overlay_path(overlay.group), envelope)
        self._bucket.delete(pending_overlay_path(overlay.group))
        return 0

    def require_going(self, *, anyway: bool) -> None:
        """Raises FleetError when too many devices have failed with the current release."""
        current = self._require_current()
        if not anyway and self._has_stopped(current):
            raise FleetError(f"{current.folder} stopped itself; `release status` tells why, --anyway goes on")

    def _has_stopped(self, release: Release) -> bool:
        ok, failed = count_outcomes(self._bucket, release.number)
        return is_stopped(release.terms, ok=ok, failed=failed)

    def cosign(self) -> Published:
        """Add signatures to the release that waits for them."""
        blob = self._bucket.get(PENDING, most=MOST_BYTES)
        if blob is None:
            raise FleetError("no release waits for a signature")
        release = parse_release(verify(blob.data, RELEASE, self._trust, most_missing=self._trust.signers))
        current = self._latest()
        if current is not None and release.counter <= current.counter:
            raise FleetError(f"the release that waits is older than {current.folder}, which is given out")
        return self._publish(add_signatures(blob.data, self._keys), release)

    def pending(self) -> Release | None:
        """What waits for a signature."""
        blob = self._bucket.get(PENDING, most=MOST_BYTES)
        if blob is None:
            return None
        return parse_release(verify(blob.data, RELEASE, self._trust, most_missing=self._trust.signers))

    def current(self) -> Release | None:
        """What the bucket gives out. Raises FleetError when that is not signed."""
        blob = self._bucket.get(CURRENT, most=MOST_BYTES)
        return None if blob is None else parse_release(verify(blob.data, RELEASE, self._trust))

    def history(self) -> Iterator[Release]:
        """What was published before, the latest first; what is not signed is left out."""
        for path in sorted(self._bucket.list(HISTORY), reverse=True):
            blob = self._bucket.get(path, most=MOST_BYTES)
            if blob is not None:
                with suppress(FleetError):
                    yield parse_release(verify(blob.data, RELEASE, self._trust))

    def _again(self, release: Release, change: Callable[[Terms], Terms], *, no_way_back: bool = False) -> Published:
        before = self._latest()
        minimum = release.number if no_way_back else max(release.minimum, _minimum(before))
        update = {
            "counter": self._next_counter(before),
            "minimum": minimum,
            "signed_at": self._clock(),
            "terms": change(release.terms),
        }
        return self._submit(release.model_copy(update=update))

    def _latest(self) -> Release | None:
        """The latest document that is signed, whatever the bucket gives out in its place: a forged or replayed one must
        not keep the operator from publishing, nor be promoted."""
        found = list(itertools.islice(self.history(), 1))
        with suppress(FleetError):
            current = self.current()
            found += [] if current is None else [current]
        return max(found, key=lambda release: release.counter, default=None)

    def _require_current(self) -> Release:
        current = self._latest()
        if current is None:
            raise FleetError("nothing was released yet; `release create` does it")
        return current

    def _next_counter(self, before: Release | None) -> int:
        """The time of day, which needs no memory: a bucket that hides releases cannot have a counter used twice."""
        return max(int(self._clock()), 1 if before is None else before.counter + 1)

    def _submit(self, release: Release) -> Published:
        payload = payload_of(parse_release(payload_of(release)))
        return self._publish(sign(payload, RELEASE, self._keys), release)

    def _publish(self, envelope: bytes, release: Release) -> Published:
        """Where signatures are missing, it is put aside for the next signer."""
        verify(envelope, RELEASE, self._trust, most_missing=self._trust.signers)
        missing = missing_signatures(envelope, self._trust)
        if missing:
            self._bucket.replace(PENDING, envelope)
            return Published(release, missing)
        if self._bucket.create(history_path(release.counter), envelope) is None:
            raise FleetError("another release was published at the same moment; try again")
        self._bucket.replace(CURRENT, envelope)
        self._bucket.delete(PENDING)
        return Published(release, 0)

    def _upload(self, model: ModelSet, files: dict[str, ReleasedFile], sent: Callable[[str], None]) -> None:
        """What is not there yet; a later release of the same set under other graphs sends those alone."""
        there = {path: one.size for path, one in self._bucket.list(FILES).items()}
        for name, file in files.items():
            path = f"{FILES}{file.sha256}"
            if there.get(path) != file.bytes:
                self._bucket.upload(path, model.directory / name)
                sent(name)


def _files_of(model: ModelSet) -> dict[str, ReleasedFile]:
    """The manifest and all that it names."""
    files = {MANIFEST: sha256_of(model.directory / MANIFEST), **model.files}
    sizes = {name: (model.directory / name).stat().st_size for name in files}
    return {name: ReleasedFile(sha256=sha256, bytes=sizes[name]) for name, sha256 in sorted(files.items())}


def _minimum(before: Release | None) -> int:
    return 1 if before is None else before.minimum
