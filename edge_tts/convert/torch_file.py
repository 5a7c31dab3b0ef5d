"""Reads torch's zip format. Trusts nothing: no code, no claimed size."""

from __future__ import annotations

import errno
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

from edge_tts.convert.contents import ITEM_BYTES, Contents, PlainCopy, StoredArray, shown
from edge_tts.convert.pickled import StoredTensor, read_pickle
from edge_tts.errors import CheckpointError

HEADS = {b"00": "v1", b"01": "v2", b"02": "v3", b"03": "v3 LoRA", b"04": "v4 LoRA", b"05": "v2Pro", b"06": "v2ProPlus"}
"""What upstream writes over the archive's first two bytes."""
READABLE = (b"01", b"05", b"06")

_MOST_RECORDS, _MOST_PICKLE_BYTES = 1 << 16, 16 << 20
_MOST_GROWTH, _FREE_BYTES = 20, 256 << 20
"""An archive may unpack to so many times its size, and to so much in any case."""
_BLOCK = 1 << 20
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What zipfile raises for archives that it cannot read."""
_LIGHTNING = b"pytorch-lightning_version"
_TRAINING = frozenset({"optimizer", "optimizer_states", "lr_schedulers", "iteration"})


def read_torch(file: io.FileIO, spool: BinaryIO) -> Contents:
    """The arrays of a torch file, and the config of a GPT-SoVITS one; deflated records are unpacked into `spool`.

    Every record that an array lies in has been read and has the right checksum. Raises CheckpointError, OSError.
    """
    with io.BufferedReader(_Headed(file.fileno(), closefd=False)) as headed:
        archive = _open_archive(headed)
        _require_space(archive, spool)
        records = _Records(archive, headed, spool)
        state, config = _parts(records.small("data.pkl"))
        return Contents(records.arrays(state), None if config is None else PlainCopy().of(config))


def _parts(data: bytes) -> tuple[dict[Any, Any], dict[Any, Any] | None]:
    """The parameters by name, and the config, of a pickle."""
    try:
        tree = read_pickle(data)
    except CheckpointError as refused:
        if _LIGHTNING in data:
            raise _training_checkpoint("PyTorch Lightning") from refused
        raise
    if not isinstance(tree, dict) or not tree:
        raise CheckpointError("holds no mapping of parameter names to tensors")
    if isinstance(tree.get("weight"), dict) and isinstance(tree.get("config"), dict):
        return tree["weight"], tree["config"]
    if _LIGHTNING.decode() in tree:
        raise _training_checkpoint("PyTorch Lightning")
    if not _TRAINING.isdisjoint(tree):
        raise _training_checkpoint("training")
    return tree, None


def _training_checkpoint(kind: str) -> CheckpointError:
    return CheckpointError(
        f"a {kind} checkpoint, to continue a training with; take the file that training exports to speak with,"
        " from the folder GPT_weights... or SoVITS_weights..."
    )


class _Records:
    """The records of an archive; each that arrays lie in is read once."""

    def __init__(self, archive: zipfile.ZipFile, file: BinaryIO, spool: BinaryIO) -> None:
        self._archive, self._file, self._spool = archive, file, spool
        self._places: dict[str, tuple[int, int, bool]] = {}
        self._root = self._find_root()
        names = self._archive.namelist()
        if f"{self._root}byteorder" in names and self.small("byteorder").strip() != b"little":
            raise CheckpointError("written on a big-endian machine; little-endian files are supported")

    def _find_root(self) -> str:
        names = self._archive.namelist()
        roots = [name[: -len("data.pkl")] for name in names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            inner = next((name for name in names if name.endswith((".pth", ".ckpt", ".safetensors", ".bin"))), None)
            hint = f"; unpack it and give the file {inner}" if inner else " (no data.pkl)"
            raise CheckpointError(f"a zip archive, but not one that torch wrote{hint}")
        return roots[0]

    def small(self, name: str) -> bytes:
        """A record that is no array's."""
        try:
            info = self._archive.getinfo(self._root + name)
            if info.file_size > _MOST_PICKLE_BYTES:
                raise CheckpointError(f"its {name} is larger than any checkpoint's")
            return self._archive.read(info)
        except _DAMAGE as error:
            raise _damaged(name, error) from error

    def arrays(self, state: Mapping[Any, Any]) -> dict[str, StoredArray]:
        for name, value in state.items():
            if not isinstance(name, str) or not isinstance(value, StoredTensor):
                raise CheckpointError(f"{shown(name)} is no tensor but a {type(value).__name__}")
        return {name: self._array(name, tensor) for name, tensor in state.items()}

    def _array(self, name: str, tensor: StoredTensor) -> StoredArray:
        storage = tensor.storage
        try:
            view = StoredArray(storage.dtype, tensor.shape, tensor.strides, tensor.offset)
        except CheckpointError as error:
            raise CheckpointError(f"{name}: {error}") from error
        if tensor.offset + view.span > storage.length:
            raise CheckpointError(f"{name} reaches past the end of its storage")
        start, length, spooled = self._place(f"data/{storage.key}")
        item = ITEM_BYTES[storage.dtype]
        if length < storage.length * item:
            raise CheckpointError(f"the data of {name} is shorter than its tensor says")
        return StoredArray(storage.dtype, tensor.shape, tensor.strides, start + tensor.offset * item, spooled)

    def _place(self, name: str) -> tuple[int, int, bool]:
        """First byte and length of a record, in the file or in the spool."""
        if name not in self._places:
            try:
                self._places[name] = self._checked(self._archive.getinfo(self._root + name))
            except _DAMAGE as error:
                raise _damaged(name, error) from error
        return self._places[name]

    def _checked(self, info: zipfile.ZipInfo) -> tuple[int, int, bool]:
        """Read a record to its end, where zipfile compares its checksum."""
        spooled = info.compress_type != zipfile.ZIP_STORED
        start, length = self._spool.tell(), 0
        with self._archive.open(info) as record:
            while block := record.read(_BLOCK):
                length += len(block)
                if spooled:
                    self._spool.write(block)
        if not spooled:
            self._file.seek(info.header_offset + 26)
            start = info.header_offset + 30 + sum(struct.unpack("<HH", self._file.read(4)))
        return start, length, spooled


