"""The layers that speech networks are made of, each a few nodes over `builder.Graph`. Shapes are in the docstrings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_tts.convert.builder import Array, Graph, Value

FAR = (1 << 31) - 1
"""As the end of a slice: up to the end of the axis. The largest that a parser with 32-bit sizes keeps."""


def ints(g: Graph, *values: int) -> Value:
    """int64 [n] constant, as shapes, axes and bounds want it."""
    return g.constant(np.array(values, dtype=np.int64), "ints")


def scalar(g: Graph, value: float) -> Value:
    """A float constant without dimensions."""
    return g.constant(np.float32(value), "scalar")


def reshape(g: Graph, x: Value, *shape: int) -> Value:
    """0 keeps a dimension, -1 takes what is left."""
    return g.op("Reshape", x, ints(g, *shape))


def transpose(g: Graph, x: Value, *order: int) -> Value:
    """Reorder the axes."""
    return g.op("Transpose", x, perm=list(order))


def swap(g: Graph, x: Value) -> Value:
    """[B, A, C] <-> [B, C, A]."""
    return transpose(g, x, 0, 2, 1)


def unsqueeze(g: Graph, x: Value, *axes: int) -> Value:
    """Insert axes of length 1."""
    return g.op("Unsqueeze", x, ints(g, *axes))


def concat(g: Graph, parts: Sequence[Value], axis: int) -> Value:
    """Join along an axis."""
    return g.op("Concat", *parts, axis=axis)


def cut(g: Graph, x: Value, start: int | Value, stop: int | Value, axis: int) -> Value:
    """x[start:stop] along `axis`; a bound may be computed (int64 [1])."""
    bounds = [ints(g, bound) if isinstance(bound, int) else bound for bound in (start, stop)]
    return g.op("Slice", x, *bounds, ints(g, axis))


def size(g: Graph, x: Value, axis: int) -> Value:
    """Length of one axis (counted from the front), int64 [1].

    A slice of the whole shape: not every parser heeds the bounds that a Shape node may carry since opset 15.
    """
    return cut(g, g.op("Shape", x, dtype="int64"), axis, axis + 1, 0)


def zeros(g: Graph, shape: Value) -> Value:
    """Float zeros of a computed shape, int64 [rank]."""
    return g.op("Expand", g.constant(np.zeros(1, np.float32), "zero"), shape)


def linear(g: Graph, x: Value, weight: Array, bias: Array | None = None) -> Value:
    """x [..., in] times weight [out, in] (as checkpoints keep it) plus bias [out]."""
    y = g.op("MatMul", x, g.constant(np.ascontiguousarray(weight.T), "weight"))
    return y if bias is None else g.op("Add", y, g.constant(bias, "bias"))


def conv(
    g: Graph,
    x: Value,
    weight: Array,
    bias: Array | None = None,
    *,
    stride: int | Sequence[int] = 1,
    dilation: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> Value:
    """x [B, in, T...] with weight [out, in / groups, K...]; equal padding on both sides."""
    axes = weight.ndim - 2
    strides = [stride] * axes if isinstance(stride, int) else list(stride)
    feeds = [x, g.constant(weight, "weight")] + ([] if bias is None else [g.constant(bias, "bias")])
    return g.op(
        "Conv",
        *feeds,
        kernel_shape=list(weight.shape[2:]),
        strides=strides,
        dilations=[dilation] * axes,
        pads=[padding] * (2 * axes),
        group=groups,
    )


def conv_transpose(g: Graph, x: Value, weight: Array, bias: Array, *, stride: int, padding: int) -> Value:
    """x [B, in, T] with weight [in, out, K] -> [B, out, stride * T + K - stride - 2 * padding]."""
    return g.op(
        "ConvTranspose",
        x,
        g.constant(weight, "weight"),
        g.constant(bias, "bias"),
        kernel_shape=[weight.shape[2]],
        strides=[stride],
        pads=[padding, padding],
    )


def layer_norm(g: Graph, x: Value, scale: Array, bias: Array, epsilon: float = 1e-5) -> Value:
    """Normalise the last axis; one node, so that TensorRT sees what it is."""
    return g.op("LayerNormalization", x, g.constant(scale, "scale"), g.constant(bias, "bias"), axis=-1, epsilon=epsilon)


def add(g: Graph, *terms: Value) -> Value:
    """Sum of two or more."""
    total = terms[0]
    for term in terms[1:]:
        total = g.op("Add", total, term)
    return total


def gelu(g: Graph, x: Value) -> Value:
    """The exact form: x (1 + erf(x / sqrt 2)) / 2."""
    curve = g.op("Erf", g.op("Mul", x, scalar(g, 0.5**0.5)))
    return g.op("Mul", g.op("Mul", x, scalar(g, 0.5)), g.op("Add", curve, scalar(g, 1.0)))


def mish(g: Graph, x: Value) -> Value:
    """x tanh(ln(1 + exp x)) (Misra 2019)."""
    return g.op("Mul", x, g.op("Tanh", g.op("Softplus", x)))


def gated(g: Graph, x: Value, *, axis: int, half: int, squash: str | None = None) -> Value:
    """First half (through `squash` if given) times the sigmoid of the second half of an axis of length 2 * half."""
    first, second = cut(g, x, 0, half, axis), cut(g, x, half, 2 * half, axis)
    return g.op("Mul", g.op(squash, first) if squash else first, g.op("Sigmoid", second))


def split_heads(g: Graph, x: Value, heads: int, width: int) -> Value:
    """[B, T, width] -> [B, heads, T, width / heads]."""
    return transpose(g, reshape(g, x, 0, 0, heads, width // heads), 0, 2, 1, 3)


def merge_heads(g: Graph, x: Value, width: int) -> Value:
    """[B, heads, T, width / heads] -> [B, T, width]."""
    return reshape(g, transpose(g, x, 0, 2, 1, 3), 0, 0, width)


def attention(g: Graph, q: Value, k: Value, v: Value, *, heads: int, width: int, mask: Value | None = None) -> Value:
    """Attention of q [B, T, width], already scaled, over k and v [B, S, width]; mask is added to scores [.., T, S]."""
    keys = transpose(g, reshape(g, k, 0, 0, heads, width // heads), 0, 2, 3, 1)
    scores = g.op("MatMul", split_heads(g, q, heads, width), keys)
    if mask is not None:
        scores = g.op("Add", scores, mask)
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), split_heads(g, v, heads, width))
    return merge_heads(g, mixed, width)
