"""Deletions: the tombstones, which are kept for good, and how a voice goes. Knows nothing of what is in a voice.

First the tombstone is put up: from then on the voice is deleted, whatever happens. Then its files are taken away, and a
line is added to the log; if that is interrupted it is finished later. All of it works on a full disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder, remove
from edge_tts.errors import VoiceError
from edge_tts.voices.audit_log import AuditLog
from edge_tts.voices.disk_reserve import DiskReserve, is_no_room
from edge_tts.voices.format import Tombstone, VoiceRef, read_tombstone, to_bytes
from edge_tts.voices.voice_folder import FEATURES, VOICES, folder_of, incoming_of


class Deletions:
    """The deleted voices of one voices' folder. Whoever changes it holds the folder; troubles are OSErrors.

    `device` and `clock` (seconds since 1970) are what a tombstone says of itself.
    """

    def __init__(self, *, directory: Path, device: str, clock: Callable[[], float], audit: AuditLog) -> None:
        self._directory, self._device, self._clock, self._audit = directory, device, clock, audit
        self._reserve = DiskReserve(directory / ".reserve")

    def path(self, ref: VoiceRef) -> Path:
        """Where that voice's tombstone lies, or would."""
        return self._directory / ".deleted" / ref.owner / f"{ref.id}.json"

    def tombstones(self) -> dict[VoiceRef, bytes]:
        """Every deleted voice and its tombstone; of one that cannot be read, no bytes: it holds all the same."""
        paths = sorted((self._directory / ".deleted").glob(f"{VOICES}.json"))
        return {ref: self.tombstone(ref) for ref in (VoiceRef(path.parent.name, path.stem) for path in paths)}

    def tombstone(self, ref: VoiceRef) -> bytes:
        """That one of a deleted voice; no bytes if it cannot be read."""
        try:
            return self.path(ref).read_bytes()
        except OSError:
            return b""

    def new_tombstone(self, ref: VoiceRef) -> Tombstone:
        """One that says that the voice was deleted here and now."""
        return Tombstone(owner=ref.owner, voice=ref.id, time=int(self._clock()), device=self._device)

    def keep_reserve(self) -> None:
        """See to it that there is room for a deletion, if there is any room."""
        self._reserve.keep()

    def delete(self, ref: VoiceRef, stone: bytes) -> bool:
        """Delete a voice; True if it was here. Raises VoiceError for what is no tombstone of it.

        Once the tombstone is on disk there is no return: what refuses to go now goes the next time, or by `finish`, and
        so does the line in the log for which there is no room.
        """
        record = read_tombstone(stone, ref=ref)
        if not self.path(ref).exists():
            self._put_up(ref, stone)
        here, troubles = self._take_away([ref])
        try:
            self._log({ref: record}, here)
        except OSError as trouble:
            if not is_no_room(trouble):
                raise
        self.keep_reserve()
        if troubles:
            raise troubles[0]
        return bool(here)

    def finish(self) -> None:
        """Finish all deletions that were interrupted, and mend tombstones that have rotted."""
        stones = {ref: self._readable(ref, stone) for ref, stone in self.tombstones().items()}
        here, troubles = self._take_away(stones)
        self._log(stones, here)
        self.keep_reserve()
        if troubles:
            raise troubles[0]

    def _put_up(self, ref: VoiceRef, stone: bytes) -> None:
        """The first half of a deletion.

        On a full disk what can be made again makes room for it: the reserve, else what was derived from this very
        voice. The recording cannot: if the lights went out then, it might come back from the bucket.
        """
        path = self.path(ref)
        rooms = iter((self._reserve.give_up, lambda: remove(folder_of(self._directory, ref) / FEATURES)))
        while True:
            try:
                make_folder(path.parent)
                write_atomic(path, stone)
                return
            except OSError as trouble:
                if not is_no_room(trouble) or not any(make_room() for make_room in rooms):
                    raise

    def _take_away(self, refs: Iterable[VoiceRef]) -> tuple[set[VoiceRef], list[OSError]]:
        """The second half of deletions, which may be run again after a crash: whose voice was here, and what would not
        go. It takes no space, so it comes before the line in the log."""
        here, troubles = set(), []
        for ref in refs:
            folder = folder_of(self._directory, ref)
            try:
                remove(incoming_of(self._directory, ref))
                if remove(folder):
                    here.add(ref)
            except OSError as trouble:  # the others are deleted all the same
                troubles.append(trouble)
            with suppress(OSError):  # the owner has other voices
                folder.parent.rmdir()
        return here, troubles

    def _log(self, stones: Mapping[VoiceRef, Tombstone], here: Collection[VoiceRef]) -> None:
        """One line for every voice that was known here and is gone now."""
        log = self._audit.events(stones.keys())
        for ref, stone in stones.items():
            events = log.get(ref.id, set())
            is_gone = not os.path.lexists(folder_of(self._directory, ref))
            if "deleted" not in events and (ref in here or events) and is_gone:
                self._audit.append("deleted", ref, by=stone.device)

    def _readable(self, ref: VoiceRef, stone: bytes) -> Tombstone:
        """The tombstone, written anew if it has rotted: the deletion holds, and other devices must read of it."""
        try:
            return read_tombstone(stone, ref=ref)
        except VoiceError:
            fresh = self.new_tombstone(ref)
            with suppress(OSError):  # a full disk must not keep a recording
                write_atomic(self.path(ref), to_bytes(fresh))
            return fresh
