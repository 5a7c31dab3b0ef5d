"""Detecting changes of the voices on disk, even by a killed process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from enrolled import contents, make_features, new_voice, open_store
from power_cut import cut_everywhere
from toy_model_sets import write_manifest, write_model_set

from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import ModelSet
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.watch import outline

FEATURES = "set.npz"
Change = Callable[[VoiceStore, VoiceRef], object]

CHANGES: dict[str, Change] = {
    "enrol": lambda store, ref: store.add(new_voice(2, name="Bert")),
    "rename": lambda store, ref: store.rename(ref, "Mum"),
    "delete": lambda store, ref: store.delete(ref),
}


def model_set(folder: Path, name: str) -> ModelSet:
    """A model set with that graph."""
    write_model_set(folder / name)
    (folder / name / "wave.onnx").write_text(name)
    write_manifest(folder / name, voices=("hum",))
    return read_model_set(folder / name)


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen_even_of_a_process_that_was_killed(tmp_path: Path, what: str) -> None:
    """After a power cut at any moment, a change that readers see is detected, unlike by the log."""
    before: dict[Path, tuple[VoiceRef, object, dict[tuple[str, str], str], int]] = {}
    silent: list[int] = []

    def log_size(root: Path) -> int:
        return (root / "audit.log").stat().st_size

    def start(root: Path) -> None:
        store = open_store(root)
        ref = store.add(new_voice()).ref
        before[root] = (ref, outline(root, features=FEATURES), contents(store), log_size(root))

    def unopened(root: Path) -> VoiceStore:
        return VoiceStore(directory=root, device="kitchen", clock=lambda: 1_700_000_000.0)

    def check(root: Path, finished: bool) -> None:
        _, seen, known, size = before[root]
        changed = contents(unopened(root)) != known
        assert changed or not finished
        if changed:
            assert outline(root, features=FEATURES) != seen
            silent.append(log_size(root) == size)

    cut_everywhere(tmp_path, start=start, work=lambda root: CHANGES[what](unopened(root), before[root][0]), check=check)
    assert any(silent)  # so there are cuts that the log does not tell of


def test_nothing_changes_by_looking(tmp_path: Path) -> None:
    """Reads change no outline; only the features of the model set in use count."""
    store = open_store(tmp_path / "voices")
    voice = store.add(new_voice())
    mine, other = (FeatureStore(store=store, model=model_set(tmp_path, name)) for name in ("mine", "other"))
    seen = outline(store.directory, features=mine.file)
    store.stored(thorough=True)
    mine.missing()
    store.recover()
    make_features(other, voice)
    assert outline(store.directory, features=mine.file) == seen
    make_features(mine, voice)
    saved = outline(store.directory, features=mine.file)
    assert saved != seen
    make_features(mine, voice)
    assert outline(store.directory, features=mine.file) != saved


def test_a_file_replaced_within_a_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    """A name or features replaced with the same mtime change the outline."""
    store = open_store(tmp_path / "voices")
    voice = store.add(new_voice(name="First"))
    features = FeatureStore(store=store, model=model_set(tmp_path, "mine"))
    changes: list[Callable[[], object]] = [
        lambda: store.rename(voice.ref, "Second"),
        lambda: make_features(features, voice),
    ]
    for change in changes:
        change()
        before = _stopped_clock(store.directory, features.file)
        change()
        assert _stopped_clock(store.directory, features.file) != before
        assert _stopped_clock(store.directory, features.file) == _stopped_clock(store.directory, features.file)


def _stopped_clock(root: Path, features: str) -> object:
    """The outline with one mtime for all files."""
    for path in root.rglob("*"):
        os.utime(path, ns=(0, 0))
    return outline(root, features=features)


def test_no_folder_is_no_trouble(tmp_path: Path) -> None:
    """A missing folder has an empty outline."""
    assert outline(tmp_path / "nowhere", features=FEATURES) == {}
