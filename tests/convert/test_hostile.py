"""Files that were made to do harm, or are not what they are given for: each is refused by name."""

from __future__ import annotations

import ast
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_tts.convert import inspector
from edge_tts.convert.checkpoint import open_checkpoint
from edge_tts.convert.opening import Checkpoints
from edge_tts.errors import CheckpointError
from edge_tts.limited_process import ProcessLimits

from .looking import TREE, read_all
from .torch_files import Raw, view, write_safetensors, write_torch

ROOT = Path(__file__).resolve().parents[2]
_LARGE = 1 << 40


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _doubled(times: int = 60) -> bytes:
    """A tuple of two of a tuple of two ...; 2 ** times paths lead through it."""
    return b"K\x00" + b"".join(b"q%ch%c\x86" % (index, index) for index in range(times))


_DEEP = b"K\x00" + b"\x85" * 400_000
"""A tuple in a tuple in a tuple ..."""
_PAIRS = b"(" + b"K\x01K\x02\x86" * 3 + b"t"
_TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n("
_STORAGE = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + b"K\x06tQ"

PICKLES: dict[str, tuple[bytes, str]] = {
    "deep tuple as key": (b"}" + _DEEP + b"K\x01s", "a tuple for a key"),
    "deep tuple as key of an ordered dict": (
        b"ccollections\nOrderedDict\n(](" + _DEEP + b"K\x01\x86etR",
        "a tuple for a key",
    ),
    "deep tuple as attribute": (b"cutils\nHParams\n)\x81}" + _DEEP + b"K\x01sb", "a tuple for a key"),
    "doubled tuple as key": (b"}" + _doubled() + b"K\x01s", "a tuple for a key"),
    "tensor as key": (b"}" + bytes(view(0, 6, (6,), (1,))) + b"K\x01s", "a StoredTensor for a key"),
    "doubled tuple as name": (b"\x8c\x05torch" + _doubled() + b"\x93", "no text"),
    "doubled tuple as module": (_doubled() + b"\x8c\x01x\x93", "no text"),
    "deep tuple as name": (b"\x8c\x05torch" + _DEEP + b"\x93", "no text"),
    "doubled shape": (_TENSOR + _STORAGE + b"K\x00" + _doubled() + b"K\x01K\x01\x86\x89NtR", "offset is a tuple"),
    "deep shape": (_TENSOR + _STORAGE + b"K\x00" + _DEEP + b"K\x01\x85\x89NtR", "offset is a tuple"),
    "doubled offset": (_TENSOR + _STORAGE + _doubled() + b")" + b")\x89NtR", "offset is a tuple"),
    "doubled storage": (_doubled() + b"Q", "malformed storage"),
    "deep storage": (_DEEP + b"Q", "malformed storage"),
    "a million axes": (
        _TENSOR
        + _STORAGE
        + b"K\x00("
        + b"\x8a\x08"
        + b"\xff" * 7
        + b"\x7f"
        + b"q\x00"
        + b"h\x00" * 400_000
        + b"t)\x89NtR",
        "400001 axes",
    ),
    "a dict copied again and again": (
        b"}q\x00("
        + b"".join(_text(f"{n}") + b"N" for n in range(20_000))
        + b"u"
        + b"cutils\nHParams\n)\x81"
        + b"h\x00b" * 50_000,
        "more work",
    ),
    "a list copied again and again": (
        b"](" + b"NN\x86" * 20_000 + b"e\x85q\x00" + b"ccollections\nOrderedDict\nh\x00R" * 5_000,
        "more work",
    ),
    "opcodes without end": (b"N0" * 3_000_000, "more work"),
    "a number of millions of digits": (b"L" + b"9" * 3_000_000 + b"L\n", "no use for the opcode LONG"),
    "an int of millions of digits": (b"I" + b"9" * 3_000_000 + b"\n", "no use for the opcode INT"),
    "a long of 1 GB": (b"\x8b" + struct.pack("<i", 1 << 30), "no use for the opcode LONG4"),
    "a text of 4 GB": (b"X\xff\xff\xff\xff", "malformed"),
    "a text of exabytes": (b"\x8d" + b"\xff" * 7 + b"\x7f", "malformed"),
    "a frame of exabytes": (b"\x95" + b"\xff" * 8, "malformed"),
    "a memo far away": (b"j\xff\xff\xff\xff", "malformed"),
    "a list in itself": (b"]q\x00h\x00a", "no mapping"),
    "a dict in itself": (b"}q\x00" + _text("a") + b"h\x00s", "no tensor"),
    "a mark in the end": (b"(", "malformed"),
    "nothing": (b"", "malformed"),
    "a class": (b"cos\nsystem\n(" + _text("true") + b"tR", "nothing was executed"),
}


@pytest.mark.parametrize("name", PICKLES)
def test_a_hostile_pickle_is_refused(name: str, tmp_path: Path) -> None:
    """Whatever a pickle does to whoever hashes, prints, compares, copies or multiplies, it is refused by name."""
    data, complaint = PICKLES[name]
    tree = Raw(data) if name.startswith(("a list in", "a dict in", "a mark", "nothing")) else {"a": Raw(data)}
    path = write_torch(tmp_path / "a.pth", tree)
    with pytest.raises(CheckpointError, match=complaint):
        read_all(path)


@pytest.mark.parametrize(
    ("tensor", "complaint"),
    [
        (view(0, 6, (2, 4), (4, 1)), "past the end"),
        (view(0, 6, (2,), (1,), offset=5), "past the end"),
        (view(0, 6, (2, 2), (_LARGE, 1)), "larger than any"),
        (view(0, 6, (1 << 30,) * 8, (1,) * 8), "larger than any"),
        (view(0, 6, (1 << 62, 1 << 62), (1, 1)), "larger than any"),
        (view(0, 6, (1 << 25,), (0,)), "repeats"),
        (view(0, 6, (1 << 500,), (1,)), "length, stride or offset is 3273"),
        (view(0, 6, (-1,), (1,)), "length, stride or offset is -1"),
        (view(0, 6, (2,), (-1,)), "length, stride or offset is -1"),
        (view(0, 6, (2,), (1,), offset=-1), "length, stride or offset is -1"),
        (view(0, 6, (2,), (1,), offset=1 << 70), "length, stride or offset is 118"),
        (view(0, 6, (2.0,), (1,)), "length, stride or offset is 2.0"),
        (view(0, 6, (float("inf"),), (1,)), "length, stride or offset is inf"),
        (view(0, 6, (True,), (1,)), "length, stride or offset is True"),
        (view(0, 6, ("2",), (1,)), "length, stride or offset is '2'"),
        (view(0, 6, (None,), (1,)), "length, stride or offset is None"),
        (view(0, 6, (2,), (1, 1)), "1 axes and 2 strides"),
        (view(0, 6, (1,) * 9, (1,) * 9), "9 axes"),
        (view(0, 6, [2], (1,)), "malformed tensor"),
        (view(0, 6, 2, 1), "malformed tensor"),
        (view(0, 1 << 50, (2,), (1,)), "shorter"),
        (view(0, 7, (2,), (1,)), "shorter"),
        (view(0, -7, (2,), (1,)), "past the end"),
        (view(0, 6.0, (2,), (1,)), "malformed storage"),
        (view(0, True, (1,), (1,)), "malformed storage"),
        (view(99, 6, (2,), (1,)), "record data/99 is damaged or missing"),
        (view("../data.pkl", 6, (2,), (1,)), "damaged or missing"),
    ],
)
def test_a_tensor_of_impossible_sizes_is_refused(tensor: Raw, complaint: str, tmp_path: Path) -> None:
    """Shape, strides, offset and storage are checked before anything is multiplied, made or read."""
    path = write_torch(tmp_path / "a.pth", {"real": np.zeros(6, np.float32), "a": tensor})
    with pytest.raises(CheckpointError, match=complaint):
        read_all(path)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        (b"}" + _text("a") + _doubled() + b"s", "larger or deeper"),
        (b"}" + _text("a") + _DEEP + b"s", "larger or deeper"),
        (b"}q\x00" + _text("a") + b"h\x00s", "larger or deeper"),
        (b"}" + _text("a") + b"\x8a\x09" + b"\xff" * 8 + b"\x7fs", "larger or deeper"),
        (b"}" + _text("a") + _text("x" * 100_000) + b"q\x000(" + b"h\x00" * 1000 + b"ts", "larger or deeper"),
    ],
    ids=["doubled", "deep", "circular", "huge number", "repeated text"],
)
def test_a_hostile_config_is_refused(config: bytes, complaint: str, tmp_path: Path) -> None:
    """A config is copied within bounds, whatever its parts share."""
    path = write_torch(tmp_path / "a.pth", {"weight": TREE, "config": Raw(config)})
    with pytest.raises(CheckpointError, match=complaint):
        read_all(path)


