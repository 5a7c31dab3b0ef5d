"""Declares the inputs and outputs of a graph as the contract has them."""

from __future__ import annotations

from collections.abc import Mapping

from edge_tts.convert.builder import Graph, Value
from edge_tts.graphs import CONTRACTS, Axis, Tensor, cache_input


class Ports:
    """Those of the graph `name`, written into `g`; `sizes` are the numbers that its shapes name."""

    def __init__(self, g: Graph, name: str, sizes: Mapping[str, int]) -> None:
        self._g, self._contract, self._sizes = g, CONTRACTS[name], sizes

    def input(self, name: str) -> Value:
        tensor = self._contract.input(name)
        assert tensor is not None, name
        return self._g.input(name, self._shape(tensor), tensor.dtype, half=tensor.cached)

    def cache(self) -> list[Value]:
        """The inputs of all planes of the decode cache."""
        return [self.input(cache_input(plane)) for plane in range(self._sizes["planes"])]

    def output(self, name: str, value: Value) -> None:
        tensor = self._contract.output(name)
        assert tensor is not None, name
        self._g.output(name, value, self._shape(tensor), half=tensor.cached)

    def _shape(self, tensor: Tensor) -> list[int | str]:
        return [
            size.name if isinstance(size, Axis) else self._sizes[size] if isinstance(size, str) else size
            for size in tensor.shape
        ]
