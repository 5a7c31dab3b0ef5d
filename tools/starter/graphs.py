"""Layers of the starter's own networks over the converter's graph builder. Shapes are [1, time, channels].

The bases of all transforms are computed from ranges in the graph and cost no weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_tts.convert.builder import Array, DType, Graph, Value
from edge_tts.convert.layers import Conv, add, concat, conv, cut, gelu, layer_norm, linear, reshape, scalar, swap

State = Mapping[str, npt.NDArray[np.float32]]
FAR = 1 << 31
SMALLEST_COMPACT = 4096


class CompactGraph(Graph):
    """A float32 graph whose large matrices are stored in float16 behind a Cast; runtimes fold it when they load.

    Weights of convolutions stay float32: TensorRT wants them to be initializers."""

    _compact = True

    def op(self, kind: str, *inputs: Value, dtype: DType | None = None, **attributes: Any) -> Value:
        """See `Graph.op`."""
        self._compact = kind not in ("Conv", "ConvTranspose")
        return super().op(kind, *inputs, dtype=dtype, **attributes)

    def _initializer(self, name: str, array: Array, dtype: DType) -> str:
        if dtype != "float32" or array.size < SMALLEST_COMPACT or not self._compact:
            return super()._initializer(name, array, dtype)
        stored = super()._initializer(f"{name}.stored", array, "float16")
        return self._name_of(Value(stored, "float16"), "float32")


def part(state: State, prefix: str) -> dict[str, npt.NDArray[np.float32]]:
    """The entries below a prefix, without it."""
    return {name[len(prefix) + 1 :]: array for name, array in state.items() if name.startswith(f"{prefix}.")}


def mul(g: Graph, x: Value, y: Value | float) -> Value:
    """Product with a value or a number."""
    return g.op("Mul", x, scalar(g, y) if isinstance(y, float) else y)


def less(g: Graph, x: Value, y: Value | float) -> Value:
    """Difference."""
    return g.op("Sub", x, scalar(g, y) if isinstance(y, float) else y)


def pad(g: Graph, x: Value, before: int, after: int, axis: int, rank: int) -> Value:
    """Zeros around one axis."""
    amounts = np.zeros((2, rank), np.int64)
    amounts[:, axis] = before, after
    return g.op("Pad", x, g.constant(amounts.ravel(), "pads"))


def dense(g: Graph, x: Value, state: State, name: str) -> Value:
    """Linear layer."""
    return linear(g, x, state[f"{name}.weight"], state[f"{name}.bias"])


def norm(g: Graph, x: Value, state: State, name: str) -> Value:
    """LayerNorm over channels."""
    return layer_norm(g, x, state[f"{name}.weight"], state[f"{name}.bias"])


def along(g: Graph, x: Value, state: State, name: str, how: Conv) -> Value:
    """Convolution along time of [1, T, C]."""
    return swap(g, conv(g, swap(g, x), state[f"{name}.weight"], state[f"{name}.bias"], how))


def block(g: Graph, x: Value, state: State, style: Value | None = None) -> Value:
    """One ConvNeXt block; the residual's scale is folded into the last layer. `style` is [1, G]."""
    kernel = state["depthwise.weight"]
    width = kernel.shape[0]
    y = along(g, x, state, "depthwise", Conv(padding=kernel.shape[2] // 2, groups=width))
    if style is None:
        y = norm(g, y, state, "norm.norm")
    else:
        y = layer_norm(g, y, np.ones(width, np.float32), np.zeros(width, np.float32))
        affine = reshape(g, dense(g, style, state, "norm.affine"), 1, 1, 2 * width)
        y = g.op("Mul", y, g.op("Add", cut(g, affine, 0, width, 2), scalar(g, 1.0)))
        y = g.op("Add", y, cut(g, affine, width, 2 * width, 2))
    y = gelu(g, dense(g, y, state, "up"))
    scale = state["scale"]
    return add(g, x, linear(g, y, state["down.weight"] * scale[:, None], state["down.bias"] * scale))


def blocks(g: Graph, x: Value, state: State, name: str, count: int, style: Value | None = None) -> Value:
    """Several blocks in a row."""
    for index in range(count):
        with g.scope(f"{name}{index}"):
            x = block(g, x, part(state, f"{name}.{index}"), style)
    return x


def turns(g: Graph, bins: int, size: int) -> tuple[Value, Value]:
    """cos and sin of 2 pi k n / size for k < bins, n < size: [bins, size] each, from two ranges.

    The product is taken modulo `size` before the angle, in whole numbers, so that float32 stays exact."""
    k = g.constant(np.arange(bins, dtype=np.float32)[:, None], "bins")
    n = g.constant(np.arange(size, dtype=np.float32)[None], "samples")
    product = g.op("Mul", k, n)
    whole = g.op("Floor", g.op("Div", product, scalar(g, float(size))))
    angle = mul(g, less(g, product, mul(g, whole, float(size))), 2 * np.pi / size)
    return g.op("Cos", angle), g.op("Sin", angle)


def windowed(g: Graph, basis: Value, size: int, scale: float = 1.0) -> Value:
    """Rows of a basis [bins, size] under a periodic Hann window."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)) * scale
    return g.op("Mul", basis, g.constant(window.astype(np.float32), "window"))


def framed(g: Graph, x: Value, hop: int) -> Value:
    """Windows of four hops, one hop apart: x [1, hop * (T + 3)] -> [1, T, 4 * hop]."""
    hops = reshape(g, x, 1, -1, hop)
    shifted = [cut(g, hops, start, start - 3 if start < 3 else FAR, 1) for start in range(4)]
    return concat(g, shifted, 2)


def overlapped(g: Graph, x: Value, hop: int) -> Value:
    """The way back: frames [1, T, 4 * hop] summed one hop apart -> [1, hop * (T + 3)]."""
    quarters = [cut(g, x, start * hop, (start + 1) * hop, 2) for start in range(4)]
    shifted = [pad(g, quarter, start, 3 - start, 1, 3) for start, quarter in enumerate(quarters)]
    return reshape(g, add(g, *shifted), 1, -1)


def speech_level(g: Graph, mel: Value) -> Value:
    """Mean log-mel [1, 1, 80] over the frames of [1, T, 80] that hold speech."""
    energy = g.op("ReduceMean", mel, axes=[2], keepdims=1)
    above = g.op("Add", less(g, energy, g.op("ReduceMax", energy, axes=[1], keepdims=1)), scalar(g, 3.5))
    weight = g.op("Sigmoid", mul(g, above, 2.0))
    weighted = g.op("ReduceSum", g.op("Mul", mel, weight), g.constant(np.array([1]), "axes"), keepdims=1)
    return g.op("Div", weighted, g.op("ReduceSum", weight, g.constant(np.array([1]), "axes"), keepdims=1))


def log_mel(g: Graph, magnitude: Value, filters: npt.NDArray[np.float32], floor: float) -> Value:
    """Magnitudes [1, T, bins] through filters [80, bins] -> log-mel [1, T, 80]."""
    mel = g.op("MatMul", magnitude, g.constant(np.ascontiguousarray(filters.T), "filters"))
    return g.op("Log", g.op("Max", mel, scalar(g, floor)))
