"""Writes torch's zip format and safetensors from numpy arrays, and hostile pickles."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_STORAGES = {"float16": "HalfStorage", "float32": "FloatStorage", "float64": "DoubleStorage", "int64": "LongStorage"}
_SAFETENSORS = {"float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64"}


class Bag(dict[str, Any]):
    """Pickled as an instance of upstream's `utils.HParams`."""


class Raw(bytes):
    """Opcodes that go into the pickle as they are, in the place of a value."""


def hparams(config: Any) -> Any:
    """A config as fine-tuned SoVITS files carry it: nested bags instead of mappings."""
    return Bag({k: hparams(v) for k, v in config.items()}) if isinstance(config, dict) else config


def write_torch(path: Path, tree: Any, *, head: str = "", compression: int = zipfile.ZIP_STORED) -> Path:
    """A torch zip file of a tree of dicts, lists, scalars, `Bag`s and arrays; `head` replaces its first two bytes."""
    arrays: list[Array] = []
    pickle = b"\x80\x02" + _pickled(tree, arrays) + b"."
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", b"little")
        for key, array in enumerate(arrays):
            archive.writestr(f"archive/data/{key}", array.tobytes("A"))
        archive.writestr("archive/version", b"3\n")
    if head:
        with path.open("r+b") as file:
            file.write(head.encode())
    return path


def write_safetensors(path: Path, arrays: Mapping[str, Array]) -> Path:
    """A safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, array in arrays.items():
        stop = start + array.nbytes
        header[name] = {
            "dtype": _SAFETENSORS[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(header).encode()
    data = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def _pickled(value: Any, arrays: list[Array]) -> bytes:
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, Bag):
        return b"cutils\nHParams\n)\x81" + _pickled(dict(value), arrays) + b"b"
    if isinstance(value, dict):
        items = b"".join(_pickled(k, arrays) + _pickled(v, arrays) for k, v in value.items())
        return b"ccollections\nOrderedDict\n)R(" + items + b"u"
    if isinstance(value, list | tuple):
        items = b"".join(_pickled(v, arrays) for v in value)
        return b"](" + items + b"e" if isinstance(value, list) else b"(" + items + b"t"
    if isinstance(value, np.ndarray):
        return _pickled_array(value, arrays)
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        if -(1 << 31) <= value < 1 << 31:
            return b"J" + struct.pack("<i", value)
        data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    text = value.encode()
    return b"X" + struct.pack("<I", len(text)) + text


def view(key: int, length: Any, shape: Any, strides: Any, *, offset: Any = 0, storage: str = "FloatStorage") -> Raw:
    """A tensor in the pickle alone, over the storage of the tree's array number `key`. Sizes may be anything."""
    nothing: list[Array] = []
    where = b"(" + _pickled("storage", nothing) + f"ctorch\n{storage}\n".encode() + _pickled(str(key), nothing)
    where += _pickled("cpu", nothing) + _pickled(length, nothing) + b"tQ"
    rest = b"".join(_pickled(value, nothing) for value in (offset, shape, strides, False))
    return Raw(b"ctorch._utils\n_rebuild_tensor_v2\n(" + where + rest + _pickled({}, nothing) + b"tR")


def _pickled_array(array: Array, arrays: list[Array]) -> bytes:
    key = len(arrays)
    arrays.append(array)
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return view(key, int(array.size), array.shape, strides, storage=_STORAGES[array.dtype.name])
