"""An owner's word whom a voice may be used by: where it is kept, how it travels, who wins."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from enrolled import make_features, new_voice, open_store
from flaky_proxy import FlakyProxy
from hypothesis import given
from hypothesis import strategies as st
from s3 import folder_bucket, s3_bucket
from toy_model_sets import write_model_set

from edge_tts.buckets.bucket import Bucket
from edge_tts.errors import AccessError, VoiceError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.voices.archive import export_voice, import_voice
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import ShareEntry, VoiceRef
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.executor import SyncExecutor


def test_a_word_is_kept_with_the_voice(tmp_path: Path) -> None:
    """Everybody until there is one; then names of any case, everybody again, nobody; over a restart, and in the log."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    assert store.get(voice.ref).share.names is None
    for names, kept in ((["Shop", "kitchen"], ("kitchen", "shop")), (None, None), ([], ())):
        assert store.share(voice.ref, names).share.names == kept
        assert open_store(tmp_path).get(voice.ref).share.names == kept
    assert (tmp_path / "audit.log").read_text().count('"shared"') == 3
    with pytest.raises(VoiceError, match="whom to share with"):
        store.share(voice.ref, ["no name"])


@pytest.mark.parametrize("damage", [b"", b"{", b'{"names": null}', b"\xff" * 100])
def test_a_damaged_word_means_nobody(tmp_path: Path, damage: bytes) -> None:
    """Rather too few than too many, until the owner says it again."""
    store = open_store(tmp_path)
    voice = store.share(store.add(new_voice()).ref, ["kitchen"])
    (voice.folder / "share.json").write_bytes(damage)
    assert store.get(voice.ref).share.names == ()
    assert store.share(voice.ref, None).share.names is None


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.none() | st.sampled_from([(), ("x",)])),
        min_size=1,
        max_size=5,
    )
)
def test_the_order_in_which_words_arrive_does_not_matter(
    arrived: list[tuple[int, str, tuple[str, ...] | None]],
) -> None:
    """In any order all devices end with the same word: of the highest counter, then of the last device by name."""
    fields = {"owner": "anna", "voice": "0" * 32}
    first = ShareEntry(**fields, names=None, counter=0, device="kitchen")
    entries = [ShareEntry(**fields, names=names, counter=counter, device=device) for counter, device, names in arrived]
    ends = set()
    for order in itertools.permutations(entries):
        share = first
        for entry in order:
            share = entry if entry.outranks(share) else share
        ends.add(share.model_dump_json())
    assert len(ends) == 1


