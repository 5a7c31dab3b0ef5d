"""Raw bytes to arrays, bfloat16 included, which numpy does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def item_bytes(dtype: str) -> int:
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def decode(data: bytes, dtype: str, offset: int, shape: tuple[int, ...]) -> Array:
    """`shape` elements from element `offset` of raw little-endian `data`."""
    count = int(np.prod(shape, dtype=np.int64))
    if dtype != "bfloat16":
        return np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), count, offset * item_bytes(dtype)).reshape(shape)
    bits = np.frombuffer(data, "<u2", count, offset * 2).astype(np.uint32) << 16
    return bits.view(np.float32).reshape(shape)
