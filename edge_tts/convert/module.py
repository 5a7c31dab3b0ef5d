"""A network, or a part of one, being written: parameters below a name, and layers made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import PLAIN, Conv, conv, layer_norm, linear


@dataclass(frozen=True, slots=True)
class Module:
    """A graph, and the parameters below `name` that go into it.

    Shapes are the checkpoint's. Raises CheckpointError for a parameter that is missing, misshapen or not finite.
    """

    graph: Graph
    weights: Weights
    name: str = ""
    """Empty, or with a dot at its end."""

    def child(self, name: str) -> Module:
        return Module(self.graph, self.weights, f"{self.name}{name}.")

    def __contains__(self, name: str) -> bool:
        return self.name + name in self.weights

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        return self.weights.shape(self.name + name, rank)

    def take(self, name: str, *shape: int) -> FloatArray:
        return self.weights.take(self.name + name, *shape)

    def count(self, pattern: str) -> int:
        return self.weights.count(self.name + pattern)

    def linear(self, name: str, x: Value, shape: tuple[int, ...], scale: float = 1.0) -> Value:
        """x [..., in] -> [..., out], times `scale`; shape [out, in], or [out, in, 1] of a 1x1 convolution."""
        weight, bias = self.take(f"{name}.weight", *shape), self.take(f"{name}.bias", shape[0])
        factor = np.float32(scale)
        return linear(self.graph, x, weight.reshape(shape[:2]) * factor, bias * factor)

    def conv(self, name: str, x: Value, shape: tuple[int, ...], how: Conv = PLAIN) -> Value:
        """x [B, in, T...] -> [B, out, T...]; shape [out, in / groups, K...]."""
        return conv(self.graph, x, self.take(f"{name}.weight", *shape), self.take(f"{name}.bias", shape[0]), how)

    def layer_norm(self, name: str, x: Value, width: int, epsilon: float = 1e-5) -> Value:
        """Over the last axis; some checkpoints call weight and bias gamma and beta."""
        scale, bias = ("gamma", "beta") if f"{name}.gamma" in self else ("weight", "bias")
        taken = self.take(f"{name}.{scale}", width), self.take(f"{name}.{bias}", width)
        return layer_norm(self.graph, x, *taken, epsilon)