def _zip(path: Path, records: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in records:
            archive.writestr(name, data)
    return path


def _directory(path: Path, change: Callable[[bytes], tuple[bytes, int]]) -> Path:
    """Rewrite the central directory of an archive; `change` returns it and its number of entries."""
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    size, start = struct.unpack("<II", data[end + 12 : end + 20])
    directory, count = change(data[start : start + size])
    closing = b"PK\x05\x06\0\0\0\0" + struct.pack("<HHIIH", count, count, len(directory), start, 0)
    path.write_bytes(data[:start] + directory + closing)
    return path


def bomb(path: Path) -> Path:
    return write_torch(path, {"a": np.zeros(140 << 20, np.float16)}, compression=zipfile.ZIP_DEFLATED)


def pickle_bomb(path: Path) -> Path:
    return _zip(path, [("a/data.pkl", b"\x80\x02" + b"N0" * (20 << 20) + b"N.")], zipfile.ZIP_DEFLATED)


def overlapping(path: Path) -> Path:
    write_torch(path, {"a": np.zeros(4096, np.float32)})
    return _directory(path, lambda entries: (entries[:20] + struct.pack("<II", 1 << 29, 1 << 29) + entries[28:], 4))


def twice(path: Path) -> Path:
    _zip(path, [("a/data.pkl", b"\x80\x02}."), ("b/data.pkl", b"\x80\x02}.")])
    path.write_bytes(path.read_bytes().replace(b"b/data.pkl", b"a/data.pkl"))
    return path


def entry_beyond_the_file(path: Path) -> Path:
    write_torch(path, TREE)
    return _directory(path, lambda entries: (entries[:42] + b"\xff\xff\xff\x7f" + entries[46:], 7))


def directory_of_nothing(path: Path) -> Path:
    write_torch(path, TREE)
    return _directory(path, lambda entries: (b"PK\x01\x02" + b"\0" * 42, 65535))


def many_entries(path: Path) -> Path:
    _zip(path, [("a/data.pkl", b"\x80\x02}.")])
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 4) + bytes(16)
    return _directory(
        path, lambda entries: (b"".join(entry + struct.pack("<I", n) for n in range(70_000)), 70_000 % 65536)
    )


