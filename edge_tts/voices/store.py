"""Enrolled voices on disk: each an immutable folder that appears and goes by one rename. Knows no network and no sound.

OWNER/ID/voice.json, reference.flac, consent.json, quality.json    never change; ID is the hash of voice.json
OWNER/ID/name.json                                                 what the voice is called now
OWNER/ID/features/FINGERPRINT.npz                                  what a model set derived; made anew when lost
.deleted/OWNER/ID.json                                             tombstones, kept for good
.staging/ .incoming/                                               half-done work, swept; a fetch goes on from .incoming
.reserve                                                           room for a deletion on a full disk
audit.log                                                          one JSON line per change
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder, publish, remove
from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.schema import check, nearest
from edge_tts.voices.audit_log import AuditLog
from edge_tts.voices.deletions import Deletions
from edge_tts.voices.format import (
    CARD,
    CONSENT,
    NAME,
    QUALITY,
    Card,
    Consent,
    FileEntry,
    NameEntry,
    Quality,
    VoiceRef,
    check_display_name,
    check_entry,
    check_files,
    read_card,
    read_name,
    same_name,
    sha256,
    to_bytes,
    voice_id,
)
from edge_tts.voices.voice_folder import IDS, OWNERS, VOICES, folder_of, held, incoming_of, sweep

_NONE: Mapping[VoiceRef, EnrolledVoice] = {}
_SHORTEST_PREFIX = 6


@dataclass(frozen=True, slots=True)
class NewVoice:
    """A voice about to be stored."""

    owner: str
    name: str
    language: str
    transcript: str
    """What is said in the first recording."""
    recordings: Sequence[bytes]
    """FLAC files; the first one is the prompt of the GPT."""
    consent: Consent | None
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class EnrolledVoice:
    """A voice as it lies on the disk."""

    ref: VoiceRef
    card: Card
    title: NameEntry
    folder: Path

    @property
    def name(self) -> str:
        """What the voice is called now."""
        return self.title.name


@dataclass(frozen=True, slots=True)
class StoredVoices:
    """All that is stored: the voices that can be used, and what is wrong with the others."""

    voices: tuple[EnrolledVoice, ...]
    damaged: tuple[tuple[VoiceRef, str], ...] = ()


class VoiceStore:
    """The only one who changes the voices' folder; safe from any thread and process. Errors are VoiceErrors.

    `device` names this box in records and in the log; `clock` gives seconds since 1970 and decides nothing.
    """

    def __init__(
        self, *, directory: Path, device: str, clock: Callable[[], float], require_consent: bool = True
    ) -> None:
        self.directory = directory
        self.require_consent = require_consent
        self._device = device
        self._clock = clock
        self._audit = AuditLog(path=directory / "audit.log", clock=clock)
        self._deletions = Deletions(directory=directory, device=device, clock=clock, audit=self._audit)

    def recover(self) -> None:
        """Make the folder if need be, sweep up after a crash and finish deletions that it interrupted."""
        with self.changing():
            sweep(self.directory)
            self._deletions.finish()

    def stored(self, *, thorough: bool = False, known: Mapping[VoiceRef, EnrolledVoice] = _NONE) -> StoredVoices:
        """Every voice, by owner and id. `thorough` reads the recordings too and finds the ones that have rotted.

        Those that are `known`, as they are, need not be read again.
        """
        voices, damaged = [], []
        for ref in self._refs():
            try:
                voice = known.get(ref) or self.get(ref)
                if thorough:
                    self.files(voice)
                voices.append(voice)
            except UnknownVoiceError:
                continue  # deleted while we looked
            except VoiceError as wrong:
                if not os.path.exists(self._deletions.path(ref)):  # else it was deleted while we looked, too
                    damaged.append((ref, str(wrong)))
        return StoredVoices(tuple(voices), tuple(damaged))

    def get(self, ref: VoiceRef) -> EnrolledVoice:
        """That voice. Raises UnknownVoiceError, or VoiceError when its card is damaged or cannot be read."""
        folder = self.folder(ref)
        with _disk(folder):
            if not folder.is_dir() or self._deletions.path(ref).exists():
                raise UnknownVoiceError(f"there is no voice {ref.id} of {ref.owner}")
            card = read_card((folder / CARD).read_bytes(), ref=ref, what=str(folder / CARD))
        return EnrolledVoice(ref, card, self._title(ref, card), folder)

    def find(self, wanted: str, *, owner: str | None = None) -> EnrolledVoice:
        """The one voice of that id (6 digits of it will do) or that name. Raises UnknownVoiceError."""
        voices = {voice.ref: voice for voice in self.stored().voices if owner in (None, voice.ref.owner)}
        return voices[_known({ref: voice.name for ref, voice in voices.items()}, wanted)]

    def find_remains(self, wanted: str) -> VoiceRef:
        """Like `find`, to delete it: also what is damaged, or was deleted but not to the end, by its id."""
        names = {voice.ref: voice.name for voice in self.stored().voices}
        return _known({ref: names.get(ref, "") for ref in self._refs()}, wanted)

    def card_bytes(self, voice: EnrolledVoice) -> bytes:
        """The card as it was hashed into the id."""
        with _disk(voice.folder):
            data = (voice.folder / CARD).read_bytes()
        read_card(data, ref=voice.ref)
        return data

    def files(self, voice: EnrolledVoice) -> dict[str, bytes]:
        """The immutable files of a voice except its card, each checked by its hash."""
        return {name: self.read(voice, name) for name in voice.card.files}

    def read(self, voice: EnrolledVoice, name: str) -> bytes:
        """One immutable file of a voice, checked by its hash."""
        with _disk(voice.folder):
            data = (voice.folder / name).read_bytes()
        check_entry(str(voice.folder / name), data, voice.card.files[name])
        return data

    def add(self, new: NewVoice) -> EnrolledVoice:
        """Store a voice that was enrolled here."""
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
            "device": self._device,
            "recordings": recordings,
            "files": {name: FileEntry(sha256=sha256(data), bytes=len(data)) for name, data in files.items()},
        }
        card = to_bytes(check(Card, fields, error=VoiceError, what="the new voice"))
        return self.accept(VoiceRef(new.owner, voice_id(card)), card, files, event="enrolled")

    def accept(self, ref: VoiceRef, card: bytes, files: dict[str, bytes], *, event: str) -> EnrolledVoice:
        """Store a voice that was made elsewhere (archive, bucket): checked in full, refused if it was deleted."""
        check_files(read_card(card, ref=ref), files, require_consent=self.require_consent)
        with self.changing():
            self._refuse_deleted(ref)
            if self._is_whole(ref):
                return self.get(ref)
            self._put(self.folder(ref), {CARD: card, **files})
            self._audit.append(event, ref, by=self._device)
            self._deletions.keep_reserve()
        return self.get(ref)

    def rename(self, ref: VoiceRef, name: str) -> EnrolledVoice:
        """Call a voice something else, here and, in time, on every device."""
        check_display_name(name)
        with self.changing():
            counter = self.get(ref).title.counter + 1
            fields = {"owner": ref.owner, "voice": ref.id, "name": name, "counter": counter, "device": self._device}
            self._write_title(ref, check(NameEntry, fields, error=VoiceError, what="the new name"))
        return self.get(ref)

    def merge_name(self, ref: VoiceRef, entry: NameEntry) -> bool:
        """Take over a name given elsewhere if it outranks ours; True if it did."""
        with self.changing():
            if not entry.outranks(self.get(ref).title):
                return False
            self._write_title(ref, entry)
        return True

    def delete(self, ref: VoiceRef) -> None:
        """Delete a voice for good: audio, records and features here now, the bucket's copy at the next sync."""
        with _disk(self.folder(ref)):
            if not self.folder(ref).exists():
                raise UnknownVoiceError(f"there is no voice {ref.id} of {ref.owner}")
        self.apply_tombstone(ref, to_bytes(self._deletions.new_tombstone(ref)))

    def apply_tombstone(self, ref: VoiceRef, stone: bytes) -> bool:
        """Obey a tombstone, ours or another device's, also on a full disk; True if the voice was here.

        Once the tombstone is on disk there is no return: what refuses to go now goes the next time, or by `recover`.
        """
        with self.changing():
            return self._deletions.delete(ref, stone)

    def tombstones(self) -> dict[VoiceRef, bytes]:
        """Every deleted voice and its tombstone; of one that cannot be read, no bytes: it holds all the same."""
        with _disk(self.directory):
            return self._deletions.tombstones()

    def tombstone(self, ref: VoiceRef) -> bytes:
        """That one of a deleted voice; no bytes if it cannot be read."""
        return self._deletions.tombstone(ref)

    def drop_incoming(self, *, keep: Collection[VoiceRef]) -> None:
        """Remove what was collected of voices, except of those that are to be fetched on."""
        with self.changing():
            for folder in self.directory.glob(f".incoming/{VOICES}"):
                if VoiceRef(folder.parent.name, folder.name) not in keep:
                    remove(folder)

    def folder(self, ref: VoiceRef) -> Path:
        """Where that voice lies, or would."""
        return folder_of(self.directory, ref)

    def incoming(self, ref: VoiceRef) -> Path:
        """Where the files of a voice are collected that is being fetched from elsewhere."""
        return incoming_of(self.directory, ref)

    def note(self, event: str, ref: VoiceRef) -> None:
        """Put a line into the audit log."""
        with self.changing():
            self._audit.append(event, ref, by=self._device)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Hold the folder while it is changed: one change at a time, whoever makes it. Raises VoiceError."""
        with _disk(self.directory), held(self.directory):
            yield

    def _refs(self) -> list[VoiceRef]:
        folders: list[Path] = []
        with _disk(self.directory):
            for owner in self.directory.glob(OWNERS):
                with suppress(FileNotFoundError):  # the last voice was deleted while we looked, and the folder with it
                    folders += owner.glob(IDS)
        return [VoiceRef(path.parent.name, path.name) for path in sorted(folders)]

    def _title(self, ref: VoiceRef, card: Card) -> NameEntry:
        """The name register; a voice that was never renamed, or whose register is damaged, has its first name."""
        path = self.folder(ref) / NAME
        try:
            return read_name(_read(path), ref=ref, what=str(path))
        except VoiceError:
            return NameEntry(owner=ref.owner, voice=ref.id, name=card.name, counter=0, device=card.device)

    def _write_title(self, ref: VoiceRef, entry: NameEntry) -> None:
        write_atomic(self.folder(ref) / NAME, to_bytes(entry))
        self._audit.append("renamed", ref, by=entry.device)

    def _put(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Let a voice appear at once. Of a damaged copy each file is replaced in its place: what it is called stays."""
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


