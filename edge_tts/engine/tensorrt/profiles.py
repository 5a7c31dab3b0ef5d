"""TensorRT's optimisation profile of a graph, from its contract and the limits of the set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_tts.errors import ModelError
from edge_tts.graphs import BUILT, CONTRACTS, Axis, Range, SequenceLimits

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShapeRange:
    """The shapes one input may take."""

    min: Shape
    opt: Shape
    max: Shape

    def admits(self, shape: Shape) -> bool:
        pairs = zip(shape, self.min, self.max, strict=False)
        return len(shape) == len(self.min) and all(low <= size <= high for size, low, high in pairs)


def shape_ranges(
    graph: str, inputs: Mapping[str, Shape], *, limits: SequenceLimits, batch: int = 1
) -> dict[str, ShapeRange]:
    """The profile of a graph with these `inputs` (-1 for a dimension that varies) and `batch` decode rows at most.

    Raises `ModelError` for a graph or an input outside the contract.
    """
    if graph not in BUILT:
        raise ModelError(f"{graph}: no TensorRT engine is built for this graph; known: {', '.join(BUILT)}")
    ranges = {}
    for name, shape in inputs.items():
        tensor = CONTRACTS[graph].input(name)
        axes = tensor.shape if tensor is not None else ()
        varying = [isinstance(axis, Axis) for axis in axes]
        if tensor is None or [size < 0 for size in shape] != varying:
            raise ModelError(f"{graph}: the input {name} {shape} is not in the graph contract")
        sizes = [
            axis.within(limits, batch) if isinstance(axis, Axis) else Range(size, size, size)
            for axis, size in zip(axes, shape, strict=True)
        ]
        low, best, high = zip(*((size.min, size.opt, size.max) for size in sizes), strict=True)
        ranges[name] = ShapeRange(min=low, opt=best, max=high)
    return ranges
