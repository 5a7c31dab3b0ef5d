"""Model sets on disk: what is read, and every kind of damage that is refused by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_model_sets import SIZES, write_manifest, write_model_set

from edge_tts.errors import ModelError
from edge_tts.model_sets.loading import unchanged
from edge_tts.model_sets.manifest import (
    find_model_set,
    installed_model_sets,
    newest_model_set,
    read_model_set,
    verify_model_set,
)


def test_a_whole_set_is_read_and_verified(tmp_path: Path) -> None:
    """The manifest becomes a ModelSet, its optional parts take their defaults, and every file is as it says."""
    model = read_model_set(write_model_set(tmp_path / "toy", voices=("hum", "buzz"), sampling={"top_k": 5}))
    verify_model_set(model)
    assert (model.name, model.voices, model.default_voice) == ("toy", ("hum", "buzz"), "hum")
    assert (model.sampling.top_k, model.sampling.repetition_penalty) == (5, 1.35)
    assert model.join_sentences
    assert not read_model_set(write_model_set(tmp_path / "alone", join_sentences=False)).join_sentences
    assert model.sizes.wave_halo_frames == SIZES["wave_halo_frames"]
    assert model.graph("wave") == tmp_path / "toy" / "wave.onnx"


def test_a_set_is_read_no_further_than_it_says(tmp_path: Path) -> None:
    """The positions are the manifest's; one without them gets those of the smallest family."""
    silent = read_model_set(write_model_set(tmp_path / "silent"))
    assert (silent.most_phonemes, silent.sizes.limits.audio_positions) == (512, 1280)
    sizes = {**SIZES, "text_positions": 900, "audio_positions": 2048, "bert_positions": 300}
    told = read_model_set(write_model_set(tmp_path / "told", sizes=sizes))
    assert (told.most_phonemes, told.sizes.limits.bert_positions) == (900, 300)


def test_a_set_without_a_pace_has_upstreams(tmp_path: Path) -> None:
    """GPT-SoVITS trains on 3 to 25 phonemes a second: one to eight tokens a phoneme, also for sets converted before."""
    silent = read_model_set(write_model_set(tmp_path / "silent"))
    assert (silent.min_tokens_per_phoneme, silent.max_tokens_per_phoneme) == (1.0, pytest.approx(25 / 3))
    told = read_model_set(write_model_set(tmp_path / "told", min_tokens_per_phoneme=1.8, max_tokens_per_phoneme=3.2))
    assert (told.min_tokens_per_phoneme, told.max_tokens_per_phoneme) == (1.8, 3.2)


def test_languages_that_cannot_be_read_are_not_announced(tmp_path: Path) -> None:
    """A set of an older conversion names what its weights were trained in; known is what the front end reads."""
    model = read_model_set(write_model_set(tmp_path / "toy", languages=["zh", "en", "ja", "ko", "yue"]))
    assert model.languages == ("zh", "en")


def remove(folder: Path) -> None:
    (folder / "wave.onnx").unlink()


def shorten(folder: Path) -> None:
    (folder / "wave.onnx").write_bytes(b"not")


def flip(folder: Path) -> None:
    (folder / "wave.onnx").write_bytes(b"not a grapH")


def add(folder: Path) -> None:
    (folder / "extra.onnx").write_bytes(b"")


def forget_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def cut_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:100])


