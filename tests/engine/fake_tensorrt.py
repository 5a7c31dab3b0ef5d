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

from .fake_builder import MAGIC, FakeBuilder, FakeParser
from .fake_cudart import FakeCudart
from .fake_runtime import FakeEngine, Faults, World

__all__ = ["VERSIONS", "Faults", "Strict", "api", "check_call", "fake_tensorrt"]

DATA = Path(__file__).parent / "data"
VERSIONS = ("10.3", "10.13", "10.16", "11.4", "rtx 1.7")
"""The last is a sibling: TensorRT-RTX, whose builder the tests can ask."""


@lru_cache(maxsize=1)
def api() -> Any:
    """The recorded API: version -> classes, enums."""
    return json.loads((DATA / "tensorrt_api.json").read_text())


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

    world = World(version, module, device, faults, strict)
    module.ILogger, module.IProgressMonitor = ILogger, IProgressMonitor
    module.Builder = lambda logger: strict("Builder", FakeBuilder(world, logger))
    module.Runtime = lambda logger: strict("Runtime", _Runtime(world, logger))
    module.OnnxParser = lambda network, logger: strict("OnnxParser", FakeParser(world, network.body, logger))
    return module


class _Runtime:
    def __init__(self, world: World, logger: Any) -> None:
        self._world, self._logger = world, logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        data = bytes(serialized_engine)
        error = self._world.module.ILogger.Severity.ERROR
        if not data.startswith(MAGIC):
            self._logger.log(error, "fake: this is no plan")
            return None
        facts = json.loads(data[len(MAGIC) :])
        if facts["version"] != self._world.version:
            self._logger.log(error, f"fake: built by {facts['version']}, this is {self._world.version}")
            return None
        return self._world.strict("ICudaEngine", FakeEngine(self._world, self._logger, facts))
