"""FeatureStore: features per model set, checked when read."""

from __future__ import annotations

import fcntl
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from enrolled import new_voice, open_store
from toy_model_sets import CONDITIONING, SIZES, write_model_set

from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import ModelSet, Voice
from edge_tts.voices.feature_store import FeatureStore, fingerprint


@pytest.fixture
def model(tmp_path: Path) -> ModelSet:
    """A model set without networks."""
    return read_model_set(write_model_set(tmp_path / "model"))


def derived(voice_id: str) -> Voice:
    """An encoder's result."""
    return Voice(
        id=voice_id,
        name="Anna",
        language="en",
        prompt_tokens=np.array([5, 6, 7]),
        prompt_phoneme_ids=np.array([1, 2]),
        prompt_bert=np.full((2, SIZES["bert_width"]), 0.5, np.float32),
        conditioning=np.ones((1, CONDITIONING, 1), np.float32),
    )


def test_features_are_kept_per_model_set(tmp_path: Path, model: ModelSet) -> None:
    """With another model set the voice is missing its features; those of the old set stay."""
    store = open_store(tmp_path / "voices")
    voice = store.add(new_voice())
    old, new = FeatureStore(store=store, model=model), FeatureStore(store=store, model=replace(model, files={"a": "b"}))
    assert [v.ref for v in old.missing()] == [voice.ref]
    old.save(voice, derived(voice.ref.id))
    assert old.missing() == []
    assert [v.ref for v in new.missing()] == [voice.ref]
    store.rename(voice.ref, "Mum")
    loaded = old.load(store.get(voice.ref))
    assert loaded is not None
    assert loaded.name == "Mum"
    np.testing.assert_array_equal(loaded.prompt_bert, derived("x").prompt_bert)
    assert new.load(voice) is None
    new.save(voice, derived(voice.ref.id))
    assert new.load(voice) is not None
    assert old.load(voice) is not None  # the way back is short


def test_the_fingerprint_follows_the_networks_alone(model: ModelSet) -> None:
    """The fingerprint changes with a network, not with a built-in voice."""
    assert fingerprint(model) == fingerprint(replace(model, files={**model.files, "voices/x/voice.json": "0"}))
    assert fingerprint(model) != fingerprint(replace(model, files={**model.files, "wave.onnx": "0"}))


def test_features_with_a_pickle_are_refused_unread(tmp_path: Path, model: ModelSet) -> None:
    """An array of objects is not unpickled: the voice counts as missing its features."""
    store = open_store(tmp_path / "voices")
    voice = store.add(new_voice())
    features = FeatureStore(store=store, model=model)
    features.save(voice, derived(voice.ref.id))
    path = next(voice.folder.glob("features/*.npz"))

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "executed",)

    np.savez(path, prompt_tokens=np.array([Bomb()], dtype=object))
    with pytest.raises(VoiceError, match="pickle"):
        features.load(voice)
    assert [v.ref for v in features.missing()] == [voice.ref]
    assert not (tmp_path / "executed").exists()


def test_features_of_a_voice_that_was_deleted_meanwhile_are_not_kept(tmp_path: Path, model: ModelSet) -> None:
    """Features saved after the voice was deleted are refused and leave nothing."""
    store = open_store(tmp_path / "voices")
    voice = store.add(new_voice())
    store.delete(voice.ref)
    with pytest.raises(UnknownVoiceError):
        FeatureStore(store=store, model=model).save(voice, derived(voice.ref.id))
    assert not voice.folder.exists()


def test_features_are_written_under_the_lock(tmp_path: Path, model: ModelSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can delete the voice between the look for it and the write, which would bring its folder back."""
    store = open_store(tmp_path / "voices")
    voice, free = store.add(new_voice()), []

    def write(path: Path, data: bytes) -> None:
        with (store.directory / ".lock").open("ab") as lock, suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free.append(path)

    monkeypatch.setattr("edge_tts.voices.feature_store.write_atomic", write)
    FeatureStore(store=store, model=model).save(voice, derived(voice.ref.id))
    assert free == []
