"""A TensorRT whose every name and arity is checked against the recorded API of one version; ONNX Runtime computes.

It runs on the fake CUDA device and enforces what TensorRT asks for: addresses bound and aligned, shapes inside the
profile, scratch memory handed over, one plain run before a capture, a captured context that is not changed afterwards.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx

from .fake_cudart import FakeCudart, Misuse
from .fake_runtime import FakeEngine, Faults, World

__all__ = ["VERSIONS", "Faults", "Strict", "api", "check_call", "fake_tensorrt"]

DATA = Path(__file__).parent / "data"
VERSIONS = ("10.3", "10.13", "10.16", "11.4")
_MAGIC = b"FAKEPLAN"


@lru_cache(maxsize=1)
def api() -> Any:
    """The recorded API: version -> classes, enums."""
    return json.loads((DATA / "tensorrt_api.json").read_text())


@lru_cache(maxsize=1)
def operators() -> Any:
    """What the ONNX parser of 10.3 takes: operator -> supported, dtypes."""
    return json.loads((DATA / "tensorrt_onnx_ops.json").read_text())


def check_call(signatures: Sequence[str], given: int, keywords: Sequence[str], what: str) -> None:
    """Raise `TypeError` unless one of the printed signatures takes that many arguments and these keywords."""
    for signature in signatures:
        inside = re.split(r"\) ->", signature, maxsplit=1)[0].split("(", 1)[1]
        parameters = [part for part in re.split(r",(?![^\[]*\])", inside) if part.strip() and "self:" not in part]
        names = [part.split(":")[0].strip() for part in parameters]
        required = sum("=" not in part for part in parameters)
        if required <= given + len(keywords) <= len(parameters) and set(keywords) <= set(names):
            return
    if signatures:
        raise TypeError(f"{what}: {given} arguments and {list(keywords)} fit none of {list(signatures)}")


class Strict:
    """An object that has exactly the recorded methods and properties of one class."""

    def __init__(self, kind: str, version: str, body: Any) -> None:
        object.__setattr__(self, "_facts", (kind, version, api()[version]["classes"][kind]))
        object.__setattr__(self, "body", body)

    def __getattr__(self, name: str) -> Any:
        kind, version, facts = self._facts
        if name in facts["methods"]:
            method = getattr(self.body, name)

            def checked(*arguments: Any, **keywords: Any) -> Any:
                check_call(facts["methods"][name], len(arguments), list(keywords), f"{kind}.{name} of {version}")
                return method(*arguments, **keywords)

            return checked
        if name in facts["properties"]:
            return getattr(self.body, name)
        raise AttributeError(f"TensorRT {version}: {kind} has no {name}")

    def __setattr__(self, name: str, value: Any) -> None:
        kind, version, facts = self._facts
        if not facts["properties"].get(name):
            raise AttributeError(f"TensorRT {version}: {kind}.{name} cannot be set")
        setattr(self.body, name, value)


def fake_tensorrt(version: str, device: FakeCudart | None, faults: Faults | None = None) -> Any:
    """A module object with what the product uses of TensorRT, as `version` has it."""
    faults = faults or Faults()
    enums = {name: enum.IntEnum(name.split(".")[-1], members) for name, members in api()[version]["enums"].items()}
    names = ("TensorIOMode", "MemoryPoolType", "NetworkDefinitionCreationFlag", "DataType", "BuilderFlag")
    module = SimpleNamespace(**{name: enums[name] for name in (*names, "ExecutionContextAllocationStrategy")})
    module.__version__ = f"{version}.0"

    class ILogger:
        Severity = enums["ILogger.Severity"]

        def log(self, severity: Any, msg: str) -> None:
            raise NotImplementedError

    class IProgressMonitor:
        pass

    def strict(kind: str, body: Any) -> Any:
        return Strict(kind, version, body)

    def parser(network: Any, logger: Any) -> Any:
        return strict("OnnxParser", _Parser(network.body, logger))

    world = World(version, module, device, faults, strict)
    module.ILogger, module.IProgressMonitor = ILogger, IProgressMonitor
    module.Builder = lambda logger: strict("Builder", _Builder(world, logger))
    module.Runtime = lambda logger: strict("Runtime", _Runtime(world, logger))
    module.OnnxParser = parser
    return module


class _Builder:
    def __init__(self, world: World, logger: Any) -> None:
        self._world, self._logger = world, logger

    def create_network(self, flags: int = 0) -> Any:
        strongly = 1 << int(self._world.module.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        if flags != strongly:
            raise Misuse(f"network flags {flags}: strongly typed is {strongly}")
        return self._world.strict("INetworkDefinition", _Network(self._world))

    def create_builder_config(self) -> Any:
        return self._world.strict("IBuilderConfig", _Config(self._world))

    def create_optimization_profile(self) -> Any:
        return self._world.strict("IOptimizationProfile", _Profile())

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        faults, config = self._world.faults, config.body
        monitor = config.progress_monitor
        if monitor is not None:
            monitor.phase_start("Building", None, 2)
            for step in range(2):
                faults.steps.append(("Building", step))
                if not monitor.step_complete("Building", step):
                    return None
            monitor.phase_finish("Building")
        faults.hang()
        if faults.out_of_memory_at_build:
            self._logger.log(self._world.module.ILogger.Severity.ERROR, "fake: out of memory while building")
            return None
        (profile,) = config.profiles
        if set(profile.shapes) != {tensor.name for tensor in network.body.inputs}:
            self._logger.log(self._world.module.ILogger.Severity.ERROR, "fake: an input has no profile")
            return None
        facts = {"version": self._world.version, "path": network.body.path, "profile": profile.shapes}
        config.timing_cache.append("timed")
        return memoryview(_MAGIC + json.dumps(facts).encode())


class _Config:
    def __init__(self, world: World) -> None:
        self._world = world
        self.profiles: list[_Profile] = []
        self.timing_cache: list[str] = []
        self.progress_monitor: Any = None
        self.builder_optimization_level, self.max_aux_streams = 3, -1
        self.limits: dict[Any, int] = {}

    def add_optimization_profile(self, profile: Any) -> int:
        self.profiles.append(profile.body)
        return len(self.profiles) - 1

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        self.limits[pool] = pool_size

    def clear_flag(self, flag: Any) -> None:
        assert flag == self._world.module.BuilderFlag.TF32

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        if serialized_timing_cache and not serialized_timing_cache.startswith(b"TIMES"):
            return None
        cache = _TimingCache(serialized_timing_cache.decode().split()[1:])
        return self._world.strict("ITimingCache", cache)

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self.timing_cache = cache.body.entries
        return True

    def get_timing_cache(self) -> Any:
        return self._world.strict("ITimingCache", _TimingCache(self.timing_cache))


class _TimingCache:
    def __init__(self, entries: list[str]) -> None:
        self.entries = entries

    def serialize(self) -> memoryview:
        return memoryview(" ".join(["TIMES", *self.entries]).encode())


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[list[int]]] = {}

    def set_shape(self, input: str, min: Sequence[int], opt: Sequence[int], max: Sequence[int]) -> None:
        if not all(low <= best <= high for low, best, high in zip(min, opt, max, strict=True)):
            raise Misuse(f"{input}: {min} {opt} {max} is no range")
        self.shapes[input] = [list(min), list(opt), list(max)]


class _Network:
    def __init__(self, world: World) -> None:
        self._world, self.path, self.inputs = world, "", list[Any]()

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    def get_input(self, index: int) -> Any:
        return self._world.strict("ITensor", self.inputs[index])


class _Parser:
    """Refuses what the operator table of 10.3 does not list for the default domain."""

    def __init__(self, network: _Network, logger: Any) -> None:
        self._network, self._errors = network, list[str]()

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        text = self._errors[index]
        return SimpleNamespace(desc=lambda: text, node_name=lambda: "node", node_operator=lambda: "op")

    def parse_from_file(self, model: str) -> bool:
        graph = onnx.load(model).graph
        for node in graph.node:
            if node.domain or operators().get(node.op_type, {}).get("supported", "no") == "no":
                self._errors.append(f"no importer for {node.domain}{node.op_type}")
        for value in graph.input:
            dims = value.type.tensor_type.shape.dim
            shape = tuple(dim.dim_value if dim.HasField("dim_value") else -1 for dim in dims)
            self._network.inputs.append(SimpleNamespace(name=value.name, shape=shape))
        self._network.path = model
        return not self._errors


class _Runtime:
    def __init__(self, world: World, logger: Any) -> None:
        self._world, self._logger = world, logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        data = bytes(serialized_engine)
        error = self._world.module.ILogger.Severity.ERROR
        if not data.startswith(_MAGIC):
            self._logger.log(error, "fake: this is no plan")
            return None
        facts = json.loads(data[len(_MAGIC) :])
        if facts["version"] != self._world.version:
            self._logger.log(error, f"fake: built by {facts['version']}, this is {self._world.version}")
            return None
        return self._world.strict("ICudaEngine", FakeEngine(self._world, self._logger, facts))
