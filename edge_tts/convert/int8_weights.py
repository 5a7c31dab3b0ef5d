"""Weights in 8 bits for products in 8 bits: ONNX Runtime's MatMulNBits."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_tts.convert.builder import Array, DType, Graph, Value

BLOCK = 32
"""Inputs that share a scale."""
_ACCURACY = 4
"""The runtime rounds the rows to 8 bits too, and multiplies integers; below 4 it unpacks the weights every time."""


class Int8Graph(Graph):
    """A graph in which every matrix of weights is stored and multiplied in 8 bits; its inputs count in blocks of 32."""

    def op(self, kind: str, *inputs: Value, dtype: DType | None = None, **attributes: Any) -> Value:
        """See `Graph.op`."""
        weight = inputs[1].array if kind == "MatMul" else None
        if weight is None or weight.shape[0] % BLOCK:
            return super().op(kind, *inputs, dtype=dtype, **attributes)
        stored, scales = in_blocks(weight)
        return self.fused(
            "MatMulNBits",
            *(inputs[0], self.constant(stored, "weight8"), self.constant(scales, "scales")),
            K=weight.shape[0],
            N=weight.shape[1],
            bits=8,
            block_size=BLOCK,
            accuracy_level=_ACCURACY,
        )[0]


def in_blocks(weight: Array) -> tuple[Array, Array]:
    """weight [in, out] -> uint8 [out, in / 32, 32] around 128, and scales float32 [out, in / 32]."""
    wide, out = weight.shape
    blocks = np.ascontiguousarray(weight.T, np.float32).reshape(out, wide // BLOCK, BLOCK)
    scales = np.maximum(np.abs(blocks).max(axis=2) / 127, np.float32(1e-12))
    return (np.rint(blocks / scales[..., None]) + 128).astype(np.uint8), scales
