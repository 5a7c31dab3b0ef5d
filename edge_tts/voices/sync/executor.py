"""Carries out what `sync` plans, between the voices on disk and a bucket. Trusts no byte that it has not hashed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from edge_tts.durable.folders import make_folder
from edge_tts.errors import TransportError, UnknownVoiceError, VoiceError
from edge_tts.voices.format import (
    CONSENT,
    MOST_JSON_BYTES,
    Card,
    VoiceRef,
    read_card,
    read_name,
    read_tombstone,
    sha256,
    to_bytes,
    voice_id,
)
from edge_tts.voices.store import EnrolledVoice, VoiceStore
from edge_tts.voices.sync.bucket import Blob, Found
from edge_tts.voices.sync.notes import NotesFile, Publish, SyncNotes, SyncReport
from edge_tts.voices.sync.plan import (
    ROOT,
    Key,
    Local,
    LocalVoice,
    SyncStep,
    parse_key,
    plan_names,
    plan_tombstones,
    plan_voices,
)

NOTES = ".sync.json"


class Objects(Protocol):
    """What the syncer asks of a bucket; `Bucket` in production. Failures are TransportErrors."""

    def list(self, prefix: str) -> dict[str, Found]:
        """Every object below `prefix`."""

    def get(self, path: str, *, most: int) -> Blob | None:
        """An object's bytes."""

    def create(self, path: str, data: bytes) -> str | None:
        """Put a new object; None if there was one."""

    def replace(self, path: str, data: bytes) -> str | None:
        """Put an object, whatever is there."""

    def delete(self, path: str) -> None:
        """Remove an object, if it is there."""


class _OvertakenError(Exception):
    """What was planned no longer makes sense: somebody changed it here or there since."""


class _WrongBytesError(VoiceError):
    """An object of the bucket is not what its name says."""


