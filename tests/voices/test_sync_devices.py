"""Three devices share a bucket: after any sequence of events they agree, without losing or reviving a voice."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from enrolled import new_voice, open_store
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule
from power_cut import power
from s3 import folder_bucket

from edge_tts.buckets.bucket import Blob, Bucket, ListedObject
from edge_tts.errors import TransportError, UnknownVoiceError, VoiceError
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import SyncExecutor
from edge_tts.voices.sync.notes import SyncReport

DEVICES = ("attic", "bath", "cellar")


class Kill(BaseException):
    """A killed process: no handler catches it."""


class FlakyBucket:
    """A bucket whose connection breaks before, or after, the n-th request is served."""

    def __init__(self, bucket: Bucket, *, breaks_at: int | None, served: bool, trouble: BaseException) -> None:
        self._bucket = bucket
        self._breaks_at = breaks_at
        self._served = served
        self._trouble = trouble
        self._count = 0

    def _request(self, work: Callable[[], Any]) -> Any:
        self._count += 1
        broken = self._breaks_at is not None and self._count >= self._breaks_at
        if broken and not self._served:
            raise self._trouble
        result = work()
        if broken:
            raise self._trouble
        return result

    def list(self, prefix: str) -> dict[str, ListedObject]:
        return self._request(lambda: self._bucket.list(prefix))

    def get(self, path: str, *, most: int) -> Blob | None:
        return self._request(lambda: self._bucket.get(path, most=most))

    def create(self, path: str, data: bytes) -> str | None:
        return self._request(lambda: self._bucket.create(path, data))

    def replace(self, path: str, data: bytes) -> str | None:
        return self._request(lambda: self._bucket.replace(path, data))

    def delete(self, path: str) -> None:
        self._request(lambda: self._bucket.delete(path))


class Family(RuleBasedStateMachine):
    """The devices, the bucket, and what must be true of them: `alive` voices are never lost, `dead` ones never back.

    One device may leave for good. What it alone knew (`vague`) depends on what it had time to tell.
    """

    voices = Bundle("voices")
    devices = st.sampled_from(DEVICES)

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.bucket = folder_bucket(self.folder / "bucket")
        self.clocks = dict.fromkeys(DEVICES, 1.7e9)
        self.away: str | None = None
        self.alive: set[VoiceRef] = set()
        self.dead: set[VoiceRef] = set()
        self.vague: set[VoiceRef] = set()
        self.vague_names: set[VoiceRef] = set()
        self.names: dict[VoiceRef, tuple[int, str, str]] = {}
        self.shares: dict[VoiceRef, tuple[int, str, str]] = {}
        self.enrolled = 0

    def teardown(self) -> None:
        self.settle()
        self.bucket.close()
        shutil.rmtree(self.folder)

    @property
    def present(self) -> list[str]:
        """The devices that have not left."""
        return [device for device in DEVICES if device != self.away]

    def here(self, device: str) -> str:
        """That device, or another if it has left."""
        return self.present[0] if device == self.away else device

    def store(self, device: str) -> VoiceStore:
        """That device's store after a restart."""
        device = self.here(device)
        return open_store(self.folder / device, device=device, now=self.clocks[device])

    def executor(self, device: str, objects: Any, store: VoiceStore | None = None) -> SyncExecutor:
        clock = self.clocks[self.here(device)]
        return SyncExecutor(store=store or self.store(device), bucket=objects, name="bucket", clock=lambda: clock)

    @rule(target=voices, device=devices)
    def enrol(self, device: str) -> Any:
        """A new voice on one device."""
        self.enrolled += 1
        voice = self.store(device).add(new_voice(self.enrolled, name=f"V{self.enrolled}"))
        self.alive.add(voice.ref)
        self.names[voice.ref] = voice.title.rank()
        return voice.ref

    @rule(target=voices, device=devices, cut_at=st.integers(3, 30))
    def enrol_in_a_thunderstorm(self, device: str, cut_at: int) -> Any:
        """A power cut during an enrolment; the voice counts if it is there afterwards."""
        self.enrolled += 1
        store = self.store(device)
        before = {voice.ref for voice in store.stored().voices}
        self.under_thunder(device, cut_at, lambda: store.add(new_voice(self.enrolled, name=f"V{self.enrolled}")))
        new = [voice for voice in self.store(device).stored(thorough=True).voices if voice.ref not in before]
        for voice in new:
            self.alive.add(voice.ref)
            self.names[voice.ref] = voice.title.rank()
        return multiple(*(voice.ref for voice in new))

    @rule(device=devices, ref=voices, name=st.sampled_from(["Mum", "Dad", "爷爷"]))
    def rename(self, device: str, ref: VoiceRef, name: str) -> None:
        """A rename on any device that has the voice."""
        store = self.store(device)
        try:
            known = store.get(ref).title
            voice = store.rename(ref, name)
        except UnknownVoiceError:
            return
        assert voice.title.rank() > known.rank()
        self.names[ref] = max(self.names[ref], voice.title.rank())

    @rule(device=devices, ref=voices, names=st.none() | st.sampled_from([(), ("kitchen",), ("kitchen", "shop")]))
    def share(self, device: str, ref: VoiceRef, names: tuple[str, ...] | None) -> None:
        """An owner's word on any device that has the voice."""
        try:
            rank = self.store(device).share(ref, names).share.rank()
        except UnknownVoiceError:
            return
        self.shares[ref] = max(self.shares.get(ref, rank), rank)

    @rule(some=st.sets(devices, min_size=1, max_size=2), ref=voices)
    def delete(self, some: set[str], ref: VoiceRef) -> None:
        """A deletion on one device or on two at once."""
        for device in sorted(some):
            try:
                self.store(device).delete(ref)
            except UnknownVoiceError:
                continue
            self.note_deleted(ref)

    @rule(device=devices, ref=voices)
    def delete_later(self, device: str, ref: VoiceRef) -> None:
        """A deletion that can be undone, and that a jump of the clock may complete."""
        with suppress(UnknownVoiceError):
            self.store(device).delete_later(ref)

    @rule(device=devices, ref=voices)
    def undelete(self, device: str, ref: VoiceRef) -> None:
        """A deletion is undone where it is still pending."""
        with suppress(UnknownVoiceError):
            self.store(device).undelete(ref)

    @rule(device=devices, ref=voices, cut_at=st.integers(0, 20))
    def delete_in_a_thunderstorm(self, device: str, ref: VoiceRef, cut_at: int) -> None:
        """A power cut during a deletion, which counts if the voice is gone afterwards."""
        store = self.store(device)
        if store.folder(ref).exists():
            self.under_thunder(device, cut_at, lambda: store.delete(ref))
            if not self.store(device).folder(ref).exists():
                self.note_deleted(ref)

    @rule(source=devices, target_device=devices, ref=voices)
    def carry_over(self, source: str, target_device: str, ref: VoiceRef) -> None:
        """An import of a copy, refused where the voice was deleted."""
        store, target = self.store(source), self.store(target_device)
        try:
            voice = store.get(ref)
            target.accept(ref, store.card_bytes(voice), store.files(voice), event="imported")
        except UnknownVoiceError:
            return
        except VoiceError:
            assert ref in target.tombstones() or ref in {one.ref for one in target.pending_deletions()}

    @rule(device=devices)
    def sync(self, device: str) -> None:
        """A sync without faults."""
        self.check(self.executor(device, self.bucket).run())

    @rule(device=devices, breaks_at=st.integers(1, 12), served=st.booleans())
    def sync_offline(self, device: str, breaks_at: int, served: bool) -> None:
        """The connection breaks during the sync and stays broken."""
        trouble = TransportError("offline")
        self.check(
            self.executor(device, FlakyBucket(self.bucket, breaks_at=breaks_at, served=served, trouble=trouble)).run()
        )

    @rule(device=devices, breaks_at=st.integers(1, 12), served=st.booleans())
    def sync_killed(self, device: str, breaks_at: int, served: bool) -> None:
        """The process dies during the sync."""
        executor = self.executor(device, FlakyBucket(self.bucket, breaks_at=breaks_at, served=served, trouble=Kill()))
        try:
            self.check(executor.run())
        except Kill:
            self.store(device)

    @rule(device=devices, cut_at=st.integers(0, 40))
    def sync_in_a_thunderstorm(self, device: str, cut_at: int) -> None:
        """A power cut during the sync."""
        executor = self.executor(device, self.bucket)
        self.under_thunder(device, cut_at, executor.run)

    @rule(one=devices, other=devices, breaks_at=st.integers(1, 8))
    def sync_interleaved(self, one: str, other: str, breaks_at: int) -> None:
        """Another device syncs in the middle of a sync."""
        family = self

        class Interrupted(FlakyBucket):
            def _request(self, work: Callable[[], Any]) -> Any:
                self._count += 1
                if self._count == breaks_at:
                    family.sync(other)
                return work()

        calm = Interrupted(self.bucket, breaks_at=None, served=False, trouble=Kill())
        if self.here(one) != self.here(other):
            self.check(self.executor(one, calm).run())

    @rule(device=devices, now=st.sampled_from([0.0, 1e9, 4e9]))
    def set_the_clock(self, device: str, now: float) -> None:
        """A clock jumps."""
        self.clocks[device] = now

    @rule()
    def empty_the_bucket(self) -> None:
        """The bucket is emptied."""
        for path in self.bucket.list("v1"):
            self.bucket.delete(path)

    @rule(which=st.integers(0, 1000))
    def rot(self, which: int) -> None:
        """A byte of an object in the bucket changes; every second time a tombstone's."""
        paths = sorted(self.bucket.list("v1"))
        if which % 2:
            paths = [path for path in paths if "/tombstones/" in path] or paths
        if paths:
            path = self.folder / "bucket" / paths[which % len(paths)]
            data = path.read_bytes()
            path.unlink()
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    @rule(device=devices, which=st.integers(0, 1000))
    def a_tombstone_rots_here(self, device: str, which: int) -> None:
        """A bit of a local tombstone flips while the device runs, and the next sync reads it."""
        store = self.store(device)
        paths = sorted(store.directory.glob(".deleted/*/*.json"))
        if paths:
            data = bytearray(paths[which % len(paths)].read_bytes())
            data[which % len(data)] ^= 0x80
            paths[which % len(paths)].write_bytes(data)
            self.check(self.executor(device, self.bucket, store).run())

    @rule(device=devices, which=st.integers(0, 1000))
    def leave_for_good(self, device: str, which: int) -> None:
        """One device leaves for good while something is damaged that it alone could repair."""
        if self.away is None:
            self.away = device
            stores = [self.store(name) for name in self.present]
            titles = [{voice.ref: voice.title.rank() for voice in store.stored().voices} for store in stores]
            known = {ref for store in stores for ref in store.tombstones()}
            self.vague = (self.alive - {ref for ranks in titles for ref in ranks}) | (self.dead - known)
            self.alive -= self.vague
            self.dead -= self.vague
            best = {ref: max(ranks[ref] for ranks in titles if ref in ranks) for ref in self.alive}
            self.vague_names = {ref for ref in self.alive if best[ref] < self.names[ref]}
        self.rot(which)

    @invariant()
    def nobody_speaks_as_the_dead_where_it_is_known(self) -> None:
        """No device has a voice that it has deleted, and every voice is whole."""
        for device in self.present:
            store = self.store(device)
            features = store.stored(thorough=True)
            assert not features.damaged
            assert {voice.ref for voice in features.voices} <= self.alive | self.dead | self.vague
            assert not {voice.ref for voice in features.voices} & store.tombstones().keys()

    def under_thunder(self, device: str, cut_at: int, work: Callable[[], object]) -> None:
        with power(self.folder / self.here(device), cut_at=cut_at) as disk:
            work()
        if disk.dead:
            disk.lose()

    def note_deleted(self, ref: VoiceRef) -> None:
        self.alive.discard(ref)
        self.vague.discard(ref)
        self.dead.add(ref)

    def check(self, report: SyncReport) -> None:
        """A sync reports every fault and raises none; its problems are about damaged bytes only."""
        assert all("wrong bytes" in problem for problem in report.problems), report.problems

    def settle(self) -> None:
        """After enough syncs all have all living voices under the newest names, and no dead one; problems are left only
        of what a departed device had not finished."""
        for device in self.present:
            self.store(device)  # restarts what a wrong clock began
            self.clocks[device] += 600
            for ref in self.store(device).tombstones():
                self.note_deleted(ref)
        for _ in range(5):
            reports = [self.executor(device, self.bucket).run() for device in self.present]
        left = [path.split("/") for path in self.bucket.list("v1")]
        rotten = {ref for ref in self.vague if ["v1", ref.owner, ref.id, "tombstones"] in [path[:4] for path in left]}
        for report in reports:
            assert {problem.split("/")[2] for problem in report.problems} <= {ref.id for ref in self.vague}
            assert (report.status, report.planned) == ("done", 0) or report.problems
        stores = [self.store(device) for device in self.present]
        dead = {ref for ref in self.vague if all(ref in store.tombstones() for store in stores)}
        expected = {ref: self.names[ref][2] for ref in self.alive - self.vague_names}
        found = [{voice.ref: voice.name for voice in store.stored(thorough=True).voices} for store in stores]
        for store, names in zip(stores, found, strict=True):
            assert store.tombstones().keys() == self.dead | dead
            assert expected.items() <= names.items()
            assert names.keys() - self.vague == self.alive
            assert {ref: names.get(ref) for ref in self.vague - rotten} == {
                ref: found[0].get(ref) for ref in self.vague - rotten
            }
            assert {ref: names[ref] for ref in self.vague_names} == {ref: found[0][ref] for ref in self.vague_names}
        shares = [{voice.ref: voice.share for voice in store.stored().voices} for store in stores]
        for ref in self.alive:
            words = {share[ref] for share in shares}
            assert len(words) == 1, "the devices do not agree whom the owner lets use it"
            if self.away is None:
                word = words.pop()
                assert (word.rank() if word.counter else None) == self.shares.get(ref)
        kept = {path[2] for path in left if path[3] != "tombstones"}
        assert {ref.id for ref in self.alive} <= kept <= {ref.id for ref in self.alive | self.vague - dead}


TestFamily = Family.TestCase
TestFamily.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