@pytest.fixture(params=["folder", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, proxy: FlakyProxy, bucket_name: str) -> Iterator[Bucket]:
    """A folder, and a bucket of moto's S3 server."""
    one = folder_bucket(tmp_path / "bucket") if request.param == "folder" else s3_bucket(proxy, bucket_name)
    with one as opened:
        yield opened


def sync(store: VoiceStore, bucket: Bucket) -> None:
    report = SyncExecutor(store=store, bucket=bucket, name="b", clock=lambda: 1.7e9).run()
    assert (report.status, report.problems) == ("done", ())


def test_a_word_travels_through_the_bucket(tmp_path: Path, bucket: Bucket) -> None:
    """A device that fetches the voice has the word with it, one that has the voice hears of a change, and of two words
    at once both end with the same."""
    here, there = open_store(tmp_path / "here", device="here"), open_store(tmp_path / "there", device="there")
    ref = here.add(new_voice()).ref
    here.share(ref, ["kitchen"])
    sync(here, bucket)
    sync(there, bucket)
    assert there.get(ref).share.names == ("kitchen",)
    there.share(ref, [])
    sync(there, bucket)
    sync(here, bucket)
    assert here.get(ref).share.names == ()
    here.share(ref, ["a"])
    there.share(ref, ["b"])
    for store in (here, there, here, there):
        sync(store, bucket)
    assert here.get(ref).share == there.get(ref).share
    assert here.get(ref).share.names == ("b",)
    assert len([path for path in bucket.list("v1") if "/shares/" in path]) == 1
    here.delete(ref)
    sync(here, bucket)
    assert [path.split("/")[3] for path in bucket.list("v1")] == ["tombstones"]


class NoShares:
    """A bucket whose registers cannot be reached."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def __getattr__(self, name: str) -> object:
        return getattr(self._bucket, name)

    def get(self, path: str, *, most: int) -> object:
        assert "/shares/" not in path, "the network is gone"
        return self._bucket.get(path, most=most)


def test_no_voice_is_here_before_its_owners_word(tmp_path: Path) -> None:
    """Where the word cannot be fetched the voice is not stored either."""
    here, there = open_store(tmp_path / "here", device="here"), open_store(tmp_path / "there", device="there")
    with folder_bucket(tmp_path / "bucket") as bucket:
        ref = here.share(here.add(new_voice()).ref, []).ref
        sync(here, bucket)
        cut = SyncExecutor(store=there, bucket=NoShares(bucket), name="b", clock=lambda: 1.7e9)
        with pytest.raises(AssertionError, match="the network is gone"):
            cut.run()
        assert not there.stored().voices
        sync(there, bucket)
        assert there.get(ref).share.names == ()


def test_objects_of_a_later_version_are_passed_over(tmp_path: Path, bucket: Bucket) -> None:
    """As this kind is by earlier ones: whatever lies beside a voice neither fails a sync nor is touched by it."""
    here, there = open_store(tmp_path / "here", device="here"), open_store(tmp_path / "there", device="there")
    ref = here.add(new_voice()).ref
    later = f"v1/{ref.owner}/{ref.id}/wishes/{'0' * 64}"
    bucket.create(later, b"{}")
    sync(here, bucket)
    sync(there, bucket)
    assert there.get(ref).name == here.get(ref).name
    assert later in bucket.list("v1")


def test_an_archive_has_the_word(tmp_path: Path) -> None:
    """It holds where the voice is imported; an archive of a voice without one is as it was."""
    here, there = open_store(tmp_path / "here"), open_store(tmp_path / "there")
    voice = here.add(new_voice())
    export_voice(here, voice, tmp_path / "plain.voice")
    assert b"share.json" not in (tmp_path / "plain.voice").read_bytes()
    export_voice(here, here.share(voice.ref, ["kitchen"]), tmp_path / "anna.voice")
    assert import_voice(there, tmp_path / "anna.voice").share.names == ("kitchen",)


def catalogue_of(tmp_path: Path, device: str) -> tuple[Catalogue, VoiceRef]:
    """A device with a built-in voice and an enrolled one that its owner shares with kitchen and shop."""
    model = read_model_set(write_model_set(tmp_path / "toy", voices=("hum",)))
    store = open_store(tmp_path / "voices", device=device)
    features = FeatureStore(store=store, model=model)
    voice = store.add(new_voice())
    make_features(features, voice)
    store.share(voice.ref, ["kitchen", "shop"])
    catalogue = Catalogue(builtin=BuiltinVoices(model), store=store, features=features)
    catalogue.refresh()
    return catalogue, voice.ref


@pytest.mark.parametrize(("device", "anybody"), [("Kitchen", True), ("hall", False)])
def test_a_name_is_a_devices_or_a_callers(tmp_path: Path, device: str, anybody: bool) -> None:
    """On a device of that name anybody may use the voice, on any device a caller of that name; it is the default of the
    former alone."""
    catalogue, ref = catalogue_of(tmp_path, device)
    assert [catalogue.is_shared(ref.id, name) for name in ("", "hall", "shop")] == [anybody, anybody, True]
    assert catalogue.is_shared("hum")
    assert (ref.id in catalogue.own_ids(), "hum" in catalogue.own_ids()) == (anybody, True)
    if anybody:
        assert catalogue.resolve_default(ref.id) == ref.id
    else:
        with pytest.raises(AccessError, match="not shared with this device"):
            catalogue.resolve_default(ref.id)


def test_the_catalogue_notices_a_word(tmp_path: Path) -> None:
    """Also one that another process, or the sync, has written."""
    catalogue, ref = catalogue_of(tmp_path, "kitchen")
    assert not catalogue.is_stale()
    open_store(tmp_path / "voices").share(ref, [])
    assert catalogue.is_stale()
    catalogue.refresh()
    assert not catalogue.is_shared(ref.id)
    assert json.loads((tmp_path / "voices" / ref.owner / ref.id / "share.json").read_text())["counter"] == 2
