"""TensorRT's execution contexts, each given only the shapes and addresses that changed since its last run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_tts.engine.tensorrt.cuda import CapturedGraph
from edge_tts.engine.tensorrt.profiles import Shape
from edge_tts.errors import EngineError


class BoundContext:
    def __init__(self, native: Any, outputs: tuple[str, ...], path: Path) -> None:
        self.native = native
        self.outputs: dict[str, Shape] = dict.fromkeys(outputs, ())
        self._path = path
        self._bound: dict[str, tuple[Shape, int]] = {}
        self._shapes: dict[str, Shape] = {}

    def bind(self, binding: dict[str, tuple[Shape, int]]) -> None:
        """Set shapes and addresses of the inputs. All methods raise `EngineError` when TensorRT refuses."""
        if binding == self._bound:
            return
        self.set_shapes({name: shape for name, (shape, _) in binding.items()})
        for name, (_, address) in binding.items():
            if not self.native.set_tensor_address(name, address):
                raise EngineError(f"{self._path}: TensorRT refused the address of {name}")
        self._bound = binding

    def place(self, memory: Mapping[str, int], names: Iterable[str]) -> None:
        """Set the addresses of the outputs that have memory."""
        for name in names:
            if name in memory and not self.native.set_tensor_address(name, memory[name]):
                raise EngineError(f"{self._path}: TensorRT refused the address of {name}")

    def set_shapes(self, shapes: dict[str, Shape]) -> None:
        """Set the inputs' shapes and read those of the outputs."""
        if shapes == self._shapes:
            return
        for name, shape in shapes.items():
            if self._shapes.get(name) != shape and not self.native.set_input_shape(name, shape):
                raise EngineError(f"{self._path}: TensorRT refused the shape {list(shape)} of {name}")
        self._shapes = shapes
        for name in self.outputs:
            self.outputs[name] = tuple(self.native.get_tensor_shape(name))


@dataclass
class Replay:
    """A context and, from the second run on, the graph captured with it."""

    context: BoundContext
    graph: CapturedGraph | None = None
