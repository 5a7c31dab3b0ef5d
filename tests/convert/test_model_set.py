"""A conversion gives a whole model set or nothing at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_tts.convert.graph_writer import GraphWriter
from edge_tts.convert.model_set import Options, Sources, convert
from edge_tts.convert.opening import Checkpoints
from edge_tts.errors import CheckpointError, ModelError
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.text.languages import MODULES

from .golden import manifest, tensors, write_checkpoint
from .torch_files import write_torch

SPEAKING = {"t2s_prefill", "t2s_step", "quantizer", "conditioning", "encoder", "flow", "wave"}


def read_manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_a_v2_set_is_complete_and_described(v2: Sources, tmp_path: Path) -> None:
    """All graphs are there, and the manifest states family, sizes and the sha256 of every file."""
    out = tmp_path / "sets" / "mine"
    remarks = convert(v2, out, Options(name="mine", licence="CC0-1.0"))
    facts = read_manifest(out)
    assert {name.removesuffix(".onnx") for name in facts["files"]} == SPEAKING
    assert (facts["name"], facts["family"], facts["precision"], facts["licence"]) == ("mine", "v2", "fp32", "CC0-1.0")
    assert sorted(facts["languages"]) == sorted(MODULES)
    assert (facts["min_tokens_per_phoneme"], facts["max_tokens_per_phoneme"]) == (1.0, 8.33)
    assert facts["join_sentences"] is True
    assert facts["sizes"]["t2s_layers"] == 3
    assert facts["sizes"]["conditioning_width"] == 512
    assert facts["sizes"]["speaker_width"] == 0
    for name, entry in facts["files"].items():
        data = (out / name).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert any("HuBERT" in remark for remark in remarks)
    assert os.listdir(out.parent) == ["mine"]


def test_a_full_set_has_every_network_and_its_vocabulary(whole_family: Sources, tmp_path: Path) -> None:
    """With all checkpoints given the set can read recordings and Chinese, and the vocabulary travels in it."""
    assert whole_family.bert is not None
    vocabulary = [f"token{index}" for index in range(512)]
    (whole_family.bert / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    try:
        convert(whole_family, tmp_path / "set", Options(name="set"))
    finally:
        (whole_family.bert / "vocab.txt").unlink()
    facts = read_manifest(tmp_path / "set")
    graphs = {f"{name}.onnx" for name in SPEAKING | {"ssl", "bert", "speaker"}}
    assert set(facts["files"]) == graphs | {"vocab.txt"}
    assert facts["family"] == "v2ProPlus"
    assert facts["sizes"]["speaker_width"] == 20480
    assert (tmp_path / "set" / "vocab.txt").read_text(encoding="utf-8").splitlines() == vocabulary


def test_the_vocabulary_may_come_from_a_tokenizer_file(whole_family: Sources, tmp_path: Path) -> None:
    """Newer transformers folders keep the vocabulary in tokenizer.json; one of the wrong length is refused."""
    assert whole_family.bert is not None
    tokenizer = whole_family.bert / "tokenizer.json"
    try:
        table = {f"token{index}": index for index in range(511)}
        tokenizer.write_text(json.dumps({"model": {"vocab": table}}), encoding="utf-8")
        with pytest.raises(CheckpointError, match="511 tokens in the vocabulary, 512 in the network"):
            convert(whole_family, tmp_path / "set", Options(name="set"))
        tokenizer.write_text(json.dumps({"model": {"vocab": {**table, "last": 511}}}), encoding="utf-8")
        convert(whole_family, tmp_path / "set", Options(name="set"))
    finally:
        tokenizer.unlink()
    assert (tmp_path / "set" / "vocab.txt").read_text(encoding="utf-8").splitlines()[-1] == "last"


def test_an_existing_set_is_kept_unless_told_otherwise(v2: Sources, tmp_path: Path) -> None:
    """A second conversion to the same place is refused and names the option that swaps the whole set."""
    out = tmp_path / "set"
    convert(v2, out, Options(name="set", version="1"))
    with pytest.raises(ModelError, match=r"exists already; .*--replace"):
        convert(v2, out, Options(name="set", version="2"))
    assert read_model_set(out).version == "1"
    convert(v2, out, Options(name="set", version="2", replace=True))
    verify_model_set(read_model_set(out))
    assert read_model_set(out).version == "2"
    assert os.listdir(tmp_path) == ["set"]


def damaged(model: str, folder: Path, change: str) -> Path:
    """A checkpoint of `model` with one parameter missing, extra, misshapen or not a number."""
    arrays = tensors(model)
    name = list(arrays)[len(arrays) // 4]
    if change == "missing":
        del arrays[name]
    elif change == "extra":
        arrays["model.surplus.weight"] = np.zeros(3, np.float16)
    elif change == "misshapen":
        arrays[name] = np.zeros((*arrays[name].shape[:-1], arrays[name].shape[-1] + 1), np.float16)
    else:
        arrays[name] = np.full_like(arrays[name], np.nan)
    path = folder / f"{model}.{change}"
    write_checkpoint(model, path, arrays)
    return path


@pytest.mark.parametrize("change", ["missing", "extra", "misshapen", "nan"])
@pytest.mark.parametrize(
    ("method", "model"),
    [
        ("gpt", "t2s_v2_small"),
        ("sovits", "sovits_v2_small"),
        ("ssl", "hubert_small"),
        ("bert", "bert_small"),
        ("speaker", "eres2netv2_small"),
    ],
)
def test_a_wrong_parameter_is_named(method: str, model: str, change: str, tmp_path: Path) -> None:
    """Whichever network a wrong parameter is in, the error names it."""
    names = [row[0] for row in manifest(model)["tensors"]]
    guilty = "model.surplus.weight" if change == "extra" else names[len(names) // 4]
    checkpoint = damaged(model, tmp_path, change)
    with pytest.raises(CheckpointError) as caught, Checkpoints(tmp_path) as opener:
        getattr(GraphWriter(tmp_path), method)(getattr(opener, method)(checkpoint))
    stem = guilty.rsplit(".", 2)[0]
    assert guilty in str(caught.value) or stem in str(caught.value)
    assert not list(tmp_path.glob(".*.weights"))


def test_nothing_remains_of_a_set_whose_last_network_is_wrong(v2: Sources, tmp_path: Path) -> None:
    """When the last of all checkpoints is refused, the graphs written before it are gone too."""
    sources = replace(v2, eres2net=damaged("eres2netv2_small", tmp_path, "nan"))
    place = tmp_path / "models"
    with pytest.raises(CheckpointError, match="NaN"):
        convert(sources, place / "set", Options(name="set"))
    assert os.listdir(place) == []


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"enc_p.text_embedding.weight": (322, 192)}, "v1"),
        ({"cfm.estimator.weight": (2, 2)}, "v3 or v4"),
        ({"cfm.estimator.lora_A.weight": (2, 2)}, "LoRA"),
    ],
)
def test_other_families_are_refused_by_content(
    arrays: dict[str, tuple[int, int]], complaint: str, v2: Sources, tmp_path: Path
) -> None:
    """v1, v3, v4 and LoRA files without a telling head are recognised by what they contain."""
    path = tmp_path / "other.pth"
    write_checkpoint("sovits_v2_small", path, {name: np.zeros(shape, np.float16) for name, shape in arrays.items()})
    with pytest.raises(CheckpointError, match=complaint):
        convert(replace(v2, sovits=path), tmp_path / "set", Options(name="set"))


def test_a_v1_gpt_is_refused(v2: Sources, tmp_path: Path) -> None:
    """A GPT with 512 phonemes is v1's."""
    arrays = tensors("t2s_v2_small")
    arrays["model.ar_text_embedding.word_embeddings.weight"] = np.zeros((512, 64), np.float16)
    write_checkpoint("t2s_v2_small", tmp_path / "v1.ckpt", arrays)
    with pytest.raises(CheckpointError, match="512 phonemes, so GPT-SoVITS v1"):
        convert(replace(v2, gpt=tmp_path / "v1.ckpt"), tmp_path / "set", Options(name="set"))


