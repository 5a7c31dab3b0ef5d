"""The layers of speech networks, each a few nodes of a graph; `Module` finds their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_tts.convert.builder import Array, Graph, Value
from edge_tts.convert.checkpoint import FloatArray

FAR = (1 << 31) - 1
"""End of a slice to the end of its axis: the largest that 32-bit parsers keep."""


@dataclass(frozen=True, slots=True)
class Conv:
    """How a convolution moves, alike on all axes and sides."""

    stride: int = 1
    dilation: int = 1
    padding: int = 0
    groups: int = 1


PLAIN = Conv()


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of an attention over `width` channels."""

    count: int
    width: int

    @property
    def each(self) -> int:
        return self.width // self.count

    @property
    def scale(self) -> float:
        """Factor of the query."""
        return float(self.each**-0.5)

    def split(self, g: Graph, x: Value) -> Value:
        """[B, T, width] -> [B, heads, T, each]."""
        return transpose(g, reshape(g, x, 0, 0, self.count, self.each), 0, 2, 1, 3)

    def keys(self, g: Graph, x: Value) -> Value:
        """[B, T, width] -> [B, heads, each, T]."""
        return transpose(g, reshape(g, x, 0, 0, self.count, self.each), 0, 2, 3, 1)

    def merge(self, g: Graph, x: Value) -> Value:
        """[B, heads, T, each] -> [B, T, width]."""
        return reshape(g, transpose(g, x, 0, 2, 1, 3), 0, 0, self.width)


def ints(g: Graph, *values: int) -> Value:
    """int64 [n]."""
    return g.constant(np.array(values, dtype=np.int64), "ints")


def scalar(g: Graph, value: float) -> Value:
    return g.constant(np.float32(value), "scalar")


def reshape(g: Graph, x: Value, *shape: int) -> Value:
    """0 keeps a dimension, -1 takes the rest."""
    return g.op("Reshape", x, ints(g, *shape))


def transpose(g: Graph, x: Value, *order: int) -> Value:
    return g.op("Transpose", x, perm=list(order))


def swap(g: Graph, x: Value) -> Value:
    """[B, A, C] <-> [B, C, A]."""
    return transpose(g, x, 0, 2, 1)


def unsqueeze(g: Graph, x: Value, *axes: int) -> Value:
    return g.op("Unsqueeze", x, ints(g, *axes))


def concat(g: Graph, parts: Sequence[Value], axis: int) -> Value:
    return g.op("Concat", *parts, axis=axis)


def cut(g: Graph, x: Value, start: int | Value, stop: int | Value, axis: int) -> Value:
    """x[start:stop] along `axis`; a bound may be computed (int64 [1])."""
    bounds = [ints(g, bound) if isinstance(bound, int) else bound for bound in (start, stop)]
    return g.op("Slice", x, *bounds, ints(g, axis))


def size(g: Graph, x: Value, axis: int) -> Value:
    """Length of an axis from the front, int64 [1]; some parsers ignore the bounds of a Shape node."""
    return cut(g, g.op("Shape", x, dtype="int64"), axis, axis + 1, 0)


def linear(g: Graph, x: Value, weight: Array, bias: Array | None = None) -> Value:
    """x [..., in], weight [out, in], bias [out]."""
    y = g.op("MatMul", x, g.constant(np.ascontiguousarray(weight.T), "weight"))
    return y if bias is None else g.op("Add", y, g.constant(bias, "bias"))


def conv(g: Graph, x: Value, weight: Array, bias: Array | None = None, how: Conv = PLAIN) -> Value:
    """x [B, in, T...], weight [out, in / groups, K...]."""
    axes = weight.ndim - 2
    feeds = [x, g.constant(weight, "weight")] + ([] if bias is None else [g.constant(bias, "bias")])
    return g.op(
        "Conv",
        *feeds,
        kernel_shape=list(weight.shape[2:]),
        strides=[how.stride] * axes,
        dilations=[how.dilation] * axes,
        pads=[how.padding] * (2 * axes),
        group=how.groups,
    )


def conv_transpose(g: Graph, x: Value, weight: Array, bias: Array, how: Conv) -> Value:
    """x [B, in, T] with weight [in, out, K] -> [B, out, stride * T + K - stride - 2 * padding]."""
    return g.op(
        "ConvTranspose",
        x,
        g.constant(weight, "weight"),
        g.constant(bias, "bias"),
        kernel_shape=[weight.shape[2]],
        strides=[how.stride],
        pads=[how.padding] * 2,
    )


def weight_norm(gain: FloatArray, direction: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    """Weight normalisation (Salimans & Kingma 2016): g v / |v|, the norm over `axes`."""
    length = np.sqrt(np.square(direction).sum(axis=axes, keepdims=True))
    return np.asarray(gain * direction / np.maximum(length, np.float32(1e-30)), np.float32)


def layer_norm(g: Graph, x: Value, scale: Array, bias: Array, epsilon: float = 1e-5) -> Value:
    """Over the last axis; one node, so that TensorRT recognises it."""
    return g.op("LayerNormalization", x, g.constant(scale, "scale"), g.constant(bias, "bias"), axis=-1, epsilon=epsilon)


def add(g: Graph, *terms: Value) -> Value:
    total = terms[0]
    for term in terms[1:]:
        total = g.op("Add", total, term)
    return total


def gelu(g: Graph, x: Value) -> Value:
    """Exact: x (1 + erf(x / sqrt 2)) / 2."""
    curve = g.op("Erf", g.op("Mul", x, scalar(g, 0.5**0.5)))
    return g.op("Mul", g.op("Mul", x, scalar(g, 0.5)), g.op("Add", curve, scalar(g, 1.0)))


def mish(g: Graph, x: Value) -> Value:
    """x tanh(ln(1 + exp x)) (Misra 2019)."""
    return g.op("Mul", x, g.op("Tanh", g.op("Softplus", x)))


def gated(g: Graph, x: Value, half: int, squash: str | None = None) -> Value:
    """[B, 2 half, T] -> [B, half, T]: the first half, through `squash`, times the sigmoid of the second."""
    first, second = cut(g, x, 0, half, 1), cut(g, x, half, 2 * half, 1)
    return g.op("Mul", g.op(squash, first) if squash else first, g.op("Sigmoid", second))


def attention(g: Graph, qkv: tuple[Value, Value, Value], heads: Heads, mask: Value | None = None) -> Value:
    """Scaled q [B, T, width] over k and v [B, S, width]; mask is added to scores [.., T, S]."""
    q, k, v = qkv
    keys = heads.keys(g, k)
    scores = g.op("MatMul", heads.split(g, q), keys)
    if mask is not None:
        scores = g.op("Add", scores, mask)
    return heads.merge(g, g.op("MatMul", g.op("Softmax", scores, axis=-1), heads.split(g, v)))
