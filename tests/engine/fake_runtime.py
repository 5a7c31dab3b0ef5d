"""The running half of the fake TensorRT: engines and contexts on the fake CUDA device, computed by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime

from .fake_cudart import ALIGNMENT, FakeCudart, IllegalAddress, Misuse, Operation

_ELEMENTS = {1: "FLOAT", 10: "HALF", 7: "INT64", 6: "INT32", 9: "BOOL"}
_NUMPY = {"FLOAT": np.float32, "HALF": np.float16, "INT64": np.int64, "INT32": np.int32, "BOOL": np.bool_}


@dataclass
class Faults:
    """What shall go wrong."""

    out_of_memory_at_build: bool = False
    refuse_capture: bool = False
    wrong_by: float = 0.0
    """Added to every float output."""
    wrong_beside_by: float = 0.0
    """Added to the logits of all sequences but the first of a step."""
    not_finite: bool = False
    hang: Callable[[], None] = lambda: None
    fail_to_run: bool = False
    steps: list[tuple[str, int]] = field(default_factory=list)


@dataclass
class World:
    version: str
    module: Any
    device: FakeCudart | None
    faults: Faults
    strict: Callable[[str, Any], Any]


class FakeEngine:
    device_memory_size_v2 = 4096

    def __init__(self, world: World, logger: Any, facts: Any) -> None:
        self.world, self.logger, self.profile = world, logger, facts["profile"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        self.session = onnxruntime.InferenceSession(facts["path"], options, providers=["CPUExecutionProvider"])
        graph = onnx.load(facts["path"], load_external_data=False).graph
        self.inputs = {value.name: _ELEMENTS[value.type.tensor_type.elem_type] for value in graph.input}
        self.outputs = {value.name: _ELEMENTS[value.type.tensor_type.elem_type] for value in graph.output}
        self.names = [*self.inputs, *self.outputs]
        self._graph = graph

    @property
    def num_io_tensors(self) -> int:
        return len(self.names)

    def get_tensor_name(self, index: int) -> str:
        return self.names[index]

    def get_tensor_mode(self, name: str) -> Any:
        modes = self.world.module.TensorIOMode
        return modes.INPUT if name in self.inputs else modes.OUTPUT

    def get_tensor_dtype(self, name: str) -> Any:
        return getattr(self.world.module.DataType, self.dtype(name))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        (value,) = [v for v in (*self._graph.input, *self._graph.output) if v.name == name]
        return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim)

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        assert profile_index == 0
        return [tuple(shape) for shape in self.profile[name]]

    def create_execution_context(self, strategy: Any = 0) -> Any:
        assert strategy == self.world.module.ExecutionContextAllocationStrategy.USER_MANAGED
        return self.world.strict("IExecutionContext", FakeContext(self))

    def dtype(self, name: str) -> str:
        return self.inputs.get(name) or self.outputs[name]

    def output_shapes(self, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """From the names of the dimensions; a run checks them against what is computed."""
        symbols: dict[str, int] = {}
        for value in self._graph.input:
            dims = value.type.tensor_type.shape.dim
            symbols.update({d.dim_param: n for d, n in zip(dims, shapes[value.name], strict=True) if d.dim_param})
        if self._graph.name == "encoder":
            symbols["F"] = 2 * symbols["N"]
        if self._graph.name == "wave":
            symbols["samples"] = 640 * symbols["F"]
        outputs = {value.name: value.type.tensor_type.shape.dim for value in self._graph.output}
        return {name: tuple(symbols.get(d.dim_param, d.dim_value) for d in dims) for name, dims in outputs.items()}


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine, self._world = engine, engine.world
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}
        self._scratch: tuple[int, int] | None = None
        self._profile: int | None = None
        self._warm = False
        self._version = 0

    def set_device_memory(self, memory: int, size: int) -> None:
        self._scratch = (memory, size)

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        self._profile = profile_index
        return profile_index == 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        low, _, high = self._engine.profile[name]
        if len(shape) != len(low) or not all(a <= b <= c for a, b, c in zip(low, shape, high, strict=True)):
            return self._refuse(f"{name} {shape} is outside of the profile {low} to {high}")
        self._shapes[name], self._warm = tuple(shape), False
        self._version += 1
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if memory == 0 or memory % ALIGNMENT:
            return self._refuse(f"{name}: address {memory:#x} is not aligned to {ALIGNMENT}")
        self._addresses[name] = memory
        self._version += 1
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name] if name in self._engine.inputs else self._engine.output_shapes(self._shapes)[name]

    def execute_async_v3(self, stream_handle: int) -> bool:
        device = self._world.device
        assert device is not None
        recording = device.stream(stream_handle).recording is not None
        if recording and (self._world.faults.refuse_capture or not self._warm):
            device.stream(stream_handle).broken_capture = True
            return self._refuse("this cannot be captured")
        missing = [name for name in self._engine.names if name not in self._addresses]
        missing += [name for name in self._engine.inputs if name not in self._shapes]
        if missing or self._scratch is None or self._profile is None or self._world.faults.fail_to_run:
            return self._refuse(f"not ready: {missing}, scratch {self._scratch}, profile {self._profile}")
        self._warm = True
        device.enqueue(stream_handle, Operation("execute", self._work(recording)))
        return True

    def _work(self, recording: bool) -> Callable[[], None]:
        shapes, addresses, version = dict(self._shapes), dict(self._addresses), self._version
        scratch, device, engine = self._scratch, self._world.device, self._engine

        def work() -> None:
            if recording and version != self._version:
                raise Misuse("a graph was launched after its context had been changed")
            assert device is not None
            assert scratch is not None
            device.bytes_at(scratch[0], engine.device_memory_size_v2)
            feeds = {name: self._view(name, shapes[name], addresses[name]).copy() for name in engine.inputs}
            expected = engine.output_shapes(shapes)
            for name, array in zip(engine.outputs, engine.session.run(list(engine.outputs), feeds), strict=True):
                assert array.shape == expected[name]
                if array.dtype.kind == "f":
                    array = array + array.dtype.type(self._world.faults.wrong_by)
                    if name == "logits":
                        array[1:] += array.dtype.type(self._world.faults.wrong_beside_by)
                    array.flat[:1] = np.nan if self._world.faults.not_finite else array.flat[:1]
                self._view(name, array.shape, addresses[name])[...] = array

        return work

    def _view(self, name: str, shape: tuple[int, ...], address: int) -> Any:
        dtype = np.dtype(_NUMPY[self._engine.dtype(name)])
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        device = self._world.device
        if device is None:
            raise IllegalAddress(name)
        return device.bytes_at(address, size).view(dtype).reshape(shape)

    def _refuse(self, message: str) -> bool:
        self._engine.logger.log(self._world.module.ILogger.Severity.ERROR, f"fake: {message}")
        return False
