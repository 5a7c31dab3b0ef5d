"""Many voices: what a sync does grows with what has changed, and with the number of voices in proportion at most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from counting import counting, steps
from enrolled import make_features, new_voice, open_store
from flaky_proxy import FlakyProxy
from s3 import folder_bucket, s3_bucket
from toy_model_sets import write_model_set

from edge_tts.buckets.bucket import Bucket
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import VoiceRef, sha256
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import SyncExecutor
from edge_tts.voices.sync.plan import (
    Key,
    Local,
    LocalRegister,
    LocalVoice,
    plan_registers,
    plan_tombstones,
    plan_voices,
)

FEW, MANY = 4, 12


def sync(store: VoiceStore, bucket: Bucket) -> None:
    """One sync, to the end."""
    assert SyncExecutor(store=store, bucket=bucket, name="b", clock=lambda: 1.0).run().status == "done"


class Pair:
    """Two devices and a bucket folder; the first one has so many voices, and all is settled."""

    def __init__(self, folder: Path, voices: int) -> None:
        self.folder = folder
        self.bucket = folder_bucket(folder / "bucket")
        self.here, self.there = (open_store(folder / name, device=name) for name in ("here", "there"))
        self.refs = [self.here.add(new_voice(name=f"V{number}")).ref for number in range(voices)]
        self.settle(self.here)

    def settle(self, *stores: VoiceStore) -> None:
        """Sync until nothing is left to do."""
        for _ in range(3):
            for store in stores:
                sync(store, self.bucket)

    def counted(self, work: Callable[[], object]) -> Counter[str]:
        """What `work` does to the disk."""
        with counting(self.folder) as counts:
            work()
        return counts


@pytest.mark.parametrize("voices", [1, MANY])
def test_an_idle_sync_is_one_request_and_reads_each_voice_once(
    tmp_path: Path, proxy: FlakyProxy, bucket_name: str, voices: int
) -> None:
    """A sync without changes is one request and reads each voice's card once and no recording."""
    store, bucket = open_store(tmp_path / "voices"), s3_bucket(proxy, bucket_name)
    for number in range(voices):
        store.add(new_voice(name=f"V{number}"))
    for _ in range(2):
        sync(store, bucket)
    proxy.requests.clear()
    with counting(store.directory) as counts:
        sync(store, bucket)
    assert [request.method for request in proxy.requests] == ["GET"]
    assert (counts["voice.json"], counts["reference.flac"]) == (voices, 0)


def all_fetched(pair: Pair) -> Counter[str]:
    """The second device fetches every voice."""
    return pair.counted(lambda: sync(pair.there, pair.bucket))


def all_deleted_here(pair: Pair) -> Counter[str]:
    """Every voice is deleted, and the deletions synced."""
    for ref in pair.refs:
        pair.here.delete(ref)
    return pair.counted(lambda: pair.settle(pair.here))


def all_deleted_there(pair: Pair) -> Counter[str]:
    """The second device applies them."""
    pair.settle(pair.there)
    all_deleted_here(pair)
    return pair.counted(lambda: pair.settle(pair.there))


def all_renamed(pair: Pair) -> Counter[str]:
    """Every voice is renamed, and the second device gets the names."""
    pair.settle(pair.there)
    for ref in pair.refs:
        pair.here.rename(ref, "Mum")
    return pair.counted(lambda: pair.settle(pair.here, pair.there))


@pytest.mark.parametrize("what", [all_fetched, all_deleted_here, all_deleted_there, all_renamed])
def test_a_sync_opens_files_in_proportion(tmp_path: Path, what: Callable[[Pair], Counter[str]]) -> None:
    """Three times the voices cost three times the opened files and fsyncs at most."""
    few, many = (what(Pair(tmp_path / str(count), count)) for count in (FEW, MANY))
    assert few["fsync"] > 0
    assert many.total() <= MANY / FEW * few.total()
    assert many["fsync"] <= MANY / FEW * few["fsync"]


def test_a_fetched_voice_costs_few_fsyncs(tmp_path: Path) -> None:
    """What is still being collected is checked by its hash when it is used, so only the voice itself need be safe:
    four files, the folders in which they appear, the line in the log."""
    few, many = (all_fetched(Pair(tmp_path / str(count), count)) for count in (FEW, MANY))
    assert (many["fsync"] - few["fsync"]) / (MANY - FEW) <= 9


def planning(voices: int) -> int:
    """How many calls it takes to plan the sync of so many voices, each of which has three names in the bucket."""
    refs = [VoiceRef("anna", f"{number:032x}") for number in range(voices)]
    local = Local({ref: LocalVoice(frozenset(), {"names": LocalRegister(1, sha256(b"0"))}) for ref in refs}, {})
    remote = {Key(ref, "names", sha256(name)): "" for ref in refs for name in (b"0", b"1", b"2")}
    return steps(lambda: [plan(local, remote, remote) for plan in (plan_tombstones, plan_voices, plan_registers)])


def test_a_plan_is_made_in_proportion() -> None:
    """Eight times the voices cost less than twelve times the calls (sorting)."""
    assert planning(80) < 12 * planning(10)


def test_one_change_has_one_voice_read_again(tmp_path: Path) -> None:
    """The catalogue of a house with many voices reads what has changed, not all their cards and features; then it
    knows what one that has read everything knows."""
    model = read_model_set(write_model_set(tmp_path / "toy"))
    store = open_store(tmp_path / "voices")
    features = FeatureStore(store=store, model=model)

    def opened() -> Catalogue:
        found = Catalogue(builtin=BuiltinVoices(model), store=store, features=features)
        found.refresh()
        return found

    voices = [store.add(new_voice(name=f"V{number}")) for number in range(MANY)]
    for voice in voices[:-1]:
        make_features(features, voice)
    (voices[1].folder / "voice.json").write_bytes(b"{")
    catalogue = opened()
    changes: list[Callable[[], object]] = [
        lambda: None,
        lambda: make_features(features, voices[-1]),
        lambda: store.rename(voices[2].ref, "Mum"),
        lambda: store.delete(voices[3].ref),
        lambda: (voices[4].folder / "features" / features.file).unlink(),
        lambda: store.add(new_voice(2, name="New")),
        lambda: (voices[5].folder / "voice.json").write_bytes(b"{"),
    ]
    for change in changes:
        change()
        with counting(store.directory) as counts:
            catalogue.refresh()
        assert counts["voice.json"] <= 3  # the damaged ones are tried each time
        assert counts[features.file] <= 1
        fresh = opened()
        for asked in (Catalogue.ids, Catalogue.unready, Catalogue.damaged, Catalogue.cards):
            assert asked(catalogue) == asked(fresh)
