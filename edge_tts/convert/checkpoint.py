"""Opens checkpoints (torch's zip format, safetensors) and hands out their arrays one at a time, checked.

It knows file formats and nothing about networks. Nothing in a file is trusted: the pickle is read as data
(`pickled`), archives may not be compressed, and each array must be asked for by name, shape and finite values.
"""

from __future__ import annotations

import io
import json
import mmap
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import CheckpointError
from .pickled import StoredTensor, read_pickle

FloatArray = npt.NDArray[np.float32]

_HEADS = {b"00": "v1", b"01": "v2", b"02": "v3", b"03": "v3 LoRA", b"04": "v4 LoRA", b"05": "v2Pro", b"06": "v2ProPlus"}
_READABLE = (b"01", b"05", b"06")
_SAFETENSORS = {
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "I32": "int32",
    "I64": "int64",
}
_MOST_PICKLE_BYTES = 64 << 20
_MOST_HEADER_BYTES = 16 << 20


class Source(Protocol):
    """Where arrays come from: names with shapes, and raw reading of one."""

    shapes: Mapping[str, tuple[int, ...]]

    def read(self, name: str) -> npt.NDArray[Any]:
        """The array as stored (bfloat16 widened to float32)."""


class Weights:
    """The named arrays of one network, each taken with the shape its user expects.

    `complete` finally refuses what nobody asked for, so a file of another network cannot pass by accident.
    """

    def __init__(self, source: Source, label: str, *, prefix: str = "") -> None:
        self.label = label
        self._source = source
        self._prefix = prefix
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._source.shapes

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """The shape of an array, which must have `rank` axes. Raises CheckpointError when it is missing."""
        full = self._prefix + name
        if full not in self._source.shapes:
            raise CheckpointError(f"{self.label}: the parameter {full} is missing")
        shape = self._source.shapes[full]
        if len(shape) != rank:
            raise CheckpointError(f"{self.label}: {full} has shape {list(shape)}, expected {rank} axes")
        return shape

    def take(self, name: str, *shape: int) -> FloatArray:
        """The array as float32. Raises CheckpointError when it is missing, misshapen or not finite."""
        found = self.shape(name, len(shape))
        if found != shape:
            raise CheckpointError(f"{self.label}: {self._prefix}{name} has shape {list(found)}, expected {list(shape)}")
        array = self._source.read(self._prefix + name).astype(np.float32)
        if not np.isfinite(array).all():
            raise CheckpointError(f"{self.label}: {self._prefix}{name} holds NaN or infinity")
        self._taken.add(self._prefix + name)
        return array

    def count(self, pattern: str) -> int:
        """How many consecutive indices, from 0, have an array named by `pattern` with {} for the index."""
        index = 0
        while pattern.format(index) in self:
            index += 1
        return index

    def complete(self, unused: str = "$^") -> None:
        """Refuse arrays that were never taken, unless their name matches the regular expression `unused`."""
        left = [name for name in self._source.shapes if name not in self._taken and not re.match(unused, name)]
        if left:
            raise CheckpointError(f"{self.label}: unexpected parameter {left[0]} ({len(left)} such in all)")


class TorchFile:
    """A torch zip file: its object tree and its arrays, read one record at a time."""

    def __init__(self, path: Path, file: io.BufferedReader) -> None:
        self.path = path
        self._archive = _open_archive(path, file)
        self._root = self._find_root()
        self.tree: Any = self._tree()
        self._tensors: dict[str, StoredTensor] = {}
        self.shapes: Mapping[str, tuple[int, ...]] = {}

    def use(self, state: Any) -> Source:
        """Choose the mapping of names to tensors that `read` serves; everything in it must be a tensor."""
        if not isinstance(state, dict) or not state:
            raise CheckpointError(f"{self.path}: holds no mapping of parameter names to tensors")
        for name, value in state.items():
            if not isinstance(name, str) or not isinstance(value, StoredTensor):
                raise CheckpointError(f"{self.path}: {name!r} is no tensor but {type(value).__name__}")
        self._tensors = state
        self.shapes = {name: tensor.shape for name, tensor in state.items()}
        return self

    def read(self, name: str) -> npt.NDArray[Any]:
        """See `Source`."""
        tensor = self._tensors[name]
        data = self._record(f"data/{tensor.storage.key}")
        if len(data) < tensor.storage.length * _width(tensor.storage.dtype):
            raise CheckpointError(f"{self.path}: the data of {name} is shorter than its tensor says")
        return _decode(data, tensor.storage.dtype, tensor.offset, tensor.shape)

    def _find_root(self) -> str:
        roots = [n[: -len("data.pkl")] for n in self._archive.namelist() if n.endswith("/data.pkl")]
        if len(roots) != 1:
            raise CheckpointError(f"{self.path}: a zip archive, but not one that torch wrote (no data.pkl)")
        return roots[0]

    def _tree(self) -> Any:
        if f"{self._root}byteorder" in self._archive.namelist() and self._record("byteorder").strip() != b"little":
            raise CheckpointError(f"{self.path}: written on a big-endian machine; little-endian files are supported")
        if self._archive.getinfo(f"{self._root}data.pkl").file_size > _MOST_PICKLE_BYTES:
            raise CheckpointError(f"{self.path}: its pickle is larger than any checkpoint's")
        try:
            return read_pickle(self._record("data.pkl"))
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: {error}") from error

    def _record(self, name: str) -> bytes:
        try:
            return self._archive.read(self._root + name)
        except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, OSError) as error:
            raise CheckpointError(f"{self.path}: the record {name} is damaged or missing: {error}") from error


