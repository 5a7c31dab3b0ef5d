"""Deletion of voices.

First the tombstone is written, and kept for good: from then on the voice is deleted. Then its files are removed and a
line is logged; `finish` completes what a crash interrupts. All of it works on a full disk.

A deletion that can be undone writes the tombstone as ID.pending: the voice is silent, and nothing of it is synced. At
the end of its time it is renamed to ID.json.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.audit_log import AuditLog
from edge_tts.durable.folders import make_folder, remove
from edge_tts.durable.fsync import sync_folder
from edge_tts.errors import VoiceError
from edge_tts.voices.disk_reserve import DiskReserve, is_no_room
from edge_tts.voices.format import Tombstone, VoiceRef, read_tombstone, to_bytes
from edge_tts.voices.voice_folder import FEATURES, VOICES, folder_of, incoming_of


class Deletions:
    """The tombstones of one folder. Changes need the folder's lock. Raises OSError."""

    def __init__(self, *, directory: Path, device: str, clock: Callable[[], float], audit: AuditLog) -> None:
        self._directory, self._device, self._clock, self._audit = directory, device, clock, audit
        self._reserve = DiskReserve(directory / ".reserve")

    def path(self, ref: VoiceRef) -> Path:
        return self._directory / ".deleted" / ref.owner / f"{ref.id}.json"

    def pending_path(self, ref: VoiceRef) -> Path:
        return self.path(ref).with_suffix(".pending")

    def is_deleted(self, ref: VoiceRef) -> bool:
        """Whether the voice is deleted, for good or not yet."""
        return self.path(ref).exists() or self.pending_path(ref).exists()

    def tombstones(self) -> dict[VoiceRef, bytes]:
        """Deleted voice -> its tombstone; no bytes if it cannot be read."""
        paths = sorted((self._directory / ".deleted").glob(f"{VOICES}.json"))
        return {ref: self.tombstone(ref) for ref in (VoiceRef(path.parent.name, path.stem) for path in paths)}

    def tombstone(self, ref: VoiceRef) -> bytes:
        """A tombstone's bytes; none if it cannot be read."""
        try:
            return self.path(ref).read_bytes()
        except OSError:
            return b""

    def new_tombstone(self, ref: VoiceRef) -> Tombstone:
        return Tombstone(owner=ref.owner, voice=ref.id, time=int(self._clock()), device=self._device)

    def keep_reserve(self) -> None:
        self._reserve.keep()

    def delete(self, ref: VoiceRef, data: bytes) -> bool:
        """Delete a voice by its tombstone `data`; True if it was here. Raises VoiceError for a wrong one."""
        tombstone = read_tombstone(data, ref=ref)
        if not self.path(ref).exists():
            self._write(self.path(ref), data, ref)
        removed, errors = self._remove([ref])
        with _without_room():
            self._log({ref: tombstone}, removed)
        self.keep_reserve()
        if errors:
            raise errors[0]
        return bool(removed)

    def begin(self, ref: VoiceRef) -> None:
        """Delete a voice so that it can be undone; one that is pending already keeps its time."""
        path = self.pending_path(ref)
        if path.exists():
            return
        self._write(path, to_bytes(self.new_tombstone(ref)), ref)
        with _without_room():
            self._audit.append("deleting", ref.audited())
        self.keep_reserve()

    def undo(self, ref: VoiceRef) -> bool:
        """Whether there was a deletion to undo."""
        path = self.pending_path(ref)
        if not path.exists() or self.path(ref).exists():
            return False
        path.unlink()
        sync_folder(path.parent)
        with _without_room():
            self._audit.append("undeleted", ref.audited())
        return True

    def pending(self) -> dict[VoiceRef, float]:
        """Voice -> when its deletion began, in seconds since 1970; now where that cannot be read, or lies ahead."""
        now = self._clock()
        paths = sorted((self._directory / ".deleted").glob(f"{VOICES}.pending"))
        refs = [VoiceRef(path.parent.name, path.stem) for path in paths]
        return {ref: min(now, self._began(ref) or now) for ref in refs if not self.path(ref).exists()}

    def _began(self, ref: VoiceRef) -> float | None:
        try:
            return read_tombstone(self.pending_path(ref).read_bytes(), ref=ref).time
        except (OSError, VoiceError):
            return None

    def finish_pending(self, *, undo_s: float) -> None:
        """Complete the deletions that are older than `undo_s`. One whose time cannot be read, or lies ahead, begins
        anew: a clock was wrong."""
        for ref in self.pending():
            path, began, now = self.pending_path(ref), self._began(ref), self._clock()
            if began is None or began > now:
                with suppress(OSError):
                    write_atomic(path, to_bytes(self.new_tombstone(ref)))
            elif now >= began + undo_s:
                path.replace(self.path(ref))
                sync_folder(path.parent)
                self.delete(ref, self.tombstone(ref))

    def finish(self) -> None:
        """Complete interrupted deletions and repair damaged tombstones."""
        tombstones = {ref: self._repaired(ref, data) for ref, data in self.tombstones().items()}
        removed, errors = self._remove(tombstones)
        self._log(tombstones, removed)
        self.keep_reserve()
        if errors:
            raise errors[0]

    def _write(self, path: Path, data: bytes, ref: VoiceRef) -> None:
        """Write a tombstone. On a full disk free the reserve, then the features; never the recordings, which sync would
        fetch again if the power failed before the tombstone is written."""
        frees = iter((self._reserve.release, lambda: remove(folder_of(self._directory, ref) / FEATURES)))
        while True:
            try:
                make_folder(path.parent)
                write_atomic(path, data)
                return
            except OSError as error:
                if not is_no_room(error) or not any(free() for free in frees):
                    raise

    def _remove(self, refs: Iterable[VoiceRef]) -> tuple[set[VoiceRef], list[OSError]]:
        """The voices that were here, and the errors. Idempotent; needs no disk space."""
        removed, errors = set(), []
        for ref in refs:
            folder = folder_of(self._directory, ref)
            try:
                remove(incoming_of(self._directory, ref))
                self.pending_path(ref).unlink(missing_ok=True)
                if remove(folder):
                    removed.add(ref)
            except OSError as error:
                errors.append(error)
            with suppress(OSError):  # the owner has other voices
                folder.parent.rmdir()
        return removed, errors

    def _log(self, tombstones: Mapping[VoiceRef, Tombstone], removed: Collection[VoiceRef]) -> None:
        """One line for every voice that was known here and is gone now."""
        log = self._events(tombstones.keys())
        for ref, tombstone in tombstones.items():
            events = log.get(ref.id, set())
            is_gone = not os.path.lexists(folder_of(self._directory, ref))
            if "deleted" not in events and (ref in removed or events) and is_gone:
                self._audit.append("deleted", ref.audited(), by=tombstone.device)

    def _events(self, refs: Collection[VoiceRef]) -> dict[str, set[str]]:
        """Voice id -> what was done to it, for `refs` at least."""
        events: dict[str, set[str]] = {}
        # Do not parse years of log for one voice, nor what was said.
        about = next(iter(refs)).id.encode() if len(refs) == 1 else b'"owner"'
        for line in self._audit.lines(about=about):
            events.setdefault(str(line.get("voice")), set()).add(str(line["event"]))
        return events

    def _repaired(self, ref: VoiceRef, data: bytes) -> Tombstone:
        """The tombstone, written anew if it is damaged: other devices must be able to read it."""
        try:
            return read_tombstone(data, ref=ref)
        except VoiceError:
            fresh = self.new_tombstone(ref)
            with suppress(OSError):  # a full disk must not stop the deletion
                write_atomic(self.path(ref), to_bytes(fresh))
            return fresh


@contextmanager
def _without_room() -> Iterator[None]:
    """A full disk costs a line of the log, not the deletion."""
    try:
        yield
    except OSError as error:
        if not is_no_room(error):
            raise
