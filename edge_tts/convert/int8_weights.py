"""Weights in 8 bits for products in 8 bits: ONNX Runtime's MatMulNBits for few rows, its integer product for many."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_tts.convert.builder import Array, DType, Graph, Value

BLOCKS = (128, 64, 32)
"""How many inputs may share a scale: the more, the fewer bytes, and the longer the integers are summed."""
_ACCURACY = 4
"""The runtime rounds the rows to 8 bits too, and multiplies integers; below 4 it unpacks the weights every time."""
_SMALLEST = np.float32(1e-9)
"""Of what a row's largest number is taken for: there are rows of zeros."""


class Int8Graph(Graph):
    """A graph in which every matrix of weights is stored and multiplied in 8 bits, if its inputs come in blocks."""

    def op(self, kind: str, *inputs: Value, dtype: DType | None = None, **attributes: Any) -> Value:
        """See `Graph.op`."""
        weight = inputs[1].array if kind == "MatMul" else None
        if weight is None or weight.shape[0] % BLOCKS[-1]:
            return super().op(kind, *inputs, dtype=dtype, **attributes)
        return self._product(inputs[0], weight)

    def affine(self, x: Value, weight: Array, bias: Array) -> Value:
        """See `Graph.affine`."""
        if weight.shape[0] % BLOCKS[-1]:
            return super().affine(x, weight, bias)
        return self._product(x, weight, None, None, self.constant(bias, "bias"))

    def _product(self, x: Value, weight: Array, *more: Value | None) -> Value:
        block = next(size for size in BLOCKS if weight.shape[0] % size == 0)
        stored, scales = in_blocks(weight, block)
        return self.fused(
            "MatMulNBits",
            *(x, self.constant(stored, "weight8"), self.constant(scales, "scales"), *more),
            K=weight.shape[0],
            N=weight.shape[1],
            bits=8,
            block_size=block,
            accuracy_level=_ACCURACY,
        )[0]


class Int8RowsGraph(Graph):
    """A graph whose affine layers multiply integers of 8 bits: weights with a scale for each output, and each row with
    one of its own, so that no row is coarser for the others' sake."""

    def affine(self, x: Value, weight: Array, bias: Array) -> Value:
        """See `Graph.affine`."""
        scales = np.maximum(np.abs(weight).max(axis=0) / 127, np.float32(1e-12)).astype(np.float32)
        stored = self.constant(np.rint(weight / scales).astype(np.int8), "weight8")
        one, middle = self.constant(np.float32(1), "one"), self.constant(np.uint8(128), "middle")
        largest = self.op("ReduceMax", self.op("Abs", x), axes=[-1], keepdims=1)
        step = self.op("Mul", self.op("Max", largest, self.constant(_SMALLEST)), self.constant(np.float32(1 / 127)))
        rows = self.op("QuantizeLinear", self.op("Div", x, step), one, middle, dtype="uint8")
        product = self.fused("MatMulIntegerToFloat", rows, stored, one, self.constant(scales, "scales"), middle)[0]
        return self.op("Add", self.op("Mul", product, step), self.constant(bias, "bias"))


def in_blocks(weight: Array, block: int) -> tuple[Array, Array]:
    """weight [in, out] -> uint8 [out, in / block, block] around 128, and scales float32 [out, in / block]."""
    wide, out = weight.shape
    blocks = np.ascontiguousarray(weight.T, np.float32).reshape(out, wide // block, block)
    scales = np.maximum(np.abs(blocks).max(axis=2) / 127, np.float32(1e-12))
    return (np.rint(blocks / scales[..., None]) + 128).astype(np.uint8), scales
