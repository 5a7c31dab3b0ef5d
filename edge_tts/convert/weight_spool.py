"""Keeps the weights of a graph being written: small ones in memory, large ones in a file."""

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

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    offset: int
    bytes: int


class WeightSpool:
    """Weights by name, in the order they came. Without a path all stay in memory."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = path.open("w+b") if path is not None else None
        self._weights: dict[str, Array | SpooledWeight] = {}
        self.bytes = 0
        """Of all weights."""

    def __contains__(self, name: str) -> bool:
        return name in self._weights

    def put(self, name: str, array: Array) -> None:
        """Keep a contiguous array. Raises OSError when the disk is full."""
        self.bytes += array.nbytes
        if self._file is None or array.nbytes < _LARGE_BYTES:
            self._weights[name] = array
            return
        self._file.seek(-self._file.tell() % _ALIGNMENT, 1)
        offset = self._file.tell()
        self._file.write(array.data)  # tofile would not say that the disk is full
        self._weights[name] = SpooledWeight(array.dtype, array.shape, offset, array.nbytes)

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Read all weights, one at a time."""
        for name, weight in self._weights.items():
            yield name, self._read(weight) if isinstance(weight, SpooledWeight) else weight

    def move(self, path: Path) -> Iterator[tuple[str, Array | SpooledWeight]]:
        """Rename the file to `path`; all weights, the large ones as places in it."""
        assert self._file is not None
        assert self._path is not None
        self._file.flush()
        self._path.rename(path)
        self._path = None
        yield from self._weights.items()

    def close(self) -> None:
        """Remove the file, unless it was moved."""
        try:
            if self._file is not None:
                self._file.close()
        finally:  # closing writes what is left, for which a full disk has no room
            if self._path is not None:
                self._path.unlink(missing_ok=True)

    def _read(self, weight: SpooledWeight) -> Array:
        assert self._file is not None
        self._file.seek(weight.offset)
        return np.fromfile(self._file, weight.dtype, int(np.prod(weight.shape))).reshape(weight.shape)