def _damaged(name: str, error: Exception) -> CheckpointError:
    return CheckpointError(f"the record {name} is damaged or missing: {error}")


def _require_space(archive: zipfile.ZipFile, spool: BinaryIO) -> None:
    room = os.fstatvfs(spool.fileno())
    needed = sum(info.file_size for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED)
    if needed > room.f_bavail * room.f_frsize:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _Headed(io.FileIO):
    """A file whose first two bytes read as `PK`."""

    def readinto(self, buffer: Any) -> int:
        position = self.tell()
        count = super().readinto(buffer) or 0
        for index in range(position, min(2, position + count)):
            buffer[index - position] = b"PK"[index]
        return count


def _open_archive(file: BinaryIO) -> zipfile.ZipFile:
    total = file.seek(0, io.SEEK_END)
    try:
        archive = zipfile.ZipFile(file)
    except (*_DAMAGE, OSError) as error:
        raise CheckpointError(f"a damaged or truncated archive: {error}") from error
    infos = archive.infolist()
    if len(infos) > _MOST_RECORDS or len({info.filename for info in infos}) != len(infos):
        raise CheckpointError("its records are too many, or two have one name")
    if any(info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for info in infos):
        raise CheckpointError("an archive of an unusual compression; torch stores its records plainly")
    if sum(info.compress_size for info in infos) > total:
        raise CheckpointError("its records claim more bytes than the file has")
    if not all(0 <= info.header_offset < total for info in infos):
        raise CheckpointError("a damaged archive: its records lie outside the file")
    unpacked = sum(info.file_size for info in infos)
    if unpacked > _MOST_GROWTH * total + _FREE_BYTES:
        raise CheckpointError(f"its records unpack to {unpacked / 1e6:.0f} MB, too much for a file of its size")
    return archive
