"""Reads the safetensors format: a JSON header with offsets, checked against the file, then raw bytes."""

from __future__ import annotations

import io
import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts.convert.raw_array import Array, decode, item_bytes
from edge_tts.errors import CheckpointError

_DTYPES = {
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "I32": "int32",
    "I64": "int64",
}
_MOST_HEADER_BYTES = 16 << 20


class SafetensorsFile:
    """A safetensors file, as a `Source`. Raises CheckpointError for any other."""

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

    def read(self, name: str) -> Array:
        dtype, shape, start = self._entries[name]
        size = int(np.prod(shape, dtype=np.int64)) * item_bytes(dtype)
        return decode(self._map[self._start + start : self._start + start + size], dtype, 0, shape)

    def _entry(self, entry: Mapping[str, Any]) -> tuple[str, tuple[int, ...], int]:
        dtype, shape = _DTYPES[entry["dtype"]], tuple(int(n) for n in entry["shape"])
        start, stop = entry["data_offsets"]
        if min((0, *shape)) < 0 or stop - start != int(np.prod(shape, dtype=np.int64)) * item_bytes(dtype):
            raise ValueError("a tensor's offsets do not fit its shape")
        if not 0 <= start <= stop <= len(self._map) - self._start:
            raise ValueError("a tensor lies outside the file")
        return dtype, shape, int(start)