def link_out(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.write_bytes(b"not a graph")
    (folder / "wave.onnx").unlink()
    (folder / "wave.onnx").symlink_to(outside)


def escape(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder.parent / "outside").write_bytes(b"")
        empty = {"sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "bytes": 0}
        write_manifest(folder, files={name: empty})

    change.__name__ = f"escape_to_{name}"
    return change


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (remove, r"wave\.onnx: the manifest names it, but it cannot be read"),
        (shorten, r"wave\.onnx: has 3 bytes, the manifest says 11"),
        (flip, r"wave\.onnx: is damaged"),
        (add, r"does not name extra\.onnx"),
        (forget_manifest, r"manifest\.json: cannot be read"),
        (cut_manifest, r"manifest\.json: Invalid JSON"),
        (link_out, "leads out of the model set"),
        (escape("../outside"), "leads out of the model set"),
        (escape("/etc/hostname"), "leads out of the model set"),
        (escape("a\0b"), "leads out of the model set"),
        (escape("voices/../../outside"), "leads out of the model set"),
    ],
)
def test_a_damaged_set_is_refused(tmp_path: Path, damage: Callable[[Path], None], named: str) -> None:
    """Whatever is wrong with the files, the error names the file; nothing outside the set is ever read."""
    folder = write_model_set(tmp_path / "toy")
    damage(folder)
    with pytest.raises(ModelError, match=named):
        verify_model_set(read_model_set(folder))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"format": 2}, "'format'"),
        ({"family": "v4"}, "'family'"),
        ({"sizes": {**SIZES, "tokens": 0}}, r"'sizes\.tokens'"),
        ({"languages": ["ja", "ko"]}, "languages: none of them can be read yet; it should have en, zh"),
        ({"sizes": {}}, r"'sizes\.tokens' is missing"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"files": {"a": {"sha256": "x", "bytes": 1}}}, r"'files\.a\.sha256'"),
    ],
)
def test_a_wrong_manifest_is_refused_by_key(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    """The error names the key at fault."""
    folder = write_model_set(tmp_path / "toy", **changes)
    with pytest.raises(ModelError, match=named):
        read_model_set(folder)


def test_sizes_may_say_more_than_the_host_needs(tmp_path: Path) -> None:
    """A manifest tells people more about the networks than the host reads."""
    folder = write_model_set(tmp_path / "toy", sizes={**SIZES, "t2s_layers": 24})
    assert read_model_set(folder).sizes.tokens == SIZES["tokens"]


def test_a_set_that_is_not_there_gets_a_hint(tmp_path: Path) -> None:
    """The nearest name is suggested; an empty folder says where sets come from."""
    with pytest.raises(ModelError, match="nothing is installed there"):
        find_model_set(tmp_path, "starter")
    write_model_set(tmp_path / "starter")
    (tmp_path / "unfinished").mkdir()
    assert installed_model_sets(tmp_path) == ["starter"]
    with pytest.raises(ModelError, match="did you mean 'starter'"):
        find_model_set(tmp_path, "startr")
    assert find_model_set(tmp_path, "starter").name == "starter"


def test_the_manifest_name_cannot_lead_elsewhere(tmp_path: Path) -> None:
    """A name with a path in it is no model set."""
    write_model_set(tmp_path / "starter")
    (tmp_path / "models").mkdir()
    with pytest.raises(ModelError, match="no model set"):
        find_model_set(tmp_path / "models", "../starter")
    assert json.loads((tmp_path / "starter" / "manifest.json").read_text())["name"] == "starter"


def test_the_set_that_was_copied_here_last_is_the_newest(tmp_path: Path) -> None:
    """Whatever time its files carry; one that was given up does not count."""
    assert newest_model_set(tmp_path) is None
    for name in ("b", "a"):
        manifest = write_model_set(tmp_path / name) / "manifest.json"
        os.utime(manifest, (0, 0) if name == "a" else None)
        written = manifest.stat().st_ctime_ns
        while _now_ns(tmp_path) == written:
            pass
    assert newest_model_set(tmp_path) == "a"
    assert newest_model_set(tmp_path, but_not="a") == "b"


def _now_ns(folder: Path) -> int:
    """By the file system's clock, which moves in steps."""
    (folder / "clock").touch()
    return (folder / "clock").stat().st_ctime_ns


def test_a_set_that_was_replaced_is_not_loaded_again(tmp_path: Path) -> None:
    """Networks that come back after a while are those of the start, or the set is named."""
    folder = write_model_set(tmp_path / "toy")
    model = read_model_set(folder)
    assert unchanged(model) is model
    (folder / "wave.onnx").write_bytes(b"another one")
    write_manifest(folder)
    with pytest.raises(ModelError, match="toy was replaced since the start"):
        unchanged(model)
