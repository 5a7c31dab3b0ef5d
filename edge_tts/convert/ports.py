"""Declares the inputs and outputs of a graph as the contract has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_tts.convert.builder import Graph, Value
from edge_tts.graphs import CONTRACTS, CPU_CONTRACTS, Axis, Tensor, cache_input, past, present


class Ports:
    """Those of the graph `name`, written into `g`; `sizes` are the numbers that its shapes name."""

    def __init__(self, g: Graph, name: str, sizes: Mapping[str, int]) -> None:
        self._g, self._contract, self._sizes = g, {**CONTRACTS, **CPU_CONTRACTS}[name], sizes

    def input(self, name: str, *, narrow: bool = False) -> Value:
        tensor = self._contract.input(name)
        assert tensor is not None, name
        dtype = "int8" if narrow else tensor.dtype
        return self._g.input(name, self._shape(tensor), dtype, half=tensor.cached)

    def cache(self) -> list[Value]:
        """The inputs of all planes of the decode cache."""
        return [self.input(cache_input(plane)) for plane in range(self._sizes["planes"])]

    def past(self, *, narrow: bool) -> list[Value]:
        """The inputs of all planes of the cache that grows in place, int8 if `narrow`."""
        return [self.input(past(plane), narrow=narrow) for plane in range(self._sizes["planes"])]

    def present(self, layer: int, planes: Sequence[Value]) -> None:
        """The outputs of a layer's keys and values, which a node has written under their names."""
        for plane, value in enumerate(planes, start=2 * layer):
            self.output(present(plane), value)

    def output(self, name: str, value: Value) -> None:
        tensor = self._contract.output(name)
        assert tensor is not None, name
        self._g.output(name, value, self._shape(tensor), half=tensor.cached)

    def _shape(self, tensor: Tensor) -> list[int | str]:
        return [
            size.name if isinstance(size, Axis) else self._sizes[size] if isinstance(size, str) else size
            for size in tensor.shape
        ]
