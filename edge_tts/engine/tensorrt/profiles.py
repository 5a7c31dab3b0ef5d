"""Which sizes each graph of a model set is built for: the ranges of TensorRT's one optimisation profile per engine.

A table of the graph contract, by graph name and input; it knows nothing of TensorRT. What is not listed here is not
built: the graphs that only enrolment runs stay with ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_tts.errors import ModelError

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The sizes one dimension may take; the engine is tuned for `opt`."""

    min: int
    opt: int
    max: int


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


_PHONEMES, _PROMPT = Range(1, 96, 1024), Range(0, 128, 512)
_POSITIONS = Range(_PHONEMES.min + _PROMPT.min, _PHONEMES.opt + _PROMPT.opt, _PHONEMES.max + _PROMPT.max)
_TOKENS, _FRAMES = Range(1, 128, 1500), Range(1, 256, 1024)
BUCKETS = Range(64, 512, 2048)
"""Cache lengths of the decode step; the decoder asks for multiples of 64."""

# graph -> input -> axis -> range. `cache_*` stands for every input whose name begins so.
_AXES: Mapping[str, Mapping[str, Mapping[int, Range]]] = {
    "t2s_prefill": {
        "phoneme_ids": {1: _PHONEMES},
        "bert": {1: _PHONEMES},
        "prompt_tokens": {1: _PROMPT},
        "mask": {0: _POSITIONS, 1: _POSITIONS},
    },
    "encoder": {"codes": {1: _TOKENS}, "phoneme_ids": {1: Range(1, 48, 1024)}, "ge": {}},
    "flow": {"features": {2: _FRAMES}, "ge": {}, "noise": {2: _FRAMES}, "noise_scale": {}},
    "wave": {"latent": {2: _FRAMES}, "ge": {}},
    "bert": {"token_ids": {1: Range(2, 32, 512)}},
}
STEP = "t2s_step"
BUILT = (*_AXES, STEP)
"""Names of the graphs that become TensorRT engines."""


def shape_ranges(graph: str, inputs: Mapping[str, Shape], *, batch: int = 1) -> dict[str, ShapeRange]:
    """The profile of a graph with these `inputs` (-1 for a dimension that varies); `batch` bounds the decode rows.

    Raises `ModelError` for a graph or an input that the contract does not know.
    """
    axes = _step(batch) if graph == STEP else _AXES.get(graph)
    if axes is None:
        raise ModelError(f"{graph}: no TensorRT engine is built for this graph; known: {', '.join(BUILT)}")
    ranges = {}
    for name, shape in inputs.items():
        known = axes.get("cache_*" if name.startswith("cache_") else name)
        varying = {axis for axis, size in enumerate(shape) if size < 0}
        if known is None or varying - set(known):
            raise ModelError(f"{graph}: the input {name} {shape} is not in the graph contract")
        ranges[name] = ShapeRange(
            min=tuple(known[axis].min if axis in varying else size for axis, size in enumerate(shape)),
            opt=tuple(known[axis].opt if axis in varying else size for axis, size in enumerate(shape)),
            max=tuple(known[axis].max if axis in varying else size for axis, size in enumerate(shape)),
        )
    return ranges


def _step(batch: int) -> Mapping[str, Mapping[int, Range]]:
    rows = Range(1, 1, batch)
    return {
        "token": {0: rows},
        "position": {0: rows},
        "mask": {0: rows, 1: BUCKETS},
        "cache_*": {0: BUCKETS, 1: rows},
    }