class SafetensorsFile:
    """A safetensors file: a JSON header with offsets, then raw bytes."""

    def __init__(self, path: Path, file: io.BufferedReader) -> None:
        self._path = path
        try:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            length = int.from_bytes(self._map[:8], "little")
            if not 2 <= length <= min(_MOST_HEADER_BYTES, len(self._map) - 8):
                raise ValueError("impossible header length")
            header: dict[str, Any] = json.loads(self._map[8 : 8 + length])
            header.pop("__metadata__", None)
            self._start = 8 + length
            self._entries = {name: self._entry(entry) for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"{path}: not a safetensors file: {error!r}") from error
        self.shapes: Mapping[str, tuple[int, ...]] = {name: entry[1] for name, entry in self._entries.items()}

    def read(self, name: str) -> npt.NDArray[Any]:
        """See `Source`."""
        dtype, shape, start = self._entries[name]
        size = int(np.prod(shape, dtype=np.int64)) * _width(dtype)
        return _decode(self._map[self._start + start : self._start + start + size], dtype, 0, shape)

    def _entry(self, entry: Mapping[str, Any]) -> tuple[str, tuple[int, ...], int]:
        dtype, shape = _SAFETENSORS[entry["dtype"]], tuple(int(n) for n in entry["shape"])
        start, stop = entry["data_offsets"]
        if min((0, *shape)) < 0 or stop - start != int(np.prod(shape, dtype=np.int64)) * _width(dtype):
            raise ValueError("a tensor's offsets do not fit its shape")
        if not 0 <= start <= stop <= len(self._map) - self._start:
            raise ValueError("a tensor lies outside the file")
        return dtype, shape, int(start)


class _Headed(io.RawIOBase):
    """A file whose first two bytes read as `PK`, whatever they are."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: Any) -> int:
        position = self._file.tell()
        count = self._file.readinto(buffer)
        for index in range(position, min(2, position + count)):
            buffer[index - position] = b"PK"[index]
        return count


@contextmanager
def open_torch(path: Path) -> Iterator[TorchFile]:
    """Open a torch file. Raises CheckpointError for anything that is not a whole, plain torch zip archive."""
    try:
        with path.open("rb") as file:
            yield TorchFile(path, file)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


@contextmanager
def open_folder(folder: Path, names: Sequence[str] = ("model.safetensors", "pytorch_model.bin")) -> Iterator[Source]:
    """Open the weights of a transformers folder, whichever of `names` is there first."""
    for name in names:
        path = folder / name
        if path.is_file() and path.suffix == ".safetensors":
            with path.open("rb") as file:
                yield SafetensorsFile(path, file)
            return
        if path.is_file():
            with open_torch(path) as archive:
                yield archive.use(archive.tree)
            return
    raise CheckpointError(f"{folder}: holds none of {', '.join(names)}")


def _open_archive(path: Path, file: io.BufferedReader) -> zipfile.ZipFile:
    head = file.read(2)
    if head != b"PK" and head not in _READABLE:
        if head in _HEADS:
            raise CheckpointError(f"{path}: a GPT-SoVITS {_HEADS[head]} file; v2, v2Pro and v2ProPlus are supported")
        if head[:1] == b"\x80":
            raise CheckpointError(f"{path}: an old torch file (before 1.6, no zip); save it again with a newer torch")
        raise CheckpointError(f"{path}: not a torch checkpoint (it begins with {head!r})")
    total = file.seek(0, io.SEEK_END)
    try:
        archive = zipfile.ZipFile(io.BufferedReader(_Headed(file)))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: a damaged or truncated archive: {error}") from error
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
        raise CheckpointError(f"{path}: a compressed archive; torch stores its records plainly")
    if sum(info.file_size for info in archive.infolist()) > total:
        raise CheckpointError(f"{path}: its records claim more bytes than the file has")
    return archive


def _width(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def _decode(data: bytes, dtype: str, offset: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """`shape` elements from element `offset` of raw little-endian `data`."""
    count = int(np.prod(shape, dtype=np.int64))
    if dtype != "bfloat16":
        return np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), count, offset * _width(dtype)).reshape(shape)
    bits = np.frombuffer(data, "<u2", count, offset * 2).astype(np.uint32) << 16
    return bits.view(np.float32).reshape(shape)
