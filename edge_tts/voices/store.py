"""Enrolled voices on disk, each an immutable folder.

OWNER/ID/voice.json, reference.flac, consent.json, quality.json    immutable; ID is the hash of voice.json
OWNER/ID/name.json                                                 the current name
OWNER/ID/share.json                                                whom its owner lets use it
OWNER/ID/features/FINGERPRINT.npz                                  features for a model set; made anew when lost
.deleted/OWNER/ID.json                                             tombstones, kept for good
.deleted/OWNER/ID.pending                                          deletions that can be undone
.staging/ .incoming/                                               unfinished work; a fetch resumes from .incoming
.reserve                                                           space for a deletion on a full disk
audit.log                                                          of earlier versions; now in the state folder
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.audit_log import AuditLog
from edge_tts.durable.folders import make_folder, publish, remove
from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.schema import check, nearest
from edge_tts.voices.deletions import Deletions
from edge_tts.voices.format import (
    CARD,
    CONSENT,
    NAME,
    QUALITY,
    SHARE,
    Card,
    Consent,
    FileEntry,
    NameEntry,
    Quality,
    ShareEntry,
    VoiceRef,
    check_display_name,
    check_entry,
    check_files,
    read_card,
    read_name,
    read_share,
    same_name,
    sha256,
    to_bytes,
    voice_id,
)
from edge_tts.voices.voice_folder import IDS, OWNERS, VOICES, folder_of, incoming_of, locked_folder, sweep

_NONE: Mapping[VoiceRef, EnrolledVoice] = {}
_SHORTEST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class NewVoice:
    owner: str
    name: str
    language: str
    transcript: str
    """Of the first recording."""
    recordings: Sequence[bytes]
    """FLAC files; the first one is the GPT's prompt."""
    consent: Consent | None
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class EnrolledVoice:
    ref: VoiceRef
    card: Card
    title: NameEntry
    share: ShareEntry
    folder: Path

    @property
    def name(self) -> str:
        return self.title.name


@dataclass(frozen=True, slots=True)
class StoredVoices:
    voices: tuple[EnrolledVoice, ...]
    damaged: tuple[tuple[VoiceRef, str], ...] = ()
    """With the reason."""


@dataclass(frozen=True, slots=True)
class PendingDeletion:
    """A deletion that can be undone."""

    ref: VoiceRef
    name: str
    """Empty where it cannot be read."""
    until: float
    """Seconds since 1970."""


