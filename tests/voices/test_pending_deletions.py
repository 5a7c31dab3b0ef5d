"""Deletions that can be undone: silent at once, travelling later, and surviving kills, power cuts and wrong clocks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_disk import full
from enrolled import audit, contents, new_voice, open_store
from power_cut import cut_everywhere
from s3 import folder_bucket

from edge_tts.buckets.bucket import Bucket
from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import SyncExecutor

NOW = 1_700_000_000.0
LATER = NOW + 600


def sync(store: VoiceStore, bucket: Bucket) -> None:
    """One sync without problems."""
    assert SyncExecutor(store=store, bucket=bucket, name="b", clock=lambda: NOW).run().status == "done"


def travelling(bucket: Bucket) -> set[str]:
    """The kinds of objects in the bucket."""
    return {path.split("/")[3] for path in bucket.list("v1")}


def pending_file(store: VoiceStore, ref: VoiceRef) -> Path:
    return store.directory / ".deleted" / ref.owner / f"{ref.id}.pending"


def test_a_deletion_is_undone(tmp_path: Path) -> None:
    """The voice is silent at once and after a restart, with all its files; undeleted, it is as it was."""
    store = open_store(tmp_path)
    ref = store.add(new_voice()).ref
    store.rename(ref, "Mum")
    before = store.files(store.get(ref))
    store.delete_later(ref)
    for again in (store, open_store(tmp_path, now=LATER - 1)):
        assert contents(again) == {}
        assert again.stored().damaged == ()
        [pending] = again.pending_deletions()
        assert (pending.ref, pending.name, pending.until) == (ref, "Mum", LATER)
        with pytest.raises(UnknownVoiceError):
            again.rename(ref, "Dad")
    store.undelete(store.find_pending("Mum"))
    assert store.files(store.get(ref)) == before
    assert list(contents(open_store(tmp_path, now=LATER)).values()) == ["Mum"]
    assert audit(store) == ["enrolled", "renamed", "deleting", "undeleted"]
    with pytest.raises(UnknownVoiceError, match="not about to be deleted"):
        store.undelete(ref)


@pytest.mark.parametrize("finish", ["recover", "finish_deletions"])
def test_a_deletion_is_for_good_after_its_time(tmp_path: Path, finish: str) -> None:
    """`undo_s` after the first of several deletions the files are gone and the tombstone stays; no second earlier."""
    store = open_store(tmp_path)
    ref = store.add(new_voice()).ref
    store.delete_later(ref)
    open_store(tmp_path, now=LATER - 1).delete_later(ref)
    early = VoiceStore(directory=tmp_path, device="kitchen", clock=lambda: LATER - 1, undo_s=600)
    late = VoiceStore(directory=tmp_path, device="kitchen", clock=lambda: LATER, undo_s=600)
    getattr(early, finish)()
    assert [pending.ref for pending in early.pending_deletions()] == [ref]
    getattr(late, finish)()
    assert (late.pending_deletions(), set(late.tombstones())) == ((), {ref})
    assert not list(tmp_path.rglob("*.flac"))
    assert audit(late) == ["enrolled", "deleting", "deleted"]
    with pytest.raises(UnknownVoiceError):
        late.undelete(ref)


def test_deleting_for_good_does_not_wait(tmp_path: Path) -> None:
    """`delete` removes a voice whose deletion is pending, and with `undo_s` 0 every deletion is for good at once."""
    store = open_store(tmp_path)
    anna, bert = (store.add(new_voice(seed, name=name)).ref for seed, name in ((1, "Anna"), (2, "Bert")))
    store.delete_later(anna)
    store.delete(store.find_deletable("Anna"))
    open_store(tmp_path, undo_s=0).delete_later(bert)
    assert set(store.tombstones()) == {anna, bert}
    assert store.pending_deletions() == ()
    assert not list(tmp_path.rglob("*.pending"))


def test_a_name_is_free_while_its_voice_is_being_deleted(tmp_path: Path) -> None:
    """A person enrolled anew keeps the new voice when the old one comes back: their ids tell them apart."""
    store = open_store(tmp_path)
    old = store.add(new_voice()).ref
    store.delete_later(old)
    new = store.add(new_voice(2)).ref
    store.undelete(old)
    assert {voice.ref for voice in store.stored().voices} == {old, new}


def test_a_copy_of_a_voice_that_is_being_deleted_is_refused(tmp_path: Path) -> None:
    """An import says how to undo the deletion instead of undoing it."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    kept = store.card_bytes(voice), store.files(voice)
    store.delete_later(voice.ref)
    with pytest.raises(VoiceError, match="voices undelete"):
        store.accept(voice.ref, *kept, event="imported")


