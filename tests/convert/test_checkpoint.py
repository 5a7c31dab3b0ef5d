"""Checkpoint files are read lazily, told apart, and refused by name when anything about them is wrong."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_tts.convert.checkpoint import Weights, open_folder
from edge_tts.convert.torch_file import open_torch
from edge_tts.errors import CheckpointError

from .torch_files import Raw, write_safetensors, write_torch

TREE = {
    "half": np.arange(6, dtype=np.float16).reshape(2, 3),
    "long": np.array([7], np.int64),
    "single": np.full((2, 2), 0.5, np.float32),
    "scalar": np.array(3.0, np.float64),
}


def read_all(path: Path) -> dict[str, np.ndarray]:
    with open_torch(path) as file:
        source = file.use(file.tree)
        return {name: np.array(source.read(name)) for name in source.shapes}


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
    with pytest.raises(CheckpointError, match=rf"GPT-SoVITS {family} file; v2, v2Pro and v2ProPlus"), open_torch(path):
        pass


def test_an_old_torch_file_is_refused_by_name(tmp_path: Path) -> None:
    """A file from before the zip format begins with a bare pickle; the message says what to do."""
    path = tmp_path / "old.pth"
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.")
    with pytest.raises(CheckpointError, match="old torch file"), open_torch(path):
        pass


def test_a_missing_file_and_a_stray_zip_are_refused(tmp_path: Path) -> None:
    """No file, an empty file, and a zip that torch did not write: each is CheckpointError that names the file."""
    empty = tmp_path / "empty.pth"
    empty.write_bytes(b"")
    stray = tmp_path / "stray.zip"
    with zipfile.ZipFile(stray, "w") as archive:
        archive.writestr("readme.txt", "hello")
    for path in (tmp_path / "absent.pth", empty, stray):
        with pytest.raises(CheckpointError, match=path.name), open_torch(path):
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


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A compressed archive is refused: torch never compresses, and a bomb must."""
    path = write_torch(tmp_path / "bomb.pth", {"a": np.zeros(1 << 22, np.float16)}, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(CheckpointError, match="compressed"), open_torch(path):
        pass


def test_records_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """Directory entries that claim more bytes than the file has (overlapping records) are refused."""
    path = write_torch(tmp_path / "a.pth", {"a": np.zeros(4096, np.float32)})
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    count, size, start = struct.unpack("<HII", data[end + 10 : end + 20])
    directory = data[start : start + size]
    copies = 100
    total = struct.pack("<HHII", count * copies, count * copies, size * copies, start)
    path.write_bytes(data[:start] + directory * copies + b"PK\x05\x06\0\0\0\0" + total + b"\0\0")
    with pytest.raises(CheckpointError, match="more bytes"), open_torch(path):
        pass


@pytest.mark.parametrize(
    ("shape", "strides", "complaint"),
    [
        (b"(K\x02K\x02t", b"(K\x02K\x01t", "past the end"),
        (b"(J\x00\x00\x00\x7ft", b"(K\x00t", "not stored densely"),
        (b"(J\xff\xff\xff\xfft", b"(K\x01t", "impossible sizes"),
        (b"(K\x02t", b"(K\x01K\x01t", "malformed"),
    ],
    ids=["too-long", "expanded", "negative", "ranks"],
)
def test_a_tensor_beyond_its_storage_is_refused(shape: bytes, strides: bytes, complaint: str, tmp_path: Path) -> None:
    """A tensor may not claim more than its storage holds, nor repeat it by strides."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x03tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + shape + strides + b"\x89NtR"
    path = write_torch(tmp_path / "a.pth", {"a": Raw(tensor)})
    with pytest.raises(CheckpointError, match=complaint), open_torch(path):
        pass


def test_a_storage_shorter_than_it_says_is_refused(tmp_path: Path) -> None:
    """A record with fewer bytes than the pickle promises is refused when it is read."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x63tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00(K\x63t(K\x01t\x89NtR"
    tree = {"real": np.zeros(3, np.float32), "false": Raw(tensor)}
    with pytest.raises(CheckpointError, match="shorter"):
        read_all(write_torch(tmp_path / "a.pth", tree))


def test_weights_are_checked_as_they_are_taken(tmp_path: Path) -> None:
    """A parameter that is missing, misshapen, not finite or unexpected is refused by name."""
    tree = {
        "m.good": np.ones((2, 3), np.float16),
        "m.bad": np.array([1.0, np.nan], np.float16),
        "m.extra": np.ones(1, np.float16),
    }
    with open_torch(write_torch(tmp_path / "a.pth", tree)) as file:
        weights = Weights(file.use(file.tree), "a.pth", prefix="m.")
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
    with open_torch(write_torch(tmp_path / "a.pth", tree)) as file:
        weights = Weights(file.use(file.tree), "a.pth")
        with pytest.raises(CheckpointError, match=r"h\.2\.scale is missing"):
            weights.count("h.{}.scale")
        assert weights.count("g.{}.scale") == 0


def test_a_safetensors_folder_is_preferred_and_read(tmp_path: Path) -> None:
    """The arrays of model.safetensors come back equal, also when an older pytorch_model.bin lies beside it."""
    write_safetensors(tmp_path / "model.safetensors", TREE)
    (tmp_path / "pytorch_model.bin").write_bytes(b"junk")
    with open_folder(tmp_path) as source:
        for name, array in TREE.items():
            assert np.array_equal(source.read(name), array)


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    """bfloat16 arrays are read as float32 with the same values."""
    header = json.dumps({"a": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
    values = np.array([1.0, -2.5, 0.125], np.float32)
    data = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data)
    with open_folder(tmp_path) as source:
        assert np.array_equal(source.read("a"), values)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 400), replacement=st.integers(0, 255))
def test_a_damaged_safetensors_header_is_refused_or_readable(position: int, replacement: int, tmp_path: Path) -> None:
    """A wrong byte in the header leads to CheckpointError or to arrays inside the file, never to another exception."""
    path = write_safetensors(tmp_path / "model.safetensors", TREE)
    data = bytearray(path.read_bytes())
    data[position % (len(data) - 1)] = replacement
    path.write_bytes(data)
    try:
        with open_folder(tmp_path) as source:
            for name in source.shapes:
                source.read(name)
    except CheckpointError:
        pass


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    """The message names what was looked for."""
    with pytest.raises(CheckpointError, match=r"model\.safetensors, pytorch_model\.bin"), open_folder(tmp_path):
        pass
