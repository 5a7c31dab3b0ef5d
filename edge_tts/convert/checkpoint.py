"""Reads the arrays of a checkpoint one at a time, checked for name, shape and finite values."""

from __future__ import annotations

import math
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from edge_tts.convert.contents import ITEM_BYTES, Contents, StoredArray
from edge_tts.convert.inspector import inspected
from edge_tts.errors import CheckpointError

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float32]


class Source(Protocol):
    """The arrays of a network."""

    shapes: Mapping[str, tuple[int, ...]]

    def read(self, name: str) -> Array:
        """The array as stored (bfloat16 as float32)."""


class Checkpoint:
    """An open checkpoint file that was looked at; a `Source`."""

    def __init__(self, path: Path, file: BinaryIO, spool: BinaryIO, contents: Contents) -> None:
        self.path = path
        self.config = contents.config
        self.shapes: Mapping[str, tuple[int, ...]] = {name: array.shape for name, array in contents.arrays.items()}
        self._file, self._spool, self._arrays = file, spool, contents.arrays

    def read(self, name: str) -> Array:
        stored = self._arrays[name]
        data = np.empty(stored.bytes, np.uint8)
        file = self._spool if stored.spooled else self._file
        try:
            file.seek(stored.start)
            count = file.readinto(data)  # type: ignore[attr-defined]  # BinaryIO does not declare it
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot be read ({error.strerror})") from error
        if count != len(data):
            raise CheckpointError(f"{self.path}: became shorter while it was read")
        return _decoded(data, stored)


def _decoded(data: npt.NDArray[np.uint8], stored: StoredArray) -> Array:
    wide = stored.dtype == "bfloat16"  # which numpy does not have
    elements = data.view("<u2" if wide else np.dtype(stored.dtype).newbyteorder("<"))
    steps = [stride * ITEM_BYTES[stored.dtype] for stride in stored.strides]
    array = np.lib.stride_tricks.as_strided(elements, stored.shape, steps)
    return (array.astype(np.uint32) << 16).view(np.float32) if wide else array


@contextmanager
def open_checkpoint(path: Path, scratch: Path) -> Iterator[Checkpoint]:
    """Have `path` looked at, and open it; what is compressed is unpacked into a nameless file in `scratch`.

    Raises CheckpointError, and OSError for `scratch`.
    """
    with _open(path) as file, tempfile.TemporaryFile(dir=scratch) as spool:
        try:
            contents = inspected(file, spool)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        yield Checkpoint(path, file, spool, contents)


def _open(path: Path) -> BinaryIO:
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return path.open("rb")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror})") from error
    raise CheckpointError(f"{path}: is a {'folder; give the file in it' if stat.S_ISDIR(mode) else 'pipe or device'}")


class Weights:
    """The arrays of one network; `label` is for messages."""

    def __init__(self, source: Source, label: str, *, prefix: str = "") -> None:
        self.label = label
        self._source = source
        self._prefix = prefix
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._source.shapes

    @property
    def elements(self) -> int:
        """Of all arrays."""
        return sum(math.prod(shape) for shape in self._source.shapes.values())

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """Raises CheckpointError when the array is missing, of another rank or empty."""
        full = self._prefix + name
        if full not in self._source.shapes:
            raise CheckpointError(f"{self.label}: the parameter {full} is missing")
        shape = self._source.shapes[full]
        if len(shape) != rank or 0 in shape:
            raise CheckpointError(f"{self.label}: {full} has shape {list(shape)}, expected {rank} axes with elements")
        return shape

    def take(self, name: str, *shape: int) -> FloatArray:
        """The array as float32. Raises CheckpointError when it is missing, misshapen or not finite."""
        stored, full = self.shape(name, len(shape)), self._prefix + name
        if stored != shape:
            raise CheckpointError(f"{self.label}: {full} has shape {list(stored)}, expected {list(shape)}")
        with np.errstate(over="ignore"):
            array = np.asarray(self._source.read(full), np.float32, order="C")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{self.label}: {full} holds NaN, infinity or a number too large for float32")
        self._taken.add(full)
        return array

    def count(self, pattern: str) -> int:
        """How many indices, from 0, an array called `pattern` has at {}. Raises CheckpointError for a gap."""
        form = re.compile(re.escape(self._prefix + pattern).replace(r"\{\}", r"(0|[1-9][0-9]{0,8})"))
        indices = {int(match[1]) for match in map(form.fullmatch, self._source.shapes) if match}
        for index in range(len(indices)):
            if index not in indices:
                raise CheckpointError(f"{self.label}: the parameter {self._prefix}{pattern.format(index)} is missing")
        return len(indices)

    def complete(self, unused: str = "$^") -> None:
        """Raise CheckpointError for arrays never taken, unless the regular expression `unused` matches."""
        left = [name for name in self._source.shapes if name not in self._taken and not re.match(unused, name)]
        if left:
            raise CheckpointError(f"{self.label}: unexpected parameter {left[0]} ({len(left)} such in all)")
