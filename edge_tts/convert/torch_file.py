"""Reads torch's zip format, one record at a time. Trusts nothing: no code, compression or claimed size."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from edge_tts.convert.pickled import StoredTensor, read_pickle
from edge_tts.convert.raw_array import Array, decode, item_bytes
from edge_tts.errors import CheckpointError

_HEADS = {b"00": "v1", b"01": "v2", b"02": "v3", b"03": "v3 LoRA", b"04": "v4 LoRA", b"05": "v2Pro", b"06": "v2ProPlus"}
"""What upstream writes over the archive's first two bytes."""
_READABLE = (b"01", b"05", b"06")
_MOST_PICKLE_BYTES = 64 << 20


@contextmanager
def open_torch(path: Path) -> Iterator[TorchFile]:
    """Open a torch file. Raises CheckpointError unless it is a whole, plain torch zip archive."""
    try:
        with io.BufferedReader(_Headed(path)) as file:
            yield TorchFile(path, file)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


class TorchFile:
    """A torch zip file: its object tree, and its arrays as a `Source`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._archive = _open_archive(path, file)
        self._root = self._find_root()
        self.tree: Any = self._tree()
        self._tensors: dict[str, StoredTensor] = {}
        self.shapes: Mapping[str, tuple[int, ...]] = {}

    def use(self, state: Any) -> TorchFile:
        """Choose the tensors that `read` serves. Raises CheckpointError unless `state` maps names to tensors."""
        if not isinstance(state, dict) or not state:
            raise CheckpointError(f"{self.path}: holds no mapping of parameter names to tensors")
        for name, value in state.items():
            if not isinstance(name, str) or not isinstance(value, StoredTensor):
                raise CheckpointError(f"{self.path}: {name!r} is no tensor but {type(value).__name__}")
        self._tensors = state
        self.shapes = {name: tensor.shape for name, tensor in state.items()}
        return self

    def read(self, name: str) -> Array:
        tensor = self._tensors[name]
        data = self._record(f"data/{tensor.storage.key}")
        if len(data) < tensor.storage.length * item_bytes(tensor.storage.dtype):
            raise CheckpointError(f"{self.path}: the data of {name} is shorter than its tensor says")
        return decode(data, tensor.storage.dtype, tensor.offset, tensor.shape)

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


class _Headed(io.FileIO):
    """A file whose first two bytes read as `PK`."""

    def readinto(self, buffer: Any) -> int:
        position = self.tell()
        count = super().readinto(buffer) or 0
        for index in range(position, min(2, position + count)):
            buffer[index - position] = b"PK"[index]
        return count


def _open_archive(path: Path, file: BinaryIO) -> zipfile.ZipFile:
    head = os.pread(file.fileno(), 2, 0)
    if head != b"PK" and head not in _READABLE:
        if head in _HEADS:
            raise CheckpointError(f"{path}: a GPT-SoVITS {_HEADS[head]} file; v2, v2Pro and v2ProPlus are supported")
        if head[:1] == b"\x80":
            raise CheckpointError(f"{path}: an old torch file (before 1.6, no zip); save it again with a newer torch")
        raise CheckpointError(f"{path}: not a torch checkpoint (it begins with {head!r})")
    total = file.seek(0, io.SEEK_END)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: a damaged or truncated archive: {error}") from error
    if any(info.compress_type != zipfile.ZIP_STORED for info in archive.infolist()):
        raise CheckpointError(f"{path}: a compressed archive; torch stores its records plainly")
    if sum(info.file_size for info in archive.infolist()) > total:
        raise CheckpointError(f"{path}: its records claim more bytes than the file has")
    return archive
