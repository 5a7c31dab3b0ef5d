"""The seeded numbers behind the golden checkpoints and inputs: integer arithmetic only, so the same bits everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
# The exact standard deviation of a sum of four independent uniform 16-bit integers.
_LANE_STD = np.float32(37837.22723720648)


def _words(seed: str, name: str, count: int) -> npt.NDArray[np.uint64]:
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return np.random.PCG64(int.from_bytes(digest, "big")).random_raw(count)


def lanes(seed: str, name: str, shape: Sequence[int]) -> Array:
    """Near-normal float32 values: each the sum of the four 16-bit lanes of one 64-bit word, centred and scaled."""
    words = _words(seed, name, int(np.prod(shape, dtype=np.int64)))
    total = words.view(np.uint16).reshape(-1, 4).sum(axis=1, dtype=np.int64)
    return ((total - 131070).astype(np.float32) / _LANE_STD).reshape(shape)


def ints(seed: str, name: str, count: int, low: int, high: int) -> Array:
    """`count` integers in [low, high)."""
    return (_words(seed, name, count) % np.uint64(high - low)).astype(np.int64) + low


def sound(seed: str, name: str, seconds: float, rate: int, level: float) -> Array:
    """A voice-like signal: segments of 0.4 s with their own pitch, twelve harmonics, an envelope, a little noise."""
    count, length = round(seconds * rate), round(0.4 * rate)
    segments = -(-count // length)
    pitch = ints(seed, f"{name}/pitch", segments, 110, 291).astype(np.float64)
    amplitude = ints(seed, f"{name}/amp", segments * 12, 0, 1001).reshape(segments, 12) / 1000.0
    time = np.arange(length, dtype=np.float64) / rate
    envelope = 0.15 + 0.85 * 0.5 * (1.0 - np.cos(2.0 * np.pi * (np.arange(length) + 0.5) / length))
    wave = np.zeros((segments, length))
    for harmonic in range(1, 13):
        audible = pitch * harmonic < 0.45 * rate
        gain = np.where(audible, (0.2 + 0.8 * amplitude[:, harmonic - 1]) / harmonic, 0.0)
        wave += gain[:, None] * np.sin(2.0 * np.pi * pitch[:, None] * harmonic * time + harmonic)
    wave = (wave * envelope).reshape(-1)[:count] + 0.03 * lanes(seed, f"{name}/noise", (count,)).astype(np.float64)
    wave *= level / np.abs(wave).max()
    return (np.round(wave * 32768.0) / 32768.0).astype(np.float32)


def make_input(seed: str, rule: Sequence[Any]) -> Array:
    """An input of a golden case from its rule in cases.json."""
    kind, *rest = rule
    if kind == "ints":
        return ints(seed, *rest)
    if kind == "audio":
        return sound(seed, *rest)
    if kind == "stack":
        return np.stack([make_input(seed, part) for part in rest])
    name, shape, scale = rest[:3]
    value = lanes(seed, name, shape)
    if kind == "relu_lanes":
        value = np.maximum(value, np.float32(0))
    value = np.float32(scale) * value
    if kind == "lanes_cols":
        value[..., rest[3] :] = 0
    return value


def make_tensor(seed: str, name: str, shape: Sequence[int], dtype: str, rule: Sequence[Any]) -> Array:
    """A parameter of a golden model from its row in the manifest, in the dtype of the file."""
    kind, *numbers = rule
    if kind in ("constant", "arange"):
        value = np.full(shape, numbers[0]) if kind == "constant" else np.broadcast_to(np.arange(shape[-1]), shape)
        return np.ascontiguousarray(value.astype(dtype))
    z = lanes(seed, name, shape)
    if kind == "normal":
        value = np.float32(numbers[0]) + np.float32(numbers[1]) * z
    elif kind == "positive":
        value = np.float32(numbers[0]) + np.float32(numbers[1]) * np.abs(z)
    elif kind == "normal_row":
        value = np.float32(numbers[0]) * z
        value[numbers[1]] *= np.float32(numbers[2])
    elif kind == "halves":
        half = shape[0] // 2
        first = np.float32(numbers[0]) + np.float32(numbers[1]) * z[:half]
        value = np.concatenate([first, np.float32(numbers[2]) + np.float32(numbers[3]) * z[half:]])
    elif kind == "blocks":
        blocks = np.split(z, len(numbers[0]))
        value = np.concatenate([np.float32(std) * block for std, block in zip(numbers[0], blocks, strict=True)])
    else:
        raise ValueError(f"unknown rule {kind} for {name}")
    return np.ascontiguousarray(value.astype(dtype))
