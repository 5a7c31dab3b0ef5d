"""One damaged or unreadable file affects its own voice at most."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bad_disk import unreadable
from enrolled import contents, make_features, new_voice, open_store
from s3 import folder_bucket
from toy_model_sets import write_model_set

from edge_tts.errors import VoiceError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import Voice
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.store import EnrolledVoice, VoiceStore
from edge_tts.voices.sync.executor import SyncExecutor

BAD: dict[str, Callable[[VoiceStore, EnrolledVoice], Path]] = {
    "name": lambda store, voice: voice.folder / "name.json",
    "card": lambda store, voice: voice.folder / "voice.json",
    "recording": lambda store, voice: voice.folder / "reference.flac",
    "features": lambda store, voice: next(voice.folder.glob("features/*.npz")),
    "folder of features": lambda store, voice: voice.folder / "features",
    "folder of the voice": lambda store, voice: voice.folder,
    "tombstone": lambda store, voice: next(store.directory.glob(".deleted/*/*.json")),
    "its own tombstones": lambda store, voice: store.directory / ".deleted" / "anna",
    "log": lambda store, voice: store.directory / "audit.log",
}


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES], ids=["rotten", "forbidden"])
@pytest.mark.parametrize("what", BAD)
def test_one_unreadable_file_costs_one_voice(tmp_path: Path, what: str, code: int) -> None:
    """Whatever of Anna's voice cannot be read, Bert's is listed, found, usable and synced."""
    store, model = open_store(tmp_path / "voices"), read_model_set(write_model_set(tmp_path / "toy"))
    features = FeatureStore(store=store, model=model)
    anna, bert, gone = (
        store.add(new_voice(seed, owner=name.lower(), name=name)) for seed, name in enumerate(["Anna", "Bert", "Carl"])
    )
    for voice in (anna, bert):
        make_features(features, voice)
        store.rename(voice.ref, f"{voice.name} K.")
    store.delete(gone.ref)
    bucket = folder_bucket(tmp_path / "bucket")
    with unreadable(BAD[what](store, anna), code=code):
        found = store.stored(thorough=True)
        assert bert.ref in {voice.ref for voice in found.voices}
        assert {voice.ref for voice in found.voices} | {ref for ref, _ in found.damaged} == {anna.ref, bert.ref}
        assert store.find("Bert K.").ref == bert.ref
        catalogue = Catalogue(builtin=BuiltinVoices(model), store=store, features=features)
        catalogue.refresh()
        assert catalogue.load(bert.ref.id).name == "Bert K."
        report = SyncExecutor(store=store, bucket=bucket, name="b", clock=lambda: 1.0).run()
        assert report.status in ("done", "incomplete")
        assert any(path.startswith(f"v1/bert/{bert.ref.id}/card") for path in bucket.list("v1"))
        if what != "log":
            store.delete(bert.ref)
    assert {name for (owner, _), name in contents(store).items()} >= {"Anna K."}


def test_what_cannot_be_read_is_reported(tmp_path: Path) -> None:
    """A voice whose card cannot be read counts as damaged, with the reason."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    with unreadable(voice.folder / "voice.json"):
        [(ref, reason)] = store.stored().damaged
        assert ref == voice.ref
        assert "voice.json: Input/output error" in reason
        with pytest.raises(VoiceError, match="Input/output error"):
            store.get(ref)


def same_features(one: Voice | None, other: Voice | None) -> bool:
    """Equality of two voices' arrays."""
    arrays = ("prompt_tokens", "prompt_phoneme_ids", "prompt_bert", "conditioning")
    return bool(one and other) and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])  # 7: each byte, and each bit of some
def test_any_flipped_bit_in_features_means_to_make_them_anew(tmp_path: Path, step: int) -> None:
    """With any flipped bit the features load unchanged or count as missing."""
    store, model = open_store(tmp_path / "voices"), read_model_set(write_model_set(tmp_path / "toy"))
    features, voice = FeatureStore(store=store, model=model), store.add(new_voice())
    make_features(features, voice)
    path = next(voice.folder.glob("features/*.npz"))
    whole, good = path.read_bytes(), features.load(voice)
    outcomes = set()
    for number in range(0, 8 * len(whole), step):
        position, bit = divmod(number, 8)
        rotten = bytearray(whole)
        rotten[position] ^= 1 << bit
        path.write_bytes(rotten)
        missing = len(features.missing())
        outcomes.add(missing)
        assert missing or same_features(features.load(voice), good), (position, bit)
    assert outcomes == {0, 1}