def test_swapped_files_are_refused(v2: Sources, tmp_path: Path) -> None:
    """A SoVITS file given as the GPT, and the other way round, is told apart from a damaged one."""
    with pytest.raises(CheckpointError, match="not a GPT checkpoint"):
        convert(replace(v2, gpt=v2.sovits), tmp_path / "set", Options(name="set"))
    with pytest.raises(CheckpointError, match="not a SoVITS checkpoint"):
        convert(replace(v2, sovits=v2.gpt), tmp_path / "set", Options(name="set"))


def test_a_posterior_encoder_is_skipped(v2: Sources, tmp_path: Path) -> None:
    """Pretrained base files carry the training-only posterior encoder; it is ignored, not refused."""
    arrays = tensors("sovits_v2_small") | {"enc_q.pre.weight": np.zeros((4, 4), np.float16)}
    write_checkpoint("sovits_v2_small", tmp_path / "base.pth", arrays)
    convert(replace(v2, sovits=tmp_path / "base.pth"), tmp_path / "set", Options(name="set"))


def test_voices_are_part_of_the_set(v2: Sources, tmp_path: Path) -> None:
    """What the voice writer writes is in the manifest, and its first voice is the default."""

    def write(folder: Path) -> list[str]:
        assert (folder / "conditioning.onnx").is_file()
        (folder / "voices" / "anna").mkdir(parents=True)
        (folder / "voices" / "anna" / "voice.json").write_text("{}")
        return ["anna"]

    convert(v2, tmp_path / "set", Options(name="set"), voices=write)
    facts = read_manifest(tmp_path / "set")
    assert (facts["default_voice"], facts["voices"]) == ("anna", ["anna"])
    assert "voices/anna/voice.json" in facts["files"]