@contextmanager
def _disk(where: Path) -> Iterator[None]:
    """Troubles of the disk as VoiceError."""
    try:
        yield
    except OSError as trouble:
        raise VoiceError(f"{trouble.filename or where}: {trouble.strerror or trouble}") from trouble


def _read(path: Path) -> bytes:
    """What is in a file; nothing if it is not there or cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def meant(names: Mapping[VoiceRef, str], wanted: str) -> VoiceRef | None:
    """Which of the voices an id (6 digits of it will do) or a name means, if any; a whole id goes before a name.

    `names` is empty for a voice whose name nobody knows. Raises UnknownVoiceError when it may mean several.
    """
    found = [ref for ref in names if ref.id == wanted] or [
        ref
        for ref, name in names.items()
        if wanted and (same_name(name, wanted) or (len(wanted) >= _SHORTEST_PREFIX and ref.id.startswith(wanted)))
    ]
    if len(found) > 1:
        ids = ", ".join(f"{ref.owner}/{ref.id}" for ref in found)
        raise UnknownVoiceError(f"'{wanted}' may mean {len(found)} voices; give the id: {ids}")
    return found[0] if found else None


def _known(names: Mapping[VoiceRef, str], wanted: str) -> VoiceRef:
    """The same; no voice is an error, too."""
    ref = meant(names, wanted)
    if ref is None:
        known = [name for name in names.values() if name]
        raise UnknownVoiceError(f"there is no voice '{wanted}'{nearest(wanted, known)}")
    return ref
