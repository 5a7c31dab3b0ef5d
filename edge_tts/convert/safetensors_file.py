"""Reads the safetensors format: a JSON header whose offsets cover the raw bytes after it without gap or overlap."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

from edge_tts.convert.contents import Contents, StoredArray
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


def read_safetensors(file: BinaryIO) -> Contents:
    """Raises CheckpointError, OSError."""
    total = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(_MOST_HEADER_BYTES, total - 8):
        raise CheckpointError(f"not a safetensors file, or a truncated one: its header claims {length} bytes")
    try:
        header = json.loads(file.read(length), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"not a safetensors file: its header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise CheckpointError("not a safetensors file: its header is no JSON object")
    header.pop("__metadata__", None)
    arrays = {name: _array(name, entry, 8 + length) for name, entry in header.items()}
    _cover(arrays, 8 + length, total)
    return Contents(arrays)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is there twice")
    return values


def _array(name: str, entry: Any, data: int) -> StoredArray:
    """An entry of the header; `data` is the byte that its offsets count from."""
    if not isinstance(entry, Mapping) or entry.get("dtype") not in tuple(_DTYPES):
        raise CheckpointError(f"{name}: an element type that no supported network has; known: {', '.join(_DTYPES)}")
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not isinstance(shape, list) or not isinstance(offsets, list) or [type(n) for n in offsets] != [int, int]:
        raise CheckpointError(f"{name}: an entry without shape or offsets")
    if [n for n in shape if type(n) is not int]:
        raise CheckpointError(f"{name}: a length in its shape is no whole number")
    try:
        array = StoredArray.dense(_DTYPES[entry["dtype"]], tuple(shape), data + offsets[0])
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from error
    if offsets[1] - offsets[0] != array.bytes:
        raise CheckpointError(f"{name}: its offsets do not fit its shape")
    return array


def _cover(arrays: Mapping[str, StoredArray], start: int, stop: int) -> None:
    """Raise CheckpointError unless the arrays lie one after the other and fill the file, as the format demands."""
    for name, array in sorted(arrays.items(), key=lambda item: (item[1].start, item[1].bytes)):
        if array.start != start:
            raise CheckpointError(f"{name}: overlaps another array or leaves a gap before it")
        start += array.bytes
    if start != stop:
        raise CheckpointError(f"its arrays end at byte {start}, the file at {stop}: truncated or padded")