def test_every_checkpoint_is_looked_at_before_one_is_written(whole_family: Sources, tmp_path: Path) -> None:
    """When the last of all files is no checkpoint, or does not fit the others, no graph has been begun."""
    pointer = tmp_path / "pointer.ckpt"
    pointer.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 155\n")
    begun: list[str] = []
    for sources, complaint in (
        (replace(whole_family, eres2net=pointer), r"pointer\.ckpt: a Git LFS pointer"),
        (replace(whole_family, eres2net=whole_family.gpt), "not an ERes2NetV2"),
        (replace(whole_family, bert=whole_family.hubert), "config.json|embeddings"),
        (replace(whole_family, sovits=pointer), r"pointer\.ckpt: a Git LFS pointer"),
    ):
        with pytest.raises(CheckpointError, match=complaint):
            convert(sources, tmp_path / "set", Options(name="set"), progress=begun.append)
    assert not [name for name in begun if name.endswith(".onnx")]


def test_a_disk_with_too_little_room_is_named_before_anything_is_written(
    v2: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sizes are known from the files, so the disk is called full before the first graph, with both numbers."""
    begun: list[str] = []
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(
        ModelError, match=r"the disk is full, nothing was written: about \d+ MB are needed, 1 MB are free"
    ):
        convert(v2, tmp_path / "set", Options(name="set"), progress=begun.append)
    assert not [name for name in begun if name.endswith(".onnx")]
    assert os.listdir(tmp_path) == []


def test_a_disk_that_becomes_full_is_named(v2: Sources, tmp_path: Path) -> None:
    """A disk that fills while graphs are written is called full, and nothing stays."""
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom edge_tts.convert import weight_spool\n"
        "from edge_tts.convert.model_set import *\nspool = weight_spool.WeightSpool\n"
        "def full(self, name, array):\n self._file = open('/dev/full', 'wb')\n put(self, name, array)\n"
        "put, spool.put = spool.put, full\n"
        "gpt, sovits, out = map(Path, sys.argv[1:])\nconvert(Sources(gpt=gpt, sovits=sovits), out, Options(name='x'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, v2.gpt, v2.sovits, tmp_path / "set"], capture_output=True, text=True, check=False
    )
    assert "set: cannot be written: the disk is full" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("change", ["deflated", "strided"])
def test_a_deflated_or_strided_checkpoint_makes_the_same_graphs(change: str, v2: Sources, tmp_path: Path) -> None:
    """An archive that somebody packed again, and parameters that are stored transposed, give the same files."""
    changed = {}
    for kind, model in (("gpt", "t2s_v2_small"), ("sovits", "sovits_v2_small")):
        facts, weight = manifest(model), tensors(model)
        if change == "strided":
            weight = {name: np.asfortranarray(array) for name, array in weight.items()}
        tree = {"weight": weight, "config": facts["config"], "info": ""}
        compression = zipfile.ZIP_DEFLATED if change == "deflated" else zipfile.ZIP_STORED
        changed[kind] = write_torch(tmp_path / model, tree, compression=compression, head=facts["leading_bytes"])
    convert(v2, tmp_path / "plain", Options(name="set"))
    convert(Sources(**changed), tmp_path / "changed", Options(name="set"))
    assert read_manifest(tmp_path / "changed") == read_manifest(tmp_path / "plain")


def test_a_place_that_is_named_by_a_detour_is_the_same_place(v2: Sources, tmp_path: Path) -> None:
    """A path with `..` after a folder that is not there leads where it reads, and the set is made there."""
    convert(v2, tmp_path / "nowhere" / ".." / "set", Options(name="set"))
    assert os.listdir(tmp_path) == ["set"]
