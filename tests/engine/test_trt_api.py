"""Every name and arity that the product uses of TensorRT exists in all versions it is meant for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge_tts.engine.tensorrt
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.trt_engine import TrtEngine

from .conftest import build_plan
from .fake_cudart import FakeCudart
from .fake_tensorrt import VERSIONS, Strict, api, check_call, fake_tensorrt

FOLDER = Path(edge_tts.engine.tensorrt.__file__).parent
SOURCES = [FOLDER / name for name in ("trt_engine.py", "context.py", "messages.py", "build.py")]

CLASSES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "config": "IBuilderConfig",
    "profile": "IOptimizationProfile",
    "parser": "OnnxParser",
    "error": "ParserError",
    "tensor": "ITensor",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "_engine": "ICudaEngine",
    "native": "IExecutionContext",
}
"""What a variable or attribute of that name holds in these files."""


def uses() -> Iterator[tuple[str, str, ast.Call | None]]:
    """(class, member, call or None) for each use of an object of TensorRT."""
    for source in SOURCES:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute):
                continue
            holder = node.value
            name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
            if name in CLASSES:
                yield CLASSES[name], node.attr, calls.get(id(node))


def paths() -> Iterator[str]:
    """Dotted paths below the module: `BuilderFlag.TF32`, `ILogger.Severity.ERROR`."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            parts: list[str] = []
            inner: ast.expr = node if isinstance(node, ast.Attribute) else ast.Constant(0)
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
                if (isinstance(inner, ast.Name) and inner.id == "trt") or (
                    isinstance(inner, ast.Attribute) and inner.attr == "_trt"
                ):
                    yield ".".join(reversed(parts))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_member_exists_and_takes_what_it_is_given(version: str) -> None:
    """Methods and properties by name, calls by number of arguments and keywords."""
    seen = 0
    for kind, member, call in uses():
        facts = api()[version]["classes"][kind]
        assert member in facts["methods"] or member in facts["properties"], f"{version}: {kind} has no {member}"
        if call is not None:
            keywords = [keyword.arg or "" for keyword in call.keywords]
            check_call(facts["methods"][member], len(call.args), keywords, f"{kind}.{member} of {version}")
        seen += 1
    assert seen > 30


@pytest.mark.parametrize("version", VERSIONS)
def test_every_enumerator_exists(version: str) -> None:
    """Members of enumerations are used by name, and each name exists."""
    enums, found = api()[version]["enums"], set(paths())
    assert {"BuilderFlag.TF32", "NetworkDefinitionCreationFlag.STRONGLY_TYPED"} <= found
    for path in found:
        name, _, member = path.rpartition(".")
        if name in enums:
            assert member in enums[name], f"{version}: {name} has no {member}"
        else:
            classes = api()[version]["classes"]
            method = member in classes.get(name, {"methods": {}})["methods"]
            assert path in enums or path in classes or path == "ILogger.Severity" or method, path


@pytest.mark.parametrize("version", VERSIONS)
def test_build_and_run_use_only_what_is_recorded(version: str, graphs: Path, tmp_path: Path) -> None:
    """The same by running: objects that have exactly the recorded members build, load and describe an engine."""
    device = FakeCudart()
    trt = fake_tensorrt(version, device)
    plan = build_plan(graphs / "flow.onnx", tmp_path / "flow.plan", trt)
    engine = TrtEngine(plan, trt=trt, cuda=Cuda(device), path=graphs / "flow.onnx")
    assert engine.inputs["noise"].shape == (1, 8, "noise.2")
    assert engine.ranges["noise"].max == (1, 8, 1024)


def test_the_strict_object_has_teeth() -> None:
    """What 11.4 removed is not there, what is read-only cannot be set, and a wrong number of arguments is an error."""
    body = type("Body", (), {"flags": 0, "num_layers": 0, "get_tensor_name": lambda self, index: "x"})()
    with pytest.raises(AttributeError, match="no device_memory_size"):
        _ = Strict("ICudaEngine", "11.4", body).device_memory_size
    with pytest.raises(AttributeError, match="cannot be set"):
        Strict("ICudaEngine", "10.3", body).num_layers = 1
    with pytest.raises(TypeError, match="fit none of"):
        Strict("ICudaEngine", "10.3", body).get_tensor_name(1, 2)
