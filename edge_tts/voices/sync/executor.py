"""Executes the plan of a sync between a voice store and a bucket. No byte is trusted before it is hashed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from edge_tts.buckets.bucket import Blob, ListedObject
from edge_tts.buckets.folder_bucket import ROOT
from edge_tts.durable.folders import make_folder
from edge_tts.errors import TransportError, UnknownVoiceError, VoiceError
from edge_tts.voices.format import (
    CONSENT,
    MOST_JSON_BYTES,
    Card,
    NameEntry,
    ShareEntry,
    VoiceRef,
    read_card,
    read_name,
    read_share,
    read_tombstone,
    sha256,
    to_bytes,
    voice_id,
)
from edge_tts.voices.store import EnrolledVoice, VoiceStore
from edge_tts.voices.sync.notes import NotesFile, Publish, SyncNotes, SyncReport
from edge_tts.voices.sync.plan import (
    Key,
    Kind,
    Local,
    LocalRegister,
    LocalVoice,
    SyncStep,
    parse_key,
    plan_registers,
    plan_tombstones,
    plan_voices,
)

NOTES = ".sync.json"


class Objects(Protocol):
    """The methods of `Bucket` that are used here."""

    def list(self, prefix: str) -> dict[str, ListedObject]: ...

    def get(self, path: str, *, most: int) -> Blob | None: ...

    def create(self, path: str, data: bytes) -> str | None: ...

    def replace(self, path: str, data: bytes) -> str | None: ...

    def delete(self, path: str) -> None: ...


class _OvertakenError(Exception):
    """The local or remote object has changed since the plan was made."""


class _WrongBytesError(VoiceError):
    """A remote object does not match the hash in its name."""


class SyncExecutor:
    """Syncs one store with one bucket; only voices of `owners`, unless None."""

    def __init__(
        self,
        *,
        store: VoiceStore,
        bucket: Objects,
        name: str,
        clock: Callable[[], float],
        owners: Sequence[str] | None = None,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._name = name
        self._clock = clock
        self._publish: Publish = lambda report: None
        self._owners = owners
        self._file = NotesFile(store.directory / NOTES, bucket=name)
        self._notes = SyncNotes(SyncReport(bucket=name))
        self._remote: dict[Key, str] = {}
        self._shares: dict[VoiceRef, list[Key]] = {}
        self._failed: set[VoiceRef] = set()
        self._deleted: set[VoiceRef] = set()
        self._damaged: tuple[tuple[VoiceRef, str], ...] = ()
        self._acts = {
            "send": self._send,
            "check": self._check,
            "fetch": self._fetch,
            "delete": self._delete,
            "compare": self._compare,
            "erase": self._erase,
        }

    def run(self, *, publish: Publish = lambda report: None, thorough: bool = False) -> SyncReport:
        """One sync, as far as possible; the next one resumes. `thorough` hashes every object and local file again."""
        self._publish = publish
        self._notes = self._file.read()
        last = self._notes.report.last_success
        self._report(SyncReport(bucket=self._name, status="running", started=self._clock(), last_success=last))
        if thorough:
            self._notes.checked.clear()
        self._recover_store()
        try:
            self._list_remote()
            self._note_use()
            local = self._local(thorough)
            for plan in (plan_tombstones, plan_voices, plan_registers):
                steps = plan(local, self._remote, self._notes.checked)
                if steps:
                    self._execute(steps)
                    local = self._local(thorough)
            self._drop_incoming()
            for ref, problem in self._damaged:
                if self._is_ours(ref):
                    self._report(self._notes.report.with_problem(problem))
            status = "incomplete" if self._notes.report.problems else "done"
            self._update(status=status)
        except (TransportError, VoiceError) as error:  # a VoiceError outside a step is the disk's
            self._update(status="failed", error=str(error))
        return self._finish()

    def _recover_store(self) -> None:
        try:
            self._store.recover()
        except VoiceError as error:
            self._report(self._notes.report.with_problem(str(error)))

    def _list_remote(self) -> None:
        """List the bucket, and forget checked marks of objects that are gone."""
        self._failed.clear()
        self._deleted.clear()
        self._remote, self._shares = {}, {}
        for prefix in [ROOT] if self._owners is None else [f"{ROOT}/{owner}" for owner in self._owners]:
            for path, listed in self._bucket.list(prefix).items():
                key = parse_key(path)
                if key is not None:
                    self._remote[key] = listed.mark
                    if key.kind == "shares":
                        self._shares.setdefault(key.ref, []).append(key)
        self._notes.checked = {key: mark for key, mark in self._notes.checked.items() if key in self._remote}

    def _note_use(self) -> None:
        """Note at once, whatever becomes of this sync, that the bucket was reached."""
        if not self._notes.used:
            self._notes.used = True
            with self._store.changing():
                self._file.write(self._notes)

    def _local(self, thorough: bool) -> Local:
        voices = {}
        stored = self._store.stored(thorough=thorough)
        self._damaged = stored.damaged
        for voice in stored.voices:
            if self._is_ours(voice.ref):
                files = frozenset(entry.sha256 for entry in voice.card.files.values())
                registers: dict[Kind, LocalRegister] = {
                    kind: LocalRegister(entry.counter, sha256(to_bytes(entry)))
                    for kind, entry in _registers(voice).items()
                }
                voices[voice.ref] = LocalVoice(files, registers)
        tombstones = {ref: sha256(data) for ref, data in self._store.tombstones().items() if self._is_ours(ref)}
        return Local(voices, tombstones, {one.ref for one in self._store.pending_deletions()})

    def _is_ours(self, ref: VoiceRef) -> bool:
        return self._owners is None or ref.owner in self._owners

    def _execute(self, steps: Sequence[SyncStep]) -> None:
        """A failed step skips the rest of its voice, except tombstones: a bad one may lie beside a good one."""
        report = self._notes.report
        self._update(planned=report.planned + len(steps))
        for step in steps:
            try:
                if step.ref not in self._failed or step.act == "delete":
                    self._acts[step.act](step.key)
            except (_OvertakenError, UnknownVoiceError):
                self._failed.add(step.ref)  # the next sync sees the change
            except TransportError as error:
                self._bucket.list(f"{ROOT}/{step.ref.owner}/{step.ref.id}")  # raises if the whole bucket is unreachable
                self._fail(step.ref, f"{step.key.path}: {error}")
            except VoiceError as error:
                self._fail(step.ref, str(error))
            self._update(done=self._notes.report.done + 1)

    def _fail(self, ref: VoiceRef, problem: str) -> None:
        self._failed.add(ref)
        self._report(self._notes.report.with_problem(problem))

    def _send(self, key: Key) -> None:
        """Put a local object. It stays unchecked until a later sync has read it back: uploads go wrong too."""
        mark = self._bucket.create(key.path, self._local_bytes(key))
        if mark is not None:  # None: another device was faster
            self._remote[key] = mark
            self._update(sent=self._notes.report.sent + 1)

    def _check(self, key: Key) -> None:
        """Read an object whose mark has changed, and repair it from ours if it differs."""
        data = self._local_bytes(key)
        blob = self._bucket.get(key.path, most=len(data))
        if blob is not None and blob.data == data:
            self._mark_checked(key, blob.mark)
        elif blob is not None:
            self._bucket.replace(key.path, data)
            self._update(sent=self._notes.report.sent + 1)

    def _fetch(self, key: Key) -> None:
        """Fetch a voice file by file, resuming an earlier attempt."""
        blob = self._bucket.get(key.path, most=MOST_JSON_BYTES)
        if blob is None:
            return  # just deleted
        if voice_id(blob.data) != key.ref.id:
            raise VoiceError(f"{key.path}: wrong bytes in the bucket")
        card = read_card(blob.data, ref=key.ref, what=key.path)
        if self._store.require_consent and CONSENT not in card.files:
            raise VoiceError(f"{key.path}: a voice without a consent record is not taken (voices.require_consent)")
        folder = self._store.incoming(key.ref)
        files = self._collect(key.ref, card, folder)
        self._store.accept(key.ref, blob.data, files, event="fetched", share=self._latest_share(key.ref))
        self._mark_checked(key, blob.mark)
        self._update(fetched=self._notes.report.fetched + 1)

    def _collect(self, ref: VoiceRef, card: Card, folder: Path) -> dict[str, bytes]:
        files = {}
        for name, entry in card.files.items():
            path = folder / entry.sha256
            data = _read(path)
            if data is None or sha256(data) != entry.sha256:
                data = self._get_verified(Key(ref, "files", entry.sha256), most=entry.bytes)
                with self._store.changing():
                    make_folder(folder)
                    path.write_bytes(data)  # no fsync: its hash tells a torn file
            files[name] = data
        return files

    def _latest_share(self, ref: VoiceRef) -> ShareEntry | None:
        """The owner's word about a voice that is not here yet: it must not speak a moment without."""
        latest = ShareEntry(owner=ref.owner, voice=ref.id, names=None, counter=0, device="")
        for key in self._shares.get(ref, ()):
            with suppress(_WrongBytesError):  # its writer sends it again
                entry = read_share(self._get_verified(key, most=MOST_JSON_BYTES), ref=ref, what=key.path)
                latest = entry if entry.outranks(latest) else latest
        return latest if latest.counter else None

    def _delete(self, key: Key) -> None:
        """Delete the voice. One good tombstone is enough."""
        if key.ref in self._deleted:
            return
        data = self._get_verified(key, most=MOST_JSON_BYTES)
        read_tombstone(data, ref=key.ref, what=key.path)
        was_here = self._store.apply_tombstone(key.ref, data)
        self._deleted.add(key.ref)
        self._failed.discard(key.ref)
        self._update(deleted=self._notes.report.deleted + was_here)

    def _compare(self, key: Key) -> None:
        """Store a register that outranks ours; erase one that does not, or that is damaged."""
        read = read_name if key.kind == "names" else read_share
        try:
            entry = read(self._get_verified(key, most=MOST_JSON_BYTES), ref=key.ref, what=key.path)
        except _WrongBytesError:
            self._erase(key)  # its writer still has it and sends it again
            return
        if self._store.merge(key.ref, entry):
            self._update(renamed=self._notes.report.renamed + isinstance(entry, NameEntry))
            return
        ours = _registers(self._store.get(key.ref))[key.kind]
        if ours.counter == 0 or Key(key.ref, key.kind, sha256(to_bytes(ours))) in self._remote:
            self._erase(key)

    def _erase(self, key: Key) -> None:
        self._bucket.delete(key.path)
        self._remote.pop(key, None)
        self._notes.checked.pop(key, None)

    def _local_bytes(self, key: Key) -> bytes:
        if key.kind == "tombstones":
            data = self._store.tombstone(key.ref)
            read_tombstone(data, ref=key.ref, what=f"the tombstone of {key.ref.owner}/{key.ref.id}")
            if sha256(data) != key.sha256:
                raise _OvertakenError
            return data
        voice = self._store.get(key.ref)
        if key.kind == "card":
            return self._store.card_bytes(voice)
        registers = _registers(voice)
        if key.kind in registers:
            entry = to_bytes(registers[key.kind])
            if sha256(entry) != key.sha256:
                raise _OvertakenError
            return entry
        return self._store.read(voice, _file_of(voice, key.sha256))

    def _get_verified(self, key: Key, *, most: int) -> bytes:
        """The remote bytes, checked by their hash; retried once, as the transfer may be at fault."""
        if key not in self._remote:
            raise VoiceError(f"{key.path}: is missing in the bucket")
        for _ in range(2):
            blob = self._bucket.get(key.path, most=most)
            if blob is None:
                raise _OvertakenError
            if sha256(blob.data) == key.sha256:
                self._mark_checked(key, blob.mark)
                return blob.data
        raise _WrongBytesError(f"{key.path}: wrong bytes in the bucket")

    def _mark_checked(self, key: Key, mark: str) -> None:
        self._remote[key] = self._notes.checked[key] = mark

    def _drop_incoming(self) -> None:
        """Drop partial fetches of voices that are complete, deleted, or gone from the bucket."""
        unfinished = {key.ref for key in self._remote if key.kind == "card" and key.ref in self._failed}
        self._store.drop_incoming(keep=unfinished)

    def _finish(self) -> SyncReport:
        now, report = self._clock(), self._notes.report
        last = now if report.status == "done" else report.last_success
        self._notes.report = report.model_copy(update={"finished": now, "last_success": last})
        try:
            with self._store.changing():
                self._file.write(self._notes)
        except VoiceError as error:
            self._notes.report = report.model_copy(update={"finished": now, "status": "failed", "error": str(error)})
        self._publish(self._notes.report)
        return self._notes.report

    def _update(self, **fields: object) -> None:
        self._report(self._notes.report.model_copy(update=fields))

    def _report(self, report: SyncReport) -> None:
        self._notes.report = report
        self._publish(report)


def _registers(voice: EnrolledVoice) -> dict[Kind, NameEntry | ShareEntry]:
    return {"shares": voice.share, "names": voice.title}


def _file_of(voice: EnrolledVoice, sha256: str) -> str:
    for name, entry in voice.card.files.items():
        if entry.sha256 == sha256:
            return name
    raise VoiceError(f"{voice.folder}: has no file of that hash")


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