def end_that_lies(path: Path) -> Path:
    data = bytearray(write_torch(path, TREE).read_bytes())
    data[-10:-2] = b"\xff" * 8
    path.write_bytes(data)
    return path


def zip64_that_lies(path: Path) -> Path:
    data = write_torch(path, TREE).read_bytes()
    end = data.rindex(b"PK\x05\x06")
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1 << 60, 1 << 60, 1 << 60, 1 << 60)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    path.write_bytes(data[:end] + record + locator + b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2))
    return path


def encrypted(path: Path) -> Path:
    data = bytearray(write_torch(path, TREE).read_bytes())
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := data.find(sign, place + 1)) >= 0:
            data[place + flags] |= 1
    path.write_bytes(data)
    return path


def wrong_sum(path: Path) -> Path:
    data = bytearray(write_torch(path, {"a": np.arange(64, dtype=np.float32)}).read_bytes())
    data[data.index(np.arange(64, dtype=np.float32).tobytes()) + 40] ^= 1
    path.write_bytes(data)
    return path


def broken_stream(path: Path) -> Path:
    noise = np.random.default_rng(1).standard_normal(512).astype(np.float32)
    write_torch(path, {"a": noise}, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    place = data.index(b"archive/data/0") + 14
    data[place : place + 40] = b"\xff" * 40
    path.write_bytes(data)
    return path


def unusual_compression(path: Path) -> Path:
    return write_torch(path, TREE, compression=zipfile.ZIP_LZMA)


def big_endian(path: Path) -> Path:
    return _zip(path, [("a/data.pkl", b"\x80\x02}."), ("a/byteorder", b"big")])


def two_roots(path: Path) -> Path:
    return _zip(path, [("a/data.pkl", b"\x80\x02}."), ("b/data.pkl", b"\x80\x02}.")])


def wrapped(path: Path) -> Path:
    return _zip(path, [("models/s2.pth", b"PK")])


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (bomb, "unpack to 294 MB"),
        (pickle_bomb, "data.pkl is larger"),
        (overlapping, "more bytes than the file"),
        (twice, "one name"),
        (entry_beyond_the_file, "damaged|truncated"),
        (directory_of_nothing, "damaged|truncated|one name|not one that torch wrote"),
        (many_entries, "too many|damaged"),
        (end_that_lies, "damaged or truncated"),
        (zip64_that_lies, "damaged or truncated"),
        (encrypted, "damaged or missing: .*encrypted"),
        (wrong_sum, "damaged or missing: Bad CRC"),
        (broken_stream, "record data/0 is damaged"),
        (unusual_compression, "unusual compression"),
        (big_endian, "big-endian"),
        (two_roots, "not one that torch wrote"),
        (wrapped, "unpack it and give the file models/s2.pth"),
    ],
)
def test_a_hostile_archive_is_refused(make: Callable[[Path], Path], complaint: str, tmp_path: Path) -> None:
    """No claim of a zip archive is believed: sizes, offsets, names, checksums, compressions."""
    with pytest.raises(CheckpointError, match=complaint):
        read_all(make(tmp_path / "a.pth"))


