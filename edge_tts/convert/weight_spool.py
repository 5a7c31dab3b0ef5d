"""Keeps the weights of a graph being written: small ones in memory, large ones in a file, so that memory stays small.

It knows nothing of graphs; `builder` turns what it holds into tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_LARGE_BYTES = 1 << 16
_ALIGNMENT = 4096
"""Data files are mapped page by page."""


@dataclass(frozen=True, slots=True)
class SpooledWeight:
    """Where a large weight lies in the file."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    bytes: int


class WeightSpool:
    """Weights by name, in the order in which they came. Without a path everything stays in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = path.open("w+b") if path is not None else None
        self._held: dict[str, Array | SpooledWeight] = {}
        self.bytes = 0
        """Of all weights together."""

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def put(self, name: str, array: Array) -> None:
        """Keep a contiguous array. Raises OSError when the disk is full."""
        self.bytes += array.nbytes
        if self._file is None or array.nbytes < _LARGE_BYTES:
            self._held[name] = array
            return
        self._file.seek(-self._file.tell() % _ALIGNMENT, 1)
        offset = self._file.tell()
        array.tofile(self._file)
        self._held[name] = SpooledWeight(name, array.dtype, array.shape, offset, array.nbytes)

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """All weights, each read back when its turn comes."""
        for name, held in self._held.items():
            yield name, self._read(held) if isinstance(held, SpooledWeight) else held

    def give(self, path: Path) -> Iterator[tuple[str, Array | SpooledWeight]]:
        """Rename the file to `path`, and tell of all weights: the small ones, and where the large ones lie in it."""
        assert self._file is not None
        assert self._path is not None
        self._file.flush()
        self._path.rename(path)
        self._path = None
        yield from self._held.items()

    def close(self) -> None:
        """Remove the file unless it was given away."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _read(self, stretch: SpooledWeight) -> Array:
        assert self._file is not None
        self._file.seek(stretch.offset)
        return np.fromfile(self._file, stretch.dtype, int(np.prod(stretch.shape))).reshape(stretch.shape)
