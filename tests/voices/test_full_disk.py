"""Deletion works on a full disk, at whatever point the space ends."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from bad_disk import filling, full
from enrolled import audit, contents, new_voice, open_store
from power_cut import cut_everywhere
from s3 import folder_bucket

from edge_tts.durable.audit_log import AuditLog
from edge_tts.errors import VoiceError
from edge_tts.voices.disk_reserve import RESERVE_BYTES
from edge_tts.voices.format import VoiceRef, read_tombstone
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import SyncExecutor


def household(root: Path) -> VoiceRef:
    """Anna, with features, and Bert; returns Anna's ref."""
    store = open_store(root)
    anna = store.add(new_voice(1))
    store.add(new_voice(2, name="Bert"))
    (anna.folder / "features").mkdir()
    (anna.folder / "features" / "x.npz").write_bytes(b"derived" * 5000)
    return anna.ref


def unopened(root: Path) -> VoiceStore:
    """The store, as the command line opens it."""
    return VoiceStore(directory=root, device="kitchen", clock=lambda: 1.7e9)


def sync(store: VoiceStore, bucket: Path) -> str:
    """The status of one sync with a bucket on another disk."""
    with folder_bucket(bucket) as opened:
        return SyncExecutor(store=store, bucket=opened, name="b", clock=lambda: 1.0).run().status


def assert_deleted(root: Path, ref: VoiceRef, bucket: Path) -> None:
    """Assert that only tombstone and log line are left, sync revives nothing, and the reserve is restored."""
    store = open_store(root)
    assert sync(store, bucket) == sync(store, bucket) == "done"
    assert list(contents(store).values()) == ["Bert"]
    assert not list(root.rglob(f"{ref.id}/*"))
    read_tombstone(store.tombstone(ref), ref=ref)
    lines = AuditLog(path=root / "audit.log", clock=lambda: 0).lines()
    assert [line["event"] for line in lines if line["voice"] == ref.id] == ["enrolled", "deleted"]
    assert (root / ".reserve").stat().st_size == RESERVE_BYTES
    with folder_bucket(bucket) as opened:
        assert all("/tombstones/" in path for path in opened.list(f"v1/{ref.owner}/{ref.id}"))


@pytest.mark.parametrize("reserve", ["whole", "used up"])
def test_a_voice_is_deleted_wherever_the_room_ends(tmp_path: Path, reserve: str) -> None:
    """With the disk full from any write on, and with or without a reserve, the voice is deleted for good."""
    for room in itertools.count():
        root, bucket = tmp_path / str(room) / "voices", tmp_path / str(room) / "bucket"
        ref = household(root)
        assert sync(unopened(root), bucket) == "done"
        if reserve == "used up":
            (root / ".reserve").unlink()
        with filling(root, room=room) as disk:
            unopened(root).delete(ref)
        assert_deleted(root, ref, bucket)
        if disk.changes <= room:
            break
    assert room > 5


def test_a_deletion_from_elsewhere_is_obeyed_on_a_full_disk(tmp_path: Path) -> None:
    """Another device's tombstone can be stored on a full disk."""
    ref, bucket = household(tmp_path / "kitchen"), tmp_path / "bucket"
    kitchen, attic = unopened(tmp_path / "kitchen"), open_store(tmp_path / "attic", device="attic")
    for store in (kitchen, attic, kitchen):
        assert sync(store, bucket) == "done"
    attic.delete(ref)
    assert sync(attic, bucket) == "done"
    with filling(tmp_path / "kitchen", room=0):
        sync(kitchen, bucket)
        assert [voice.name for voice in kitchen.stored().voices] == ["Bert"]
    assert_deleted(tmp_path / "kitchen", ref, bucket)


def test_a_deletion_that_finds_no_room_at_all_changes_nothing(tmp_path: Path) -> None:
    """When no space can be freed the deletion is refused and the voice is whole; with space it succeeds."""
    ref = household(tmp_path)
    before = unopened(tmp_path).files(unopened(tmp_path).get(ref))
    with full(tmp_path), pytest.raises(VoiceError, match="No space left"):
        unopened(tmp_path).delete(ref)
    store = open_store(tmp_path)
    assert store.files(store.get(ref)) == before
    assert (tmp_path / ".reserve").exists()
    store.delete(ref)
    assert list(contents(store).values()) == ["Bert"]


def test_power_cut_while_deleting_on_a_full_disk(tmp_path: Path) -> None:
    """After a power cut at any moment the voice is whole or gone for good, and can be deleted again."""
    refs: dict[Path, VoiceRef] = {}

    def start(root: Path) -> None:
        refs[root] = household(root / "voices")
        assert sync(unopened(root / "voices"), root / "bucket") == "done"

    def work(root: Path) -> None:
        with filling(root / "voices", room=0):
            unopened(root / "voices").delete(refs[root])

    def check(root: Path, done: bool) -> None:
        store = open_store(root / "voices")
        names = sorted(contents(store).values())
        assert names in ([["Bert"]] if done else [["Anna", "Bert"], ["Bert"]])
        if "Anna" in names:
            with filling(root / "voices", room=0):
                store.delete(refs[root])
        assert_deleted(root / "voices", refs[root], root / "bucket")

    assert cut_everywhere(tmp_path, start=start, work=work, check=check) > 8


def test_a_reserve_is_made_where_there_is_room_again(tmp_path: Path) -> None:
    """The reserve is made with the first voice and restored at a start; on a full disk nothing of it is left."""
    reserve = tmp_path / ".reserve"
    VoiceStore(directory=tmp_path, device="d", clock=lambda: 0).add(new_voice())
    assert reserve.stat().st_size == RESERVE_BYTES
    reserve.write_bytes(b"half")
    with filling(tmp_path, room=0):
        open_store(tmp_path)
    assert not reserve.exists()
    open_store(tmp_path)
    assert reserve.stat().st_size == RESERVE_BYTES


def test_what_is_deleted_goes_from_a_full_disk(tmp_path: Path) -> None:
    """Without space after the tombstone the recording is deleted at once, and the deletion logged later."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    stone = tmp_path / ".deleted" / "anna" / f"{voice.ref.id}.json"
    with full(tmp_path, once=stone.exists):
        store.delete(voice.ref)
        with pytest.raises(VoiceError, match="No space left"):
            open_store(tmp_path)
    assert not list(tmp_path.rglob("*.flac"))
    for _ in range(2):
        assert audit(open_store(tmp_path)) == ["enrolled", "deleted"]


def test_a_rotten_tombstone_holds_on_a_full_disk(tmp_path: Path) -> None:
    """The voice of a damaged tombstone is deleted though neither repair nor log entry has space."""
    store = open_store(tmp_path)
    voice, other = store.add(new_voice(1)), store.add(new_voice(2))
    store.delete(other.ref)
    stones = [tmp_path / ".deleted" / "anna" / f"{ref.id}.json" for ref in (voice.ref, other.ref)]
    for stone in stones:
        stone.write_bytes(b"\0")
    with full(tmp_path), pytest.raises(VoiceError, match="No space left"):
        open_store(tmp_path)
    assert not list(tmp_path.rglob("*.flac"))
    assert audit(open_store(tmp_path)) == ["enrolled", "enrolled", "deleted", "deleted"]
    assert b"\0" not in b"".join(stone.read_bytes() for stone in stones)