def _tensors(text: bytes | str, data: bytes = b"", length: int | None = None) -> bytes:
    header = text if isinstance(text, bytes) else text.encode()
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def _entry(shape: str, offsets: str, dtype: str = '"F32"') -> str:
    return f'{{"dtype": {dtype}, "shape": {shape}, "data_offsets": {offsets}}}'


SAFETENSORS: dict[str, tuple[bytes, str]] = {
    "infinite": (_tensors('{"a": ' + _entry("[1e999]", "[0, 4]") + "}", bytes(4)), "no whole number"),
    "fraction": (_tensors('{"a": ' + _entry("[1.5]", "[0, 4]") + "}", bytes(4)), "no whole number"),
    "float": (_tensors('{"a": ' + _entry("[1.0]", "[0, 4]") + "}", bytes(4)), "no whole number"),
    "not a number": (_tensors('{"a": ' + _entry("[NaN]", "[0, 4]") + "}", bytes(4)), "no whole number"),
    "bool": (_tensors('{"a": ' + _entry("[true]", "[0, 4]") + "}", bytes(4)), "no whole number"),
    "text": (_tensors('{"a": ' + _entry('["1"]', "[0, 4]") + "}", bytes(4)), "no whole number"),
    "negative": (_tensors('{"a": ' + _entry("[-1, -1]", "[0, 4]") + "}", bytes(4)), "offset is -1"),
    "huge": (_tensors('{"a": ' + _entry("[4611686018427387904, 4]", "[0, 0]") + "}"), "larger than any"),
    "overflow": (_tensors('{"a": ' + _entry("[4294967296, 4294967296]", "[0, 0]") + "}"), "larger than any"),
    "endless": (_tensors('{"a": ' + _entry("[" + "9" * 200 + "]", "[0, 4]") + "}", bytes(4)), "offset is 999"),
    "axes": (_tensors('{"a": ' + _entry("[" + "1," * 100_000 + "1]", "[0, 4]") + "}", bytes(4)), "100001 axes"),
    "shape is a number": (_tensors('{"a": ' + _entry("1", "[0, 4]") + "}", bytes(4)), "without shape or offsets"),
    "offsets reversed": (_tensors('{"a": ' + _entry("[1]", "[4, 0]") + "}", bytes(4)), "do not fit"),
    "offsets negative": (_tensors('{"a": ' + _entry("[1]", "[-8, -4]") + "}", bytes(4)), "leaves a gap|offset is"),
    "offsets float": (_tensors('{"a": ' + _entry("[1]", "[0.0, 4.0]") + "}", bytes(4)), "without shape or offsets"),
    "offsets bool": (_tensors('{"a": ' + _entry("[1]", "[false, 4]") + "}", bytes(4)), "without shape or offsets"),
    "offsets three": (_tensors('{"a": ' + _entry("[1]", "[0, 4, 8]") + "}", bytes(4)), "without shape or offsets"),
    "offsets huge": (
        _tensors('{"a": ' + _entry("[1]", "[9223372036854775804, 9223372036854775808]") + "}", bytes(4)),
        "offset is 9223|gap",
    ),
    "outside": (_tensors('{"a": ' + _entry("[4]", "[0, 16]") + "}", bytes(4)), "truncated or padded"),
    "padded": (_tensors('{"a": ' + _entry("[1]", "[0, 4]") + "}", bytes(40)), "truncated or padded"),
    "gap": (_tensors('{"a": ' + _entry("[1]", "[4, 8]") + "}", bytes(8)), "gap"),
    "overlap": (
        _tensors('{"a": ' + _entry("[2]", "[0, 8]") + ', "b": ' + _entry("[2]", "[4, 12]") + "}", bytes(12)),
        "b: overlaps",
    ),
    "same bytes": (
        _tensors('{"a": ' + _entry("[1]", "[0, 4]") + ', "b": ' + _entry("[1]", "[0, 4]") + "}", bytes(4)),
        "b: overlaps",
    ),
    "a name twice": (
        _tensors('{"a": ' + _entry("[1]", "[0, 4]") + ', "a": ' + _entry("[1]", "[4, 8]") + "}", bytes(8)),
        "twice",
    ),
    "a key twice": (_tensors('{"a": {"dtype": "F32", "dtype": "F16"}}'), "twice"),
    "unknown type": (_tensors('{"a": ' + _entry("[1]", "[0, 4]", '"F8_E4M3"') + "}", bytes(4)), "element type"),
    "type is a list": (_tensors('{"a": ' + _entry("[1]", "[0, 4]", '["F32"]') + "}", bytes(4)), "element type"),
    "entry is a list": (_tensors('{"a": [1]}'), "element type"),
    "header is a list": (_tensors("{}", length=1 << 40), "claims 1099511627776 bytes"),
    "header longer than the file": (_tensors("{}", length=3), "claims 3 bytes"),
    "header of nothing": (_tensors("{}", length=0), "claims 0 bytes"),
    "header beyond numbers": (b"\xff" * 8 + b"{}", "claims 18446744073709551615 bytes"),
    "deep": (_tensors('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}"), "header is no JSON|element type"),
    "digits": (_tensors('{"a": ' + "9" * 100_000 + "}"), "header is no JSON|element type"),
    "no text": (_tensors(b'{"\xff\xfe": 1}'), "header is no JSON"),
    "cut": (_tensors('{"a": '), "header is no JSON"),
    "NUL": (_tensors(b'{"a\0": 1}'), "header is no JSON"),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_a_hostile_safetensors_file_is_refused(name: str, tmp_path: Path) -> None:
    """Nothing in a safetensors header is believed: numbers of any kind, offsets, depth, length, repeated names."""
    data, complaint = SAFETENSORS[name]
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=complaint):
        read_all(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=3), torch=st.booleans())
def test_a_damaged_file_is_refused_or_readable(edits: list[tuple[int, int]], torch: bool, tmp_path: Path) -> None:
    """Wrong bytes anywhere lead to CheckpointError or to arrays inside the file, never to another exception."""
    path = (write_torch if torch else write_safetensors)(tmp_path / "a", TREE)
    data = bytearray(path.read_bytes())
    for position, value in edits:
        data[position % len(data)] = value
    path.write_bytes(data)
    with suppress(CheckpointError):
        read_all(path)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 155\n", "Git LFS pointer.* git lfs pull"),
        (b"\n  <!DOCTYPE html><html><head>", "a web page"),
        (b"\xef\xbb\xbf<html>", "a web page"),
        (b"<?xml version='1.0'?><Error>", "a web page"),
        (b'{"error":"Repository not found"}', "a JSON text"),
        (b"Entry not found", "a text; the download may have failed"),
        (b"Invalid username or password.", "a text; the download may have failed"),
        (b"\x1f\x8b\x08\0\0\0", "a gzip archive; unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"GGUF\x03\0\0\0", "a GGUF file"),
        (b"\x08\x08\x12\x07pytorch", r"not a checkpoint \(it begins with"),
        (bytes(5000), r"not a checkpoint \(it begins with"),
    ],
)
def test_what_is_no_checkpoint_is_called_what_it_is(data: bytes, kind: str, tmp_path: Path) -> None:
    """Pointers, web pages, failed downloads and archives are named, with what to do."""
    path = tmp_path / "s2.pth"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=kind):
        read_all(path)


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        (
            {"model": TREE, "iteration": 7, "optimizer": {"state": {0: {"step": 1.0}}}, "learning_rate": 1e-4},
            "a training",
        ),
        ({"epoch": 3, "pytorch-lightning_version": "2.4.0", "state_dict": TREE}, "a PyTorch Lightning"),
        (
            {"pytorch-lightning_version": "2.4.0", "hyper_parameters": Raw(b"clightning_fabric\nAttributeDict\n)\x81")},
            "a PyTorch Lightning",
        ),
    ],
    ids=["G_*.pth", "Lightning", "Lightning with classes"],
)
def test_a_training_checkpoint_is_called_one(tree: dict[str, Any], kind: str, tmp_path: Path) -> None:
    """A file to continue a training with is named, with which file to take."""
    with pytest.raises(CheckpointError, match=f"{kind} checkpoint.*the file that training exports"):
        read_all(write_torch(tmp_path / "G_2333.pth", tree))