class VoiceStore:
    """The only writer of the voices' folder; safe for threads and processes. Raises VoiceError.

    `device` and `clock` (seconds since 1970) go into records and the log; `undo_s` is by that clock, too.
    """

    def __init__(
        self,
        *,
        directory: Path,
        device: str,
        clock: Callable[[], float],
        require_consent: bool = True,
        undo_s: float = 600.0,
        audit: AuditLog | None = None,
    ) -> None:
        """`audit` None: a log in the directory."""
        self.directory = directory
        self.require_consent = require_consent
        self._undo_s = undo_s
        self.device = device
        self._clock = clock
        self._audit = audit or AuditLog(path=directory / "audit.log", clock=clock, by=device)
        self._deletions = Deletions(directory=directory, device=device, clock=clock, audit=self._audit)

    def acting(self, caller: str) -> VoiceStore:
        """The same store; what is done goes into the audit log with the caller."""
        return VoiceStore(
            directory=self.directory,
            device=self.device,
            clock=self._clock,
            require_consent=self.require_consent,
            undo_s=self._undo_s,
            audit=self._audit.acting(caller),
        )

    def recover(self) -> None:
        """Clean up after a crash and finish interrupted deletions."""
        with self.changing():
            sweep(self.directory)
            self._deletions.finish()
            self._deletions.finish_pending(undo_s=self._undo_s)

    def stored(self, *, thorough: bool = False, known: Mapping[VoiceRef, EnrolledVoice] = _NONE) -> StoredVoices:
        """Sorted. `known` voices are not read again; `thorough` reads recordings too, to find bit rot."""
        voices, damaged = [], []
        for ref in self._refs():
            try:
                voice = known.get(ref) or self.get(ref)
                if thorough:
                    self.files(voice)
                voices.append(voice)
            except UnknownVoiceError:
                continue  # deleted meanwhile
            except VoiceError as error:
                if not os.path.exists(self._deletions.path(ref)):  # else it is being deleted
                    damaged.append((ref, str(error)))
        return StoredVoices(tuple(voices), tuple(damaged))

    def get(self, ref: VoiceRef) -> EnrolledVoice:
        """The voice. Raises UnknownVoiceError, or VoiceError when its card is damaged or cannot be read."""
        folder = self.folder(ref)
        with _disk_errors(folder):
            if not folder.is_dir() or self._deletions.is_deleted(ref):
                raise UnknownVoiceError(f"there is no voice {ref.id} of {ref.owner}")
            card = read_card((folder / CARD).read_bytes(), ref=ref, what=str(folder / CARD))
        return EnrolledVoice(ref, card, self._title(ref, card), self._share(ref, card), folder)

    def find(self, query: str, *, owner: str | None = None) -> EnrolledVoice:
        """The voice of an id (at least 6 digits of it) or a name. Raises UnknownVoiceError."""
        voices = {voice.ref: voice for voice in self.stored().voices if owner in (None, voice.ref.owner)}
        return voices[_require_ref({ref: voice.name for ref, voice in voices.items()}, query)]

    def find_deletable(self, query: str) -> VoiceRef:
        """Like `find`, for a deletion for good: also a voice whose deletion is pending, and a damaged or partly deleted
        one, by its id."""
        names = {one.ref: one.name for one in self.pending_deletions()}
        names |= {voice.ref: voice.name for voice in self.stored().voices}
        return _require_ref({ref: names.get(ref, "") for ref in self._refs()}, query)

    def card_bytes(self, voice: EnrolledVoice) -> bytes:
        """voice.json, checked by its hash."""
        with _disk_errors(voice.folder):
            data = (voice.folder / CARD).read_bytes()
        read_card(data, ref=voice.ref)
        return data

    def files(self, voice: EnrolledVoice) -> dict[str, bytes]:
        """The immutable files except the card, each checked by its hash."""
        return {name: self.read(voice, name) for name in voice.card.files}

    def read(self, voice: EnrolledVoice, name: str) -> bytes:
        """One immutable file, checked by its hash."""
        with _disk_errors(voice.folder):
            data = (voice.folder / name).read_bytes()
        check_entry(str(voice.folder / name), data, voice.card.files[name])
        return data

    def add(self, new: NewVoice) -> EnrolledVoice:
        """Store a voice enrolled here."""
        files = {("reference.flac" if n == 0 else f"take-{n + 1}.flac"): data for n, data in enumerate(new.recordings)}
        recordings = tuple(files)
        if new.consent is not None:
            files[CONSENT] = to_bytes(new.consent)
        if new.quality is not None:
            files[QUALITY] = to_bytes(new.quality)
        fields = {
            "owner": new.owner,
            "name": new.name,
            "language": new.language,
            "transcript": new.transcript,
            "created": int(self._clock()),
            "device": self.device,
            "recordings": recordings,
            "files": {name: FileEntry(sha256=sha256(data), bytes=len(data)) for name, data in files.items()},
        }
        card = to_bytes(check(Card, fields, error=VoiceError, what="the new voice"))
        return self.accept(VoiceRef(new.owner, voice_id(card)), card, files, event="enrolled")

    def accept(
        self, ref: VoiceRef, card: bytes, files: dict[str, bytes], *, event: str, share: ShareEntry | None = None
    ) -> EnrolledVoice:
        """Store a voice from elsewhere after full checks; a deleted one is refused. `share`: holds from the first
        moment on."""
        check_files(read_card(card, ref=ref), files, require_consent=self.require_consent)
        with self.changing():
            self._refuse_deleted(ref)
            if self._is_whole(ref):
                return self.get(ref)
            shared = {} if share is None else {SHARE: to_bytes(share)}
            self._put(self.folder(ref), {**shared, **files, CARD: card})
            self._audit.append(event, ref.audited())
            self._deletions.keep_reserve()
        return self.get(ref)

    def rename(self, ref: VoiceRef, name: str) -> EnrolledVoice:
        """Rename a voice here and, by sync, on every device."""
        check_display_name(name)
        with self.changing():
            counter = self.get(ref).title.counter + 1
            fields = {"owner": ref.owner, "voice": ref.id, "name": name, "counter": counter, "device": self.device}
            self._write_register(ref, check(NameEntry, fields, error=VoiceError, what="the new name"))
        return self.get(ref)

    def share(self, ref: VoiceRef, names: Collection[str] | None) -> EnrolledVoice:
        """Let these devices and callers use a voice, or everybody (None), here and, by sync, on every device."""
        with self.changing():
            counter = self.get(ref).share.counter + 1
            shared = None if names is None else tuple(sorted({name.casefold() for name in names}))
            fields = {"owner": ref.owner, "voice": ref.id, "names": shared, "counter": counter, "device": self.device}
            self._write_register(ref, check(ShareEntry, fields, error=VoiceError, what="whom to share with"))
        return self.get(ref)

    def merge(self, ref: VoiceRef, entry: NameEntry | ShareEntry) -> bool:
        """Store another device's register if it outranks ours; True if it did."""
        with self.changing():
            voice = self.get(ref)
            if not entry.outranks(voice.title if isinstance(entry, NameEntry) else voice.share):
                return False
            self._write_register(ref, entry)
        return True

    def delete(self, ref: VoiceRef) -> None:
        """Delete a voice for good: here now, in the bucket at the next sync."""
        self._require_folder(ref)
        self.apply_tombstone(ref, to_bytes(self._deletions.new_tombstone(ref)))

    def delete_later(self, ref: VoiceRef) -> None:
        """Delete a voice so that `undelete` can bring it back for `undo_s`: it is silent here at once, and is deleted
        for good by `recover` or `finish_deletions` afterwards."""
        if self._undo_s == 0:
            self.delete(ref)
            return
        with self.changing():
            self._require_folder(ref)
            self._deletions.begin(ref)

    def undelete(self, ref: VoiceRef) -> None:
        with self.changing():
            self._require_folder(ref)
            if not self._deletions.undo(ref):
                raise UnknownVoiceError(f"the voice {ref.id} of {ref.owner} is not about to be deleted")

    def pending_deletions(self) -> tuple[PendingDeletion, ...]:
        with _disk_errors(self.directory):
            pending = self._deletions.pending()
        return tuple(PendingDeletion(ref, self._last_name(ref), at + self._undo_s) for ref, at in pending.items())

    def find_pending(self, query: str) -> VoiceRef:
        """Like `find`, among the voices whose deletion can be undone."""
        return _require_ref({one.ref: one.name for one in self.pending_deletions()}, query)

    def finish_deletions(self) -> None:
        """Delete for good what was deleted more than `undo_s` ago."""
        with self.changing():
            self._deletions.finish_pending(undo_s=self._undo_s)

    def apply_tombstone(self, ref: VoiceRef, data: bytes) -> bool:
        """Delete a voice by any device's tombstone, also on a full disk; True if it was here.

        Files that cannot be removed now are retried by `recover`.
        """
        with self.changing():
            return self._deletions.delete(ref, data)

    def tombstones(self) -> dict[VoiceRef, bytes]:
        """Deleted voice -> its tombstone; no bytes if it cannot be read."""
        with _disk_errors(self.directory):
            return self._deletions.tombstones()

    def tombstone(self, ref: VoiceRef) -> bytes:
        return self._deletions.tombstone(ref)

    def drop_incoming(self, *, keep: Collection[VoiceRef]) -> None:
        """Remove partial fetches except those of `keep`."""
        with self.changing():
            for folder in self.directory.glob(f".incoming/{VOICES}"):
                if VoiceRef(folder.parent.name, folder.name) not in keep:
                    remove(folder)

    def folder(self, ref: VoiceRef) -> Path:
        return folder_of(self.directory, ref)

    def incoming(self, ref: VoiceRef) -> Path:
        """Where a partial fetch is kept."""
        return incoming_of(self.directory, ref)

    def note(self, event: str, ref: VoiceRef) -> None:
        with self.changing():
            self._audit.append(event, ref.audited())

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the folder's lock, also against other processes. Raises VoiceError."""
        with _disk_errors(self.directory), locked_folder(self.directory):
            yield

    def _refs(self) -> list[VoiceRef]:
        folders: list[Path] = []
        with _disk_errors(self.directory):
            for owner in self.directory.glob(OWNERS):
                with suppress(FileNotFoundError):  # the owner's last voice was deleted meanwhile
                    folders += owner.glob(IDS)
        return [VoiceRef(path.parent.name, path.name) for path in sorted(folders)]

    def _require_folder(self, ref: VoiceRef) -> None:
        with _disk_errors(self.folder(ref)):
            if not self.folder(ref).exists():
                raise UnknownVoiceError(f"there is no voice {ref.id} of {ref.owner}")

    def _last_name(self, ref: VoiceRef) -> str:
        """Of a voice that may be deleted or damaged."""
        try:
            return self._title(ref, read_card((self.folder(ref) / CARD).read_bytes(), ref=ref)).name
        except (OSError, VoiceError):
            return ""

    def _title(self, ref: VoiceRef, card: Card) -> NameEntry:
        """The name register; without a readable one, the name given at enrolment."""
        path = self.folder(ref) / NAME
        try:
            return read_name(path.read_bytes(), ref=ref, what=str(path))
        except (OSError, VoiceError):
            return NameEntry(owner=ref.owner, voice=ref.id, name=card.name, counter=0, device=card.device)

    def _share(self, ref: VoiceRef, card: Card) -> ShareEntry:
        """The owner's word: everybody before there is one, nobody where it cannot be read, until the bucket has it."""
        path, names = self.folder(ref) / SHARE, None
        try:
            return read_share(path.read_bytes(), ref=ref, what=str(path))
        except FileNotFoundError:
            pass
        except (OSError, VoiceError):
            names = ()
        return ShareEntry(owner=ref.owner, voice=ref.id, names=names, counter=0, device=card.device)

    def _write_register(self, ref: VoiceRef, entry: NameEntry | ShareEntry) -> None:
        name, event = (NAME, "renamed") if isinstance(entry, NameEntry) else (SHARE, "shared")
        write_atomic(self.folder(ref) / name, to_bytes(entry))
        self._audit.append(event, ref.audited(), by=entry.device)

    def _put(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Publish a voice atomically; over a damaged copy, replace file by file and keep its name register."""
        if not folder.exists():
            make_folder(folder.parent)
            publish(files, folder, staging=self.directory / ".staging")
            return
        for name, data in files.items():
            write_atomic(folder / name, data)

    def _is_whole(self, ref: VoiceRef) -> bool:
        try:
            self.files(self.get(ref))
        except (UnknownVoiceError, VoiceError):
            return False
        return True

    def _refuse_deleted(self, ref: VoiceRef) -> None:
        if self._deletions.path(ref).exists():
            raise VoiceError(f"voice {ref.id} of {ref.owner} was deleted and stays deleted; record the person anew")
        if self._deletions.is_deleted(ref):
            raise VoiceError(f"voice {ref.id} of {ref.owner} was just deleted; `edge-ttsd voices undelete` undoes that")


@contextmanager
def _disk_errors(where: Path) -> Iterator[None]:
    """OSError -> VoiceError."""
    try:
        yield
    except OSError as error:
        raise VoiceError(f"{error.filename or where}: {error.strerror or error}") from error


def find_ref(names: Mapping[VoiceRef, str], query: str) -> VoiceRef | None:
    """The voice of an id (at least 6 digits of it) or a name, None if there is none.

    A whole id precedes a name, and the case as written precedes any other. `names` is empty for a voice of unknown
    name. Raises UnknownVoiceError when several match.
    """
    matches = [ref for ref in names if ref.id == query] or _named(names, query)
    matches = matches or _named({ref: name.casefold() for ref, name in names.items()}, query.casefold())
    if len(matches) > 1:
        ids = ", ".join(f"{ref.owner}/{ref.id}" for ref in matches)
        raise UnknownVoiceError(f"'{query}' may mean {len(matches)} voices; give the id: {ids}")
    return matches[0] if matches else None


def _named(names: Mapping[VoiceRef, str], query: str) -> list[VoiceRef]:
    return [
        ref
        for ref, name in names.items()
        if query and (same_name(name, query) or (len(query) >= _SHORTEST_PREFIX and ref.id.startswith(query)))
    ]


def _require_ref(names: Mapping[VoiceRef, str], query: str) -> VoiceRef:
    ref = find_ref(names, query)
    if ref is None:
        known = [name for name in names.values() if name]
        raise UnknownVoiceError(f"there is no voice '{query}'{nearest(query, known)}")
    return ref
