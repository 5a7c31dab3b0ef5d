"""Checkpoint files are read lazily, told apart, and refused by name when anything about them is wrong."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_tts.convert.checkpoint import Weights, open_checkpoint
from edge_tts.convert.transformers_folder import weights_file
from edge_tts.errors import CheckpointError

from .looking import TREE, looked_at, read_all
from .torch_files import view, write_safetensors, write_torch


@pytest.mark.parametrize("head", ["", "05", "06", "01"])
def test_arrays_come_back_whatever_the_first_bytes(head: str, tmp_path: Path) -> None:
    """A torch zip is read with every array equal, with upstream's family marks in the place of PK too."""
    found = read_all(write_torch(tmp_path / "a.pth", TREE, head=head))
    for name, array in TREE.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


@pytest.mark.parametrize(("head", "family"), [("00", "v1"), ("02", "v3"), ("03", "v3 LoRA"), ("04", "v4 LoRA")])
def test_other_families_are_refused_by_their_mark(head: str, family: str, tmp_path: Path) -> None:
    """A file marked as another family is refused with that family's name and the supported ones."""
    path = write_torch(tmp_path / "a.pth", TREE, head=head)
    with pytest.raises(CheckpointError, match=rf"GPT-SoVITS {family} file; v2, v2Pro and v2ProPlus"), looked_at(path):
        pass


def test_an_old_torch_file_is_refused_by_name(tmp_path: Path) -> None:
    """A file from before the zip format begins with a bare pickle; the message says what to do."""
    path = tmp_path / "old.pth"
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
    with pytest.raises(CheckpointError, match="old torch file"), looked_at(path):
        pass


def test_a_missing_file_and_a_stray_zip_are_refused(tmp_path: Path) -> None:
    """No file, an empty file, and a zip that torch did not write: each is CheckpointError that names the file."""
    empty = tmp_path / "empty.pth"
    empty.write_bytes(b"")
    stray = tmp_path / "stray.zip"
    with zipfile.ZipFile(stray, "w") as archive:
        archive.writestr("readme.txt", "hello")
    for path in (tmp_path / "absent.pth", empty, stray):
        with pytest.raises(CheckpointError, match=path.name), open_checkpoint(path, tmp_path):
            pass


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(share: float, tmp_path: Path) -> None:
    """Cut off anywhere, a file is refused by name."""
    whole = write_torch(tmp_path / "whole.pth", TREE).read_bytes()
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(CheckpointError):
        read_all(cut)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 1 << 20), flip=st.integers(1, 255))
def test_a_damaged_file_is_refused_or_unharmed(position: int, flip: int, tmp_path: Path) -> None:
    """One changed byte is either refused by name or does not reach the numbers: no array is ever silently wrong."""
    data = bytearray(write_torch(tmp_path / "whole.pth", TREE).read_bytes())
    data[position % len(data)] ^= flip
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes(data)
    try:
        found = read_all(damaged)
    except CheckpointError:
        return
    assert all(np.array_equal(found[name], TREE[name]) for name in TREE)


@pytest.mark.parametrize("place", range(-10, -2))
def test_a_directory_at_a_wrong_place_is_refused(place: int, tmp_path: Path) -> None:
    """Size and offset of the directory, wrong in any byte: the records would lie before or behind the file."""
    data = bytearray(write_torch(tmp_path / "whole.pth", TREE).read_bytes())
    data[place] ^= 0x11
    (tmp_path / "damaged.pth").write_bytes(data)
    with pytest.raises(CheckpointError):
        read_all(tmp_path / "damaged.pth")


def test_weights_are_checked_as_they_are_taken(tmp_path: Path) -> None:
    """A parameter that is missing, misshapen, not finite or unexpected is refused by name."""
    tree = {
        "m.good": np.ones((2, 3), np.float16),
        "m.bad": np.array([1.0, np.nan], np.float16),
        "m.extra": np.ones(1, np.float16),
    }
    with looked_at(write_torch(tmp_path / "a.pth", tree)) as source:
        weights = Weights(source, "a.pth", prefix="m.")
        assert weights.take("good", 2, 3).dtype == np.float32
        with pytest.raises(CheckpointError, match=r"m\.absent is missing"):
            weights.take("absent", 1)
        with pytest.raises(CheckpointError, match=r"m\.good has shape \[2, 3\], expected \[3, 2\]"):
            weights.take("good", 3, 2)
        with pytest.raises(CheckpointError, match=r"m\.bad holds NaN"):
            weights.take("bad", 2)
        with pytest.raises(CheckpointError, match=r"unexpected parameter m\.extra"):
            weights.complete("m.bad$")
        weights.complete(r"m\.(bad|extra)$")