class SyncExecutor:
    """Brings one store and one bucket together. `owners` limits it to the voices of those; None means all."""

    def __init__(
        self,
        *,
        store: VoiceStore,
        bucket: Objects,
        name: str,
        clock: Callable[[], float],
        publish: Publish = lambda report: None,
        owners: Sequence[str] | None = None,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._name = name
        self._clock = clock
        self._publish = publish
        self._owners = owners
        self._file = NotesFile(store.directory / NOTES, bucket=name)
        self._notes = SyncNotes(SyncReport(bucket=name))
        self._remote: dict[Key, str] = {}
        self._failed: set[VoiceRef] = set()
        self._obeyed: set[VoiceRef] = set()
        self._damaged: tuple[tuple[VoiceRef, str], ...] = ()
        self._acts = {
            "send": self._send,
            "check": self._check,
            "fetch": self._fetch,
            "obey": self._obey,
            "compare": self._compare,
            "erase": self._erase,
        }

    def run(self, *, thorough: bool = False) -> SyncReport:
        """One sync from beginning to end, or as far as it goes; the next one takes up from there.

        `thorough` trusts no earlier check: every object in the bucket and every file here is read and hashed again.
        """
        self._notes = self._file.read()
        last = self._notes.report.last_success
        self._tell(SyncReport(bucket=self._name, status="running", started=self._clock(), last_success=last))
        if thorough:
            self._notes.checked.clear()
        self._tidy()
        try:
            self._list()
            self._note_use()
            local = self._local(thorough)
            for plan in (plan_tombstones, plan_voices, plan_names):
                steps = plan(local, self._remote, self._notes.checked)
                if steps:  # else all is as it was, and need not be read again
                    self._carry_out(steps)
                    local = self._local(thorough)
            self._sweep()
            for ref, problem in self._damaged:
                if self._is_ours(ref):
                    self._tell(self._notes.report.with_problem(problem))
            status = "incomplete" if self._notes.report.problems else "done"
            self._change(status=status)
        except (TransportError, VoiceError) as error:  # a VoiceError that belongs to no voice is the disk's
            self._change(status="failed", error=str(error))
        return self._finish()

    def _tidy(self) -> None:
        """Finish deletions that the disk refused to; what it refuses still is told."""
        try:
            self._store.recover()
        except VoiceError as trouble:
            self._tell(self._notes.report.with_problem(str(trouble)))

    def _list(self) -> None:
        """What is there; a mark that has been checked stays checked only as long as its object is there."""
        self._failed.clear()
        self._obeyed.clear()
        self._remote = {}
        for prefix in [ROOT] if self._owners is None else [f"{ROOT}/{owner}" for owner in self._owners]:
            for path, found in self._bucket.list(prefix).items():
                key = parse_key(path)
                if key is not None:
                    self._remote[key] = found.mark
        self._notes.checked = {key: mark for key, mark in self._notes.checked.items() if key in self._remote}

    def _note_use(self) -> None:
        """Remember that the bucket is there, whatever becomes of this sync."""
        if not self._notes.used:
            self._notes.used = True
            with self._store.changing():
                self._file.write(self._notes)

    def _local(self, thorough: bool) -> Local:
        """What is here, as of now."""
        voices = {}
        features = self._store.stored(thorough=thorough)
        self._damaged = features.damaged
        for voice in features.voices:
            if self._is_ours(voice.ref):
                files = frozenset(entry.sha256 for entry in voice.card.files.values())
                voices[voice.ref] = LocalVoice(files, voice.title, sha256(to_bytes(voice.title)))
        stones = {ref: sha256(data) for ref, data in self._store.tombstones().items() if self._is_ours(ref)}
        return Local(voices, stones)

    def _is_ours(self, ref: VoiceRef) -> bool:
        return self._owners is None or ref.owner in self._owners

    def _carry_out(self, steps: Sequence[SyncStep]) -> None:
        """Take the steps; one that fails for a reason of its own costs only its voice the rest, and so does an object
        that the bucket refuses. A bad tombstone costs not even that: there may be a good one of the same voice."""
        report = self._notes.report
        self._change(planned=report.planned + len(steps))
        for step in steps:
            try:
                if step.ref not in self._failed or step.act == "obey":
                    self._acts[step.act](step.key)
            except (_OvertakenError, UnknownVoiceError):
                self._failed.add(step.ref)  # changed or deleted meanwhile, here or there: the next sync sees it
            except TransportError as refused:
                self._bucket.list(f"{ROOT}/{step.ref.owner}/{step.ref.id}")  # raises if nothing at all can be had
                self._fail(step.ref, f"{step.key.path}: {refused}")
            except VoiceError as wrong:
                self._fail(step.ref, str(wrong))
            self._change(done=self._notes.report.done + 1)

    def _fail(self, ref: VoiceRef, why: str) -> None:
        self._failed.add(ref)
        self._tell(self._notes.report.with_problem(why))

    def _send(self, key: Key) -> None:
        """Put an object of ours. It counts as right only when a later sync has read it back: uploads go wrong too."""
        mark = self._bucket.create(key.path, self._mine(key))
        if mark is not None:  # None: somebody was faster
            self._remote[key] = mark
            self._change(sent=self._notes.report.sent + 1)

    def _check(self, key: Key) -> None:
        """Read an object that has changed since we last saw it right, and mend it from ours if it is wrong."""
        data = self._mine(key)
        blob = self._bucket.get(key.path, most=len(data))
        if blob is not None and blob.data == data:
            self._remember(key, blob.mark)
        elif blob is not None:
            self._bucket.replace(key.path, data)
            self._change(sent=self._notes.report.sent + 1)

    def _fetch(self, key: Key) -> None:
        """Collect a voice file by file; what an earlier attempt has brought is not asked for again."""
        blob = self._bucket.get(key.path, most=MOST_JSON_BYTES)
        if blob is None:
            return  # deleted this very moment
        if voice_id(blob.data) != key.ref.id:
            raise VoiceError(f"{key.path}: wrong bytes in the bucket")
        card = read_card(blob.data, ref=key.ref, what=key.path)
        if self._store.require_consent and CONSENT not in card.files:
            raise VoiceError(f"{key.path}: a voice without a consent record is not taken (voices.require_consent)")
        folder = self._store.incoming(key.ref)
        files = self._collect(key.ref, card, folder)
        self._store.accept(key.ref, blob.data, files, event="fetched")
        self._remember(key, blob.mark)
        self._change(fetched=self._notes.report.fetched + 1)

    def _collect(self, ref: VoiceRef, card: Card, folder: Path) -> dict[str, bytes]:
        files = {}
        for name, entry in card.files.items():
            path = folder / entry.sha256
            data = _read(path)
            if data is None or sha256(data) != entry.sha256:
                data = self._good(Key(ref, "files", entry.sha256), most=entry.bytes)
                with self._store.changing():
                    make_folder(folder)
                    path.write_bytes(data)  # what a power cut leaves of it is told by its hash
            files[name] = data
        return files

    def _obey(self, key: Key) -> None:
        """Delete the voice. One good tombstone is enough: whatever else lies beside it changes nothing."""
        if key.ref in self._obeyed:
            return
        stone = self._good(key, most=MOST_JSON_BYTES)
        read_tombstone(stone, ref=key.ref, what=key.path)
        had = self._store.apply_tombstone(key.ref, stone)
        self._obeyed.add(key.ref)
        self._failed.discard(key.ref)
        self._change(deleted=self._notes.report.deleted + had)

    def _compare(self, key: Key) -> None:
        """Take over a name that outranks ours; one that does not has had its day, and so has one that has rotted."""
        try:
            entry = read_name(self._good(key, most=MOST_JSON_BYTES), ref=key.ref, what=key.path)
        except _WrongBytesError:
            self._erase(key)  # its writer still has it, and sends it again
            return
        if self._store.merge_name(key.ref, entry):
            self._change(renamed=self._notes.report.renamed + 1)
            return
        title = self._store.get(key.ref).title
        if title.counter == 0 or Key(key.ref, "names", sha256(to_bytes(title))) in self._remote:
            self._erase(key)

    def _erase(self, key: Key) -> None:
        self._bucket.delete(key.path)
        self._remote.pop(key, None)
        self._notes.checked.pop(key, None)

    def _mine(self, key: Key) -> bytes:
        """Our bytes of an object."""
        if key.kind == "tombstones":
            stone = self._store.tombstone(key.ref)
            read_tombstone(stone, ref=key.ref, what=f"the tombstone of {key.ref.owner}/{key.ref.id}")
            if sha256(stone) != key.sha256:
                raise _OvertakenError
            return stone
        voice = self._store.get(key.ref)
        if key.kind == "card":
            return self._store.card_bytes(voice)
        if key.kind == "names":
            title = to_bytes(voice.title)
            if sha256(title) != key.sha256:
                raise _OvertakenError
            return title
        return self._store.read(voice, _file_of(voice, key.sha256))

    def _good(self, key: Key, *, most: int) -> bytes:
        """The bucket's bytes of an object, if they are what its name says; asked for twice: the way may be at fault."""
        if key not in self._remote:
            raise VoiceError(f"{key.path}: is missing in the bucket")
        for _ in range(2):
            blob = self._bucket.get(key.path, most=most)
            if blob is None:
                raise _OvertakenError
            if sha256(blob.data) == key.sha256:
                self._remember(key, blob.mark)
                return blob.data
        raise _WrongBytesError(f"{key.path}: wrong bytes in the bucket")

    def _remember(self, key: Key, mark: str) -> None:
        self._remote[key] = self._notes.checked[key] = mark

    def _sweep(self) -> None:
        """Drop what was collected of voices that are whole here now, deleted, or gone from the bucket."""
        wanted = {key.ref for key in self._remote if key.kind == "card" and key.ref in self._failed}
        self._store.drop_incoming(keep=wanted)

    def _finish(self) -> SyncReport:
        now, report = self._clock(), self._notes.report
        last = now if report.status == "done" else report.last_success
        self._notes.report = report.model_copy(update={"finished": now, "last_success": last})
        try:
            with self._store.changing():
                self._file.write(self._notes)
        except VoiceError as full:  # notes only save time
            self._notes.report = report.model_copy(update={"finished": now, "status": "failed", "error": str(full)})
        self._publish(self._notes.report)
        return self._notes.report

    def _change(self, **fields: object) -> None:
        self._tell(self._notes.report.model_copy(update=fields))

    def _tell(self, report: SyncReport) -> None:
        self._notes.report = report
        self._publish(report)


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
