"""The building half of the fake TensorRT: parser, network, profile, configuration, builder.

What it refuses and warns about, in which words and with which return value, is what the builder of TensorRT-RTX 1.7
did when it was given the same (test_real_builder.py asks it).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime

from .fake_cudart import Misuse
from .fake_runtime import World

DATA = Path(__file__).parent / "data"
MAGIC = b"FAKEPLAN"
_NUMPY = {1: np.float32, 10: np.float16, 7: np.int64, 6: np.int32, 9: np.bool_}
NO_GPU = (
    "[checkMacros.cpp::catchCudaError::250] Error Code 1: Cuda Runtime (In catchCudaError at checkMacros.cpp:250 "
    "(cudaError 35: CUDA driver version is insufficient for CUDA runtime version))"
)


@lru_cache(maxsize=1)
def operators() -> Any:
    """What the ONNX parser of 10.3 takes: operator -> supported, dtypes."""
    return json.loads((DATA / "tensorrt_onnx_ops.json").read_text())


class Complaints:
    """The logger, as the library uses it: without a GPU every error is followed by one about the GPU."""

    def __init__(self, world: World, logger: Any) -> None:
        self._world, self._logger = world, logger

    def error(self, message: str) -> None:
        severity = self._world.module.ILogger.Severity
        self._logger.log(severity.ERROR, message)
        if self._world.device is None:
            self._logger.log(severity.ERROR, NO_GPU)

    def warning(self, message: str) -> None:
        self._logger.log(self._world.module.ILogger.Severity.WARNING, message)


class FakeBuilder:
    def __init__(self, world: World, logger: Any) -> None:
        self._world, self._say = world, Complaints(world, logger)

    def create_network(self, flags: int = 0) -> Any:
        known = self._world.module.NetworkDefinitionCreationFlag
        if flags >= 2 << max(int(flag) for flag in known):
            self._say.error("IBuilder::createNetworkV2: Error Code 3: API Usage Error (Parameter check failed)")
            return None
        if flags != 1 << int(known.STRONGLY_TYPED):
            raise Misuse(f"network flags {flags}: 10.3 would choose the types itself")
        return self._world.strict("INetworkDefinition", FakeNetwork(self._world))

    def create_builder_config(self) -> Any:
        return self._world.strict("IBuilderConfig", FakeConfig(self._world, self._say))

    def create_optimization_profile(self) -> Any:
        return self._world.strict("IOptimizationProfile", FakeProfile(self._say))

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        faults, config, network = self._world.faults, config.body, network.body
        if not self._report_progress(config.progress_monitor):
            self._say.error("IBuilder::buildSerializedNetwork: Error Code 7: BuildCanceled (Build canceled by user)")
            return None
        faults.hang()
        problem = "fake: out of memory while building" if faults.out_of_memory_at_build else _problem(network, config)
        if problem:
            self._say.error(f"IBuilder::buildSerializedNetwork: Error Code 4: API Usage Error ({problem})")
            return None
        shapes = config.profiles[0].shapes
        violation = _violation(network.path, tuple((name, tuple(sizes[2])) for name, sizes in sorted(shapes.items())))
        if violation:
            self._say.warning(f"Profile kMAX values are not self-consistent. {violation}")
        facts = {"version": self._world.version, "path": network.path, "profile": shapes}
        config.timing_cache.append("timed")
        return memoryview(MAGIC + json.dumps(facts).encode())

    def _report_progress(self, monitor: Any) -> bool:
        if monitor is None:
            return True
        monitor.phase_start("Building engine", None, 2)
        monitor.phase_start("Cloning network graph", "Building engine", 1)
        go_on = monitor.step_complete("Cloning network graph", 0)
        monitor.phase_finish("Cloning network graph")
        for step in range(2):
            self._world.faults.steps.append(("Building engine", step))
            go_on = go_on and monitor.step_complete("Building engine", step)
        monitor.phase_finish("Building engine")
        return bool(go_on)


class FakeConfig:
    def __init__(self, world: World, say: Complaints) -> None:
        self._world, self._say = world, say
        self.profiles: list[FakeProfile] = []
        self.timing_cache: list[str] = []
        self.progress_monitor: Any = None
        self.builder_optimization_level, self.max_aux_streams = 3, -1
        self.limits: dict[Any, int] = {}
        self._flags = {world.module.BuilderFlag.TF32}

    def add_optimization_profile(self, profile: Any) -> int:
        wrong = [name for name, (low, best, high) in profile.body.shapes.items() if not _ordered(low, best, high)]
        if wrong:
            name = "IOptimizationProfile::isValid: Error Code 4: API Usage Error"
            advice = "please ensure that the optimization profiles satisfy MIN<=OPT<=MAX"
            self._say.error(f"{name} (Invalid optimization profiles for input tensors {wrong[0]}, {advice}.)")
            return -1
        self.profiles.append(profile.body)
        return len(self.profiles) - 1

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self.limits[pool] = pool_size

    def get_flag(self, flag: Any) -> bool:
        return flag in self._flags

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(flag)

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        if serialized_timing_cache and not serialized_timing_cache.startswith(b"TIMES"):
            if not self._world.version.startswith("rtx"):
                return None
            self._say.warning("The timing cache will not be used!")
            self._say.warning("Failed to deserialize timing cache. Returning an empty timing cache.")
            serialized_timing_cache = b""
        cache = FakeTimings(serialized_timing_cache.decode().split()[1:])
        return self._world.strict("ITimingCache", cache)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self.timing_cache = cache.body.entries
        return True

    def get_timing_cache(self) -> Any:
        return self._world.strict("ITimingCache", FakeTimings(self.timing_cache))


class FakeTimings:
    def __init__(self, entries: list[str]) -> None:
        self.entries = entries

    def serialize(self) -> memoryview:
        return memoryview(" ".join(["TIMES", *self.entries]).encode())


class FakeProfile:
    """Takes any range; only the configuration looks at it."""

    def __init__(self, say: Complaints) -> None:
        self._say = say
        self.shapes: dict[str, list[list[int]]] = {}

    def set_shape(self, input: str, min: Sequence[int], opt: Sequence[int], max: Sequence[int]) -> None:
        if any(size < 0 for size in (*min, *opt, *max)):
            self._say.error("IOptimizationProfile::setDimensions: Error Code 3: API Usage Error (a size below 0)")
            raise RuntimeError("Shape provided for min is inconsistent with other shapes.")
        self.shapes[input] = [list(min), list(opt), list(max)]


class FakeNetwork:
    def __init__(self, world: World) -> None:
        self._world, self.path, self.inputs = world, "", list[Any]()

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    def get_input(self, index: int) -> Any:
        return self._world.strict("ITensor", self.inputs[index])


class FakeParser:
    """Refuses what the operator table of 10.3 does not list for the default domain, and says little about it."""

    def __init__(self, world: World, network: FakeNetwork, logger: Any) -> None:
        self._network, self._say, self._errors = network, Complaints(world, logger), list[Any]()

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        return self._errors[index]

    def parse_from_file(self, model: str) -> bool:
        graph = onnx.load(model).graph
        for value in graph.input:
            dims = value.type.tensor_type.shape.dim
            shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)
            self._network.inputs.append(SimpleNamespace(name=value.name, shape=shape))
            if value.type.tensor_type.elem_type == onnx.TensorProto.INT64:
                self._say.warning(f"ModelImporter.cpp:1071: Make sure input {value.name} has Int64 binding.")
        for node in graph.node:
            if node.domain:
                self._refuse(node, "Plugin not found, are the plugin name, version, and namespace correct?")
            elif operators().get(node.op_type, {}).get("supported", "no") == "no":
                self._refuse(node, "false")
        self._network.path = model
        return not self._errors

    def _refuse(self, node: Any, text: str) -> None:
        facts = SimpleNamespace(desc=lambda: text, node_name=lambda: node.name, node_operator=lambda: node.op_type)
        self._errors.append(facts)
        self._say.error(f"ModelImporter.cpp:140: While parsing node [{node.op_type}]:\nERROR: {text}")


def _problem(network: FakeNetwork, config: FakeConfig) -> str:
    """What a build checks of a profile before it begins; empty when nothing is wrong."""
    if not config.profiles:
        return "Network has dynamic or shape inputs, but no optimization profile has been defined."
    if 0 in config.limits.values():
        return "Compiling this graph requires workspace memory greater than 0."
    shapes = config.profiles[0].shapes
    for tensor in network.inputs:
        if tensor.name not in shapes:
            return f"Dynamic input tensor {tensor.name} is missing dimensions in profile 0."
        ranges = list(zip(*shapes[tensor.name], strict=True))
        if len(ranges) != len(tensor.shape):
            return f"Dynamic-shaped input tensor {tensor.name} and profile 0 differ in dimensions."
        for size, sizes in zip(tensor.shape, ranges, strict=True):
            if size >= 0 and set(sizes) != {size}:
                return f"Dimension mismatch for tensor {tensor.name} and profile 0."
    return ""


@lru_cache(maxsize=64)
def _violation(path: str, largest: tuple[tuple[str, tuple[int, ...]], ...]) -> str:
    """Why the network cannot take its largest shapes; empty when it can. ONNX Runtime tries."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    graph = onnx.load(path, load_external_data=False).graph
    types = {value.name: _NUMPY[value.type.tensor_type.elem_type] for value in graph.input}
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        session.run(None, {name: np.zeros(shape, types[name]) for name, shape in largest})
    except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions have no common base of their own
        return str(error)
    return ""


def _ordered(low: Sequence[int], best: Sequence[int], high: Sequence[int]) -> bool:
    return len(low) == len(best) == len(high) and all(a <= b <= c for a, b, c in zip(low, best, high, strict=True))