def test_the_working_folder_gives_no_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A downloaded json.py beside a checkpoint is not run by the process that looks at it."""
    (tmp_path / "json.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with open_checkpoint(write_torch(tmp_path / "a.pth", TREE), tmp_path) as source:
        assert np.array_equal(source.read("half"), TREE["half"])
    assert not (tmp_path / "executed").exists()


def test_the_process_that_looks_is_small() -> None:
    """It loads the standard library and our readers alone, so that its limit of memory can be tight."""
    code = "import sys, edge_tts.convert.inspection; print({name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(ast.literal_eval(done.stdout)) & {"numpy", "onnx", "onnxruntime", "pydantic", "yaml"} == set()


TRICKS = {
    "while True: pass": r"takes more than 1 s of computing",
    "x = [bytes(1 << 24) for _ in range(1 << 12)]": r"MemoryError",
    "import ctypes; ctypes.string_at(0)": r"ends the process that looks \(SIGSEGV\)",
    "import os; os.abort()": r"ends the process that looks \(SIGABRT\)",
    "import os; os.kill(os.getpid(), 9)": r"ends the process that looks \(SIGKILL\)",
    "raise KeyError('unforeseen')": r"cannot be looked at: KeyError: 'unforeseen'",
    "def f(x): return f((x,))\nf(1)": r"cannot be looked at: RecursionError",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_an_unknown_trick_costs_only_the_process_that_looks(
    trick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a file might do to its reader (loop, allocate, crash, raise) is an error that names the file."""
    looker = "from edge_tts.convert import inspection\ndef inspect(handle, spool):\n "
    looker += (
        trick.replace("\n", "\n ")
        + "\ninspection.inspect = inspect\nimport sys\nsys.exit(inspection.main(sys.argv[1:]))"
    )
    (tmp_path / "looker.py").write_text(looker, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setattr(inspector, "_MODULE", "looker")
    monkeypatch.setattr(inspector, "_limits", lambda file: ProcessLimits(memory_bytes=1 << 28, cpu_s=1))
    path = write_torch(tmp_path / "a.pth", TREE)
    complaint = TRICKS[trick].replace("MemoryError", "takes more memory")
    with pytest.raises(CheckpointError, match=rf"a\.pth: .*{complaint}"), open_checkpoint(path, tmp_path):
        pass


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"num_attention_heads": 0}, "num_attention_heads is 0"),
        ({"num_attention_heads": True}, "num_attention_heads is True"),
        ({"num_attention_heads": 2.0}, "num_attention_heads is 2.0"),
        ({"num_attention_heads": float("inf")}, "num_attention_heads is inf"),
        ({"num_attention_heads": None}, "num_attention_heads is None"),
        ({"num_attention_heads": 10**400}, "num_attention_heads is 1000"),
        ({"num_hidden_layers": 1 << 40}, "num_hidden_layers is 1099511627776"),
        ({"num_hidden_layers": [4]}, "num_hidden_layers is a list"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ({"layer_norm_eps": -1e-5}, "layer_norm_eps is -1e-05"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "no JSON object"),
        ("", "is no JSON"),
        ("\ufeff{", "is no JSON"),
        ("version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
        (" " * (2 << 20), "larger than 1 MiB"),
    ],
)
def test_a_hostile_config_of_a_folder_is_named(config: Any, complaint: str, checkpoints: Path, tmp_path: Path) -> None:
    """Numbers of every odd kind, depth, size and other formats in a config.json are refused with key and value."""
    folder = tmp_path / "bert"
    shutil.copytree(checkpoints / "bert_small", folder)
    if isinstance(config, dict):
        config = json.dumps(json.loads((folder / "config.json").read_text(encoding="utf-8")) | config)
    (folder / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(CheckpointError, match=f"config.json.*{complaint}"), Checkpoints(tmp_path) as opener:
        opener.bert(folder)