def test_a_damaged_voice_can_be_deleted_and_undeleted(tmp_path: Path) -> None:
    """A voice without a readable card is pending without a name, and comes back as damaged as it was."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    (voice.folder / "voice.json").write_bytes(b"{")
    store.delete_later(voice.ref)
    assert [(one.ref, one.name) for one in store.pending_deletions()] == [(voice.ref, "")]
    assert store.stored().damaged == ()
    store.undelete(voice.ref)
    assert [ref for ref, _ in store.stored().damaged] == [voice.ref]


def future(path: Path) -> None:
    """The clock was years ahead when the deletion began."""
    path.write_text(json.dumps({**json.loads(path.read_text()), "time": int(NOW) + 10**8}))


def rotten(path: Path) -> None:
    """Nobody knows when it began."""
    path.write_bytes(b"\0\0")


@pytest.mark.parametrize("harm", [future, rotten])
def test_a_deletion_whose_time_is_unknown_begins_anew(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """A wrong clock or a damaged record neither deletes early nor keeps recordings for ever."""
    store = open_store(tmp_path)
    ref = store.add(new_voice()).ref
    store.delete_later(ref)
    harm(pending_file(store, ref))
    assert contents(open_store(tmp_path, now=NOW + 300)) == {}
    [pending] = open_store(tmp_path, now=NOW + 899).pending_deletions()
    assert pending.until == NOW + 900
    open_store(tmp_path, now=NOW + 900)
    assert set(store.tombstones()) == {ref}


def test_nothing_travels_before_its_time(tmp_path: Path) -> None:
    """While a deletion is pending the other device keeps the voice and no tombstone is in the bucket; a renaming there
    is not lost by undoing; after the time it goes everywhere, and nowhere comes back."""
    bucket = folder_bucket(tmp_path / "bucket")
    here, there = (open_store(tmp_path / name, device=name) for name in ("here", "there"))
    ref = here.add(new_voice()).ref
    for store in (here, there, here):
        sync(store, bucket)
    here.delete_later(ref)
    there.rename(ref, "Mum")
    for store in (here, there, here, there):
        sync(store, bucket)
    assert (contents(here), list(contents(there).values())) == ({}, ["Mum"])
    assert "tombstones" not in travelling(bucket)
    here.undelete(ref)
    sync(here, bucket)
    assert contents(here) == contents(there)
    here.delete_later(ref)
    late = open_store(tmp_path / "here", device="here", now=LATER)
    for store in (late, there, late, there):
        sync(store, bucket)
    assert contents(late) == contents(there) == {}
    assert travelling(bucket) == {"tombstones"}


def test_a_voice_that_never_travelled_does_not_while_it_is_being_deleted(tmp_path: Path) -> None:
    """A sync sends nothing of a voice that was deleted here before it was ever sent."""
    bucket, store = folder_bucket(tmp_path / "bucket"), open_store(tmp_path / "here")
    store.delete_later(store.add(new_voice()).ref)
    sync(store, bucket)
    assert travelling(bucket) == set()


def test_a_deletion_elsewhere_precedes_an_undoing(tmp_path: Path) -> None:
    """Another device's tombstone deletes a voice whose deletion is pending here, and leaves nothing to undo."""
    bucket = folder_bucket(tmp_path / "bucket")
    here, there = (open_store(tmp_path / name, device=name) for name in ("here", "there"))
    ref = here.add(new_voice()).ref
    for store in (here, there):
        sync(store, bucket)
    here.delete_later(ref)
    there.delete(ref)
    for store in (there, here):
        sync(store, bucket)
    assert here.pending_deletions() == ()
    assert not pending_file(here, ref).exists()
    with pytest.raises(UnknownVoiceError):
        here.undelete(ref)
    assert audit(here) == ["enrolled", "deleting", "deleted"]


def begin(store: VoiceStore) -> None:
    store.delete_later(store.find("Anna").ref)


def undo(store: VoiceStore) -> None:
    store.undelete(store.find_pending("Anna"))


def finish(store: VoiceStore) -> None:
    late = VoiceStore(directory=store.directory, device="kitchen", clock=lambda: LATER, undo_s=600)
    late.finish_deletions()


CUTS: dict[str, tuple[Callable[[VoiceStore], None], str, str]] = {
    "begin": (begin, "here", "pending"),
    "undo": (undo, "pending", "here"),
    "finish": (finish, "pending", "gone"),
}


@pytest.mark.parametrize("step", CUTS)
def test_power_cut_at_any_moment_of_a_deletion(tmp_path: Path, step: str) -> None:
    """A power cut leaves the state before or after each step, and the whole voice until it is deleted for good."""
    work, before, after = CUTS[step]

    def start(root: Path) -> None:
        store = open_store(root)
        store.add(new_voice())
        if before == "pending":
            begin(store)

    def check(root: Path, done: bool) -> None:
        store = open_store(root)
        state = "here" if contents(store) else "pending" if store.pending_deletions() else "gone"
        assert state in ({after} if done else {before, after})
        assert bool(store.tombstones()) == (state == "gone")
        assert len(list(root.rglob("*.flac"))) == (state != "gone")
        assert not list(root.rglob(".*.pending.*"))
        if state == "pending":
            store.undelete(store.find_pending("Anna"))
            assert list(contents(store).values()) == ["Anna"]

    def cut(root: Path) -> None:
        work(VoiceStore(directory=root, device="kitchen", clock=lambda: NOW, undo_s=600))

    assert cut_everywhere(tmp_path, start=start, work=cut, check=check) > 1


def test_a_voice_is_silenced_on_a_full_disk(tmp_path: Path) -> None:
    """The reserve has room for a deletion that can be undone, too, and for completing it."""
    store = open_store(tmp_path)
    ref = store.add(new_voice()).ref
    with full(tmp_path, once=lambda: (tmp_path / ".reserve").exists()):
        store.delete_later(ref)
    assert contents(store) == {}
    with full(tmp_path):
        VoiceStore(directory=tmp_path, device="kitchen", clock=lambda: LATER, undo_s=600).finish_deletions()
    assert set(store.tombstones()) == {ref}
    assert not list(tmp_path.rglob("*.flac"))
