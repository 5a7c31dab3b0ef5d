"""What a checkpoint file holds: where each array lies, and the config. Plain values for one process to tell another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from edge_tts.errors import CheckpointError

ITEM_BYTES = {
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
_MOST_AXES = 8
_MOST_BYTES = 2 << 30
"""Of one array; the largest of a supported network has 87 MB."""
_MOST_REPEATED = 1 << 20
"""Elements of an array whose strides have it read some element twice."""
_MOST_NODES, _MOST_DEPTH, _LARGEST_INT = 1 << 20, 16, 1 << 63


@dataclass(frozen=True, slots=True)
class StoredArray:
    """Raw little-endian elements of a file. Raises CheckpointError for impossible sizes."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In elements."""
    start: int
    """Byte of the first element."""
    spooled: bool = False
    """In the spool, in place of the file itself."""

    @classmethod
    def dense(cls, dtype: str, shape: tuple[int, ...], start: int) -> StoredArray:
        """A row-major one."""
        strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))] if len(shape) <= _MOST_AXES else ()
        return cls(dtype, shape, tuple(strides), start)

    def __post_init__(self) -> None:
        if len(self.shape) != len(self.strides) or len(self.shape) > _MOST_AXES:
            raise CheckpointError(f"an array with {len(self.shape)} axes and {len(self.strides)} strides")
        for number in (self.start, *self.shape, *self.strides):
            if type(number) is not int or not 0 <= number < _LARGEST_INT:
                raise CheckpointError(f"an array whose length, stride or offset is {shown(number)}")
        if max(self.count, self.span) * ITEM_BYTES[self.dtype] > _MOST_BYTES:
            raise CheckpointError("an array that is larger than any of a supported network")
        if self.count > max(self.span, _MOST_REPEATED):
            raise CheckpointError("an array that repeats its elements without end")

    @property
    def count(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def span(self) -> int:
        """Elements from the first to the last that is read, both included."""
        last = sum((length - 1) * stride for length, stride in zip(self.shape, self.strides, strict=True))
        return last + 1 if self.count else 0

    @property
    def bytes(self) -> int:
        """Of the span."""
        return self.span * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Contents:
    """Arrays by name, and the config of a GPT-SoVITS file."""

    arrays: Mapping[str, StoredArray]
    config: Mapping[str, Any] | None = None


def to_plain(contents: Contents) -> dict[str, Any]:
    """For JSON."""
    return {"arrays": {name: astuple(array) for name, array in contents.arrays.items()}, "config": contents.config}


def from_plain(values: Mapping[str, Any]) -> Contents:
    arrays = {
        name: StoredArray(dtype, tuple(shape), tuple(strides), start, spooled)
        for name, (dtype, shape, strides, start, spooled) in values["arrays"].items()
    }
    return Contents(arrays, values["config"])


def shown(value: Any) -> str:
    """For messages: a scalar in few characters, and of anything else its kind, for it may have no end."""
    return f"{value!r:.80}" if value is None or isinstance(value, int | float | str) else f"a {type(value).__name__}"


class PlainCopy:
    """Copies trees of containers and scalars for JSON, within bounds: parts that a tree shares are copied each time."""

    def __init__(self) -> None:
        self._left = _MOST_NODES

    def of(self, value: Any, depth: int = 0) -> Any:
        """Tuples become lists, keys text, and what is no scalar None. Raises CheckpointError."""
        self._left -= 1 + (len(value) if isinstance(value, str) else 0)
        if self._left < 0 or depth > _MOST_DEPTH or (isinstance(value, int) and abs(value) >= _LARGEST_INT):
            raise CheckpointError("a config that is larger or deeper than any checkpoint's")
        if isinstance(value, dict):
            return {str(key): self.of(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(item, depth + 1) for item in value]
        return value if isinstance(value, bool | int | float | str) else None
