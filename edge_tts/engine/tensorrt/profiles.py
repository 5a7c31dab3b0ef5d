"""Which shapes each graph of a model set is built for: TensorRT's one optimisation profile per engine.

Derived from the contract of the graphs and the limits of the set. Knows nothing of TensorRT.
"""

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
        """Whether a tensor of this shape may be fed."""
        pairs = zip(shape, self.min, self.max, strict=False)
        return len(shape) == len(self.min) and all(low <= size <= high for size, low, high in pairs)


def shape_ranges(
    graph: str, inputs: Mapping[str, Shape], *, limits: SequenceLimits, batch: int = 1
) -> dict[str, ShapeRange]:
    """The profile of a graph with these `inputs` (-1 for a dimension that varies); `batch` bounds the decode rows.

    Raises `ModelError` for a graph or an input that the contract does not know.
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
        ranges[name] = ShapeRange(
            min=tuple(size.min for size in sizes),
            opt=tuple(size.opt for size in sizes),
            max=tuple(size.max for size in sizes),
        )
    return ranges