def test_a_gap_between_layers_is_named(tmp_path: Path) -> None:
    """Layers are counted by their arrays; when one between others lacks its own, that one is named."""
    tree = {f"h.{index}.scale": np.ones(1, np.float16) for index in (0, 1, 3)}
    with looked_at(write_torch(tmp_path / "a.pth", tree)) as source:
        weights = Weights(source, "a.pth")
        with pytest.raises(CheckpointError, match=r"h\.2\.scale is missing"):
            weights.count("h.{}.scale")
        assert weights.count("g.{}.scale") == 0


def test_a_safetensors_folder_is_preferred_and_read(tmp_path: Path) -> None:
    """The arrays of model.safetensors come back equal, also when an older pytorch_model.bin lies beside it."""
    write_safetensors(tmp_path / "model.safetensors", TREE)
    (tmp_path / "pytorch_model.bin").write_bytes(b"junk")
    found = read_all(weights_file(tmp_path))
    assert found.keys() == TREE.keys()
    assert all(np.array_equal(found[name], array) for name, array in TREE.items())


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    """bfloat16 arrays are read as float32 with the same values."""
    header = json.dumps({"a": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
    values = np.array([1.0, -2.5, 0.125], np.float32)
    data = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    assert np.array_equal(read_all(tmp_path / "model.safetensors")["a"], values)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    """The message names what was looked for, and a file given as the folder is called one."""
    with pytest.raises(CheckpointError, match=r"no folder of a network: .* model\.safetensors, pytorch_model\.bin"):
        weights_file(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="is a file, not the folder of a network"):
        weights_file(tmp_path / "file")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_views_of_one_storage_are_read(compression: int, tmp_path: Path) -> None:
    """Transposed, stepped, shifted, repeated and whole views of one storage come back as torch has them, also from a
    deflated archive."""
    base = np.arange(24, dtype=np.float32)
    tree = {
        "base": base,
        "transposed": view(0, 24, (6, 4), (1, 6)),
        "stepped": view(0, 24, (4, 3), (6, 2), offset=1),
        "repeated": view(0, 24, (2, 3, 2), (0, 4, 1), offset=12),
        "scalar": view(0, 24, (), (), offset=23),
        "empty": view(0, 24, (0, 7), (7, 1), offset=24),
    }
    found = read_all(write_torch(tmp_path / "a.pth", tree, compression=compression))
    assert np.array_equal(found["base"], base)
    assert np.array_equal(found["transposed"], base.reshape(4, 6).T)
    assert np.array_equal(found["stepped"], base.reshape(4, 6)[:, 1::2])
    assert np.array_equal(found["repeated"], np.stack([base[12:].reshape(3, 4)[:, :2]] * 2))
    assert found["scalar"] == base[23]
    assert found["empty"].shape == (0, 7)


def test_a_strided_parameter_is_taken_in_order(tmp_path: Path) -> None:
    """What `Weights` hands out is contiguous and may be changed, whatever the strides in the file."""
    tree = {"base": np.arange(6, dtype=np.float32), "turned": view(0, 6, (3, 2), (1, 3))}
    with looked_at(write_torch(tmp_path / "a.pth", tree)) as source:
        taken = Weights(source, "a").take("turned", 3, 2)
        taken *= 2
        assert taken.flags.c_contiguous
        assert np.array_equal(Weights(source, "a").take("turned", 3, 2) * 2, taken)


def test_a_shared_storage_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many arrays lie in one storage, its checksum is computed once, and each array has its own elements."""
    count = 1 << 16
    rows = {f"row{row}": view(0, count, (64,), (1,), offset=64 * row) for row in range(count // 64)}
    path = write_torch(tmp_path / "a.pth", {"all": np.arange(count, dtype=np.float32), **rows})
    counted = 0
    read = zipfile.ZipExtFile.read

    def counting(self: zipfile.ZipExtFile, size: int = -1) -> bytes:
        nonlocal counted
        data = read(self, size)
        counted += len(data)
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    found = read_all(path)
    assert counted < 2 * path.stat().st_size
    assert np.array_equal(np.concatenate([found[f"row{row}"] for row in range(count // 64)]), found["all"])


def test_a_file_that_shrinks_meanwhile_is_refused(tmp_path: Path) -> None:
    """A file that becomes shorter between look and reading is an error with its name."""
    with looked_at(write_torch(tmp_path / "a.pth", TREE)) as source:
        (tmp_path / "a.pth").write_bytes(b"PK")
        with pytest.raises(CheckpointError, match=r"a\.pth: became shorter"):
            source.read("half")
