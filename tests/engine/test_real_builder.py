"""The real parser and builder (TensorRT-RTX, a sibling of the Jetson's) on our graphs: they need no GPU.

Skipped where its wheel is not installed; `tools/test` installs it where it can be had.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from convert.golden import Goldens

from edge_tts.convert.model_set import Options, Sources, convert, write_manifest
from edge_tts.engine.tensorrt.messages import make_logger
from edge_tts.graphs import BUILT
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import ModelSet
from tools.conversion.half import convert_half
from tools.engine_check import command
from tools.engine_check.faults import faults
from tools.engine_check.record import Build, Port

from .conftest import build_plan
from .fake_tensorrt import api, fake_tensorrt
from .small_set import manifest, write_graphs, write_prefill_of
from .test_trt_api import uses

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
real_builder = pytest.mark.skipif(
    importlib.util.find_spec(command.MODULE) is None,
    reason=f"no {command.MODULE} here: pip install '.[tensorrt-check]' (x86-64 and aarch64 Linux)",
)
FAMILIES = ("v2", "v2Pro", "v2ProPlus")


@pytest.fixture(scope="module")
def real() -> Any:
    """The real module."""
    return pytest.importorskip(command.MODULE)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], ModelSet]:
    """A small set of a family and a precision, converted as `tools/convert` does; BERT is in the v2 sets."""
    folder = tmp_path_factory.mktemp("converted")
    for name in ("t2s_v2_small", "bert_small", *(f"sovits_{family}_small" for family in FAMILIES)):
        Goldens().write_checkpoint(name, folder / name)

    def make(family: str, precision: str) -> ModelSet:
        bert = folder / "bert_small" if family == "v2" else None
        sources = Sources(gpt=folder / "t2s_v2_small", sovits=folder / f"sovits_{family}_small", bert=bert)
        out = folder / f"{family}-{precision}"
        if precision == "fp16":
            convert_half(sources, out, Options(name=out.name), progress=lambda name: None, voices=lambda path: ())
        else:
            convert(sources, out, Options(name=out.name))
        return read_model_set(out)

    return make


def built(model: ModelSet, names: Sequence[str] = BUILT) -> dict[str, Build]:
    """Graphs of a set through the builder, none of them with a fault."""
    results = {build.graph: (build, found) for build, found in command.check_set(model, names)}
    assert {name: found for name, (_, found) in results.items() if found} == {}
    assert set(results) == {name for name in names if model.graph(name).is_file()}
    return {name: build for name, (build, _) in results.items()}


@real_builder
def test_the_starter_is_built() -> None:
    """Each graph becomes an engine within its own positions, from an empty prompt on, strongly typed, without refit."""
    starter = ROOT / "models" / "starter"
    builds = built(read_model_set(starter))
    width = json.loads((starter / "manifest.json").read_text(encoding="utf-8"))["sizes"]["t2s_width"]
    prefill, step = builds["t2s_prefill"], builds["t2s_step"]
    assert prefill.profile["phoneme_ids"][2] == (1, 512)
    assert prefill.profile["prompt_tokens"][0] == (1, 0)
    assert step.engine_inputs["cache_0"] == f"Float[-1,-1,{width}]"
    assert all(build.strongly_typed and not build.flags and build.opset == 17 for build in builds.values())
    assert all(build.scratch_mb and build.engine_mb and build.peak_memory_mb for build in builds.values())
    assert set(step.expected.values()) == {"int64 inputs are bound as int64"}


@real_builder
@pytest.mark.parametrize(
    ("family", "precision"),
    [
        ("v2", "fp16"),
        ("v2ProPlus", "fp32"),
        pytest.param("v2", "fp32", marks=pytest.mark.slow),  # as the starter is
        pytest.param("v2Pro", "fp32", marks=pytest.mark.slow),  # narrower than v2ProPlus
        pytest.param("v2Pro", "fp16", marks=pytest.mark.slow),
        pytest.param("v2ProPlus", "fp16", marks=pytest.mark.slow),
    ],
)
def test_every_family_is_built(converted: Callable[[str, str], ModelSet], family: str, precision: str) -> None:
    """Small sets of each family in both precisions; in float16 the cache stays float16 in the engine."""
    names = BUILT if family == "v2" else ("encoder", "flow", "wave")  # the others are the same in all families
    builds = built(converted(family, precision), names)
    if family == "v2":
        kind = "Half" if precision == "fp16" else "Float"
        assert builds["t2s_step"].engine_inputs["cache_0"].startswith(f"{kind}[-1,-1,")
        assert builds["t2s_step"].engine_inputs["token"] == "Int64[-1]"


@real_builder
def test_a_manifest_that_promises_too_many_positions_is_found(tmp_path: Path) -> None:
    """What the builder only warns about fails the check."""
    write_graphs(tmp_path)
    write_prefill_of(tmp_path / "t2s_prefill.onnx", text_positions=300)
    facts = manifest()
    facts["sizes"]["text_positions"] = 301
    write_manifest(tmp_path, facts)
    names = ("t2s_prefill", "wave")
    found = {build.graph: wrong for build, wrong in command.check_set(read_model_set(tmp_path), names)}
    assert any("kMAX" in fault for fault in found["t2s_prefill"])
    assert found["wave"] == []


@real_builder
def test_a_graph_that_the_parser_refuses_is_found(tmp_path: Path) -> None:
    """Node and operator are named, and so is what the older parser of a device would refuse."""
    write_graphs(tmp_path)
    node = onnx.helper.make_node("Det", ["latent"], ["audio"], name="odd")
    inputs = [onnx.helper.make_tensor_value_info("latent", onnx.TensorProto.FLOAT, [1, 8, "F"])]
    outputs = [onnx.helper.make_tensor_value_info("audio", onnx.TensorProto.FLOAT, None)]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "wave", inputs, outputs)), tmp_path / "wave.onnx")
    write_manifest(tmp_path, manifest())
    model = read_model_set(tmp_path)
    build = command.build_in_child(model, "wave")
    found = list(faults(build, model, asdict(model.sizes)))
    assert "odd (Det): it does not take this operator" in build.error
    assert "TensorRT 10.3 takes no Det" in found


@real_builder
def test_the_recorded_surface_is_the_module_s(real: Any) -> None:
    """The recorded API of the sibling has what the module has, and the module has all that the product uses."""
    for kind, facts in api()["rtx 1.7"]["classes"].items():
        for name in (*facts["methods"], *facts["properties"]):
            assert hasattr(getattr(real, kind), name), f"{kind}.{name}"
    for name, members in api()["rtx 1.7"]["enums"].items():
        kind = real
        for part in name.split("."):
            kind = getattr(kind, part)
        assert {member: int(value) for member, value in kind.__members__.items()} == members
    for kind, member, _ in uses():
        assert hasattr(getattr(real, kind), member), f"{kind}.{member}"


Ask = Callable[[Any, Any, Any, Path], Any]
"""(module, builder, configuration, graph) -> what the library answered."""


def _profile(trt: Any, builder: Any, config: Any, *, low: int = 1, best: int = 8, high: int = 16) -> int:
    profile = builder.create_optimization_profile()
    profile.set_shape("latent", (1, 8, low), (1, 8, best), (1, 8, high))
    return int(config.add_optimization_profile(profile))


def _build(trt: Any, builder: Any, config: Any, graph: Path) -> bool:
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, make_logger(trt, "parser"))
    assert parser.parse_from_file(str(graph))
    return builder.build_serialized_network(network, config) is not None


def unordered(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    return _profile(trt, builder, config, best=17)


def negative(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    with pytest.raises(RuntimeError) as refused:
        _profile(trt, builder, config, low=-1)
    return str(refused.value)


def from_nothing(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    return _profile(trt, builder, config, low=0)


def without_profile(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    return _build(trt, builder, config, graph)


def incomplete(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    profile = builder.create_optimization_profile()
    profile.set_shape("other", (1, 8, 1), (1, 8, 8), (1, 8, 16))
    return config.add_optimization_profile(profile), _build(trt, builder, config, graph)


def no_workspace(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, 0)
    return _profile(trt, builder, config), _build(trt, builder, config, graph)


def unknown_flag(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    return builder.create_network(1 << 9) is None


def damaged_timings(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    return config.set_timing_cache(config.create_timing_cache(b"garbage"), False)


def refused_operator(trt: Any, builder: Any, config: Any, graph: Path) -> Any:
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, make_logger(trt, "parser"))
    taken, error = parser.parse_from_file(str(graph.with_name("odd.onnx"))), parser.get_error(0)
    return taken, parser.num_errors, error.node_name(), error.node_operator(), error.desc()


QUESTIONS: tuple[Ask, ...] = (
    unordered,
    negative,
    from_nothing,
    without_profile,
    incomplete,
    no_workspace,
    unknown_flag,
    damaged_timings,
    refused_operator,
)


@real_builder
@pytest.mark.filterwarnings("ignore:.*Timing cache:DeprecationWarning")
@pytest.mark.parametrize("ask", QUESTIONS, ids=lambda ask: ask.__name__)
def test_the_fake_answers_as_the_real_one(
    ask: Ask, real: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Given the same, both refuse alike: by the same value, and with an error that says why, or without one."""
    graph = _one_input(tmp_path)
    answers = []
    for trt in (real, fake_tensorrt("rtx 1.7", None)):
        caplog.clear()
        logger = make_logger(trt, "asked")
        builder = trt.Builder(logger)
        with caplog.at_level(logging.INFO):
            answer = ask(trt, builder, builder.create_builder_config(), graph)
        levels = {record.levelname for record in caplog.records}
        answers.append((answer, "ERROR" in levels, bool(logger.no_gpu)))
    assert answers[0][:2] == answers[1][:2]


def _one_input(folder: Path) -> Path:
    """A wave whose only input is the latent, and beside it a graph of an operator that no parser takes."""
    node = onnx.helper.make_node("Relu", ["latent"], ["audio"], name="plain")
    inputs = [onnx.helper.make_tensor_value_info("latent", onnx.TensorProto.FLOAT, [1, 8, "F"])]
    outputs = [onnx.helper.make_tensor_value_info("audio", onnx.TensorProto.FLOAT, None)]
    opsets = [onnx.helper.make_opsetid("", 17)]
    for name, operator in (("wave", "Relu"), ("odd", "Det")):
        node.op_type, node.name = operator, name
        graph = onnx.helper.make_graph([node], name, inputs, outputs)
        onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / f"{name}.onnx")
    return folder / "wave.onnx"


@real_builder
@pytest.mark.filterwarnings("ignore:.*Timing cache:DeprecationWarning")
def test_the_product_builds_with_the_real_one_without_an_error_in_the_log(
    real: Any, graphs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Twice, the second time with the timings of the first, which a machine without a GPU cannot read: no ERROR."""
    for _ in range(2):
        assert len(build_plan(graphs / "flow.onnx", tmp_path / "flow.plan", real)) > 1000
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


GOOD = Build(
    graph="t2s_step",
    opset=17,
    operators={"Add": 1},
    inputs={
        "token": Port("INT64", (-1,)),
        "position": Port("INT64", (-1,)),
        "mask": Port("FLOAT", (-1, -1)),
        "cache_0": Port("HALF", (-1, -1, 32)),
    },
    outputs={"logits": Port("FLOAT", (-1, 1025)), "rows": Port("HALF", (1, -1, 32))},
    profile={},
    strongly_typed=True,
    engine_inputs={"cache_0": "Half[-1,1,32]"},
)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"opset": 21}, "opset 21"),
        ({"operators": {"RandomNormalLike": 1, "Det": 2}}, "takes no Det"),
        ({"strongly_typed": False}, "not strongly typed"),
        ({"flags": ["REFIT"]}, "REFIT are on"),
        ({"complaints": ["WARNING: odd"]}, "WARNING: odd"),
        ({"error": "refused"}, "refused"),
        ({"inputs": {**GOOD.inputs, "cache_0": Port("FLOAT", (-1, -1, 32))}}, "cache_0 is float32"),
        ({"inputs": {**GOOD.inputs, "cache_0": Port("HALF", (32, -1, -1))}}, "cache_0"),
        ({"engine_inputs": {"cache_0": "Half[-1,1,8:4]"}}, "as Half[-1,1,8:4]"),
    ],
)
def test_each_fault_is_named(change: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    """A warning, a flag, another type, a layout that is not dense: each is a fault in words; a good build has none."""
    model = replace(read_small(tmp_path), precision="fp16")
    found = list(faults(replace(GOOD, **change), model, asdict(model.sizes)))
    assert (found == []) if words is None else any(words in fault for fault in found)


def read_small(folder: Path) -> ModelSet:
    write_graphs(folder)
    write_manifest(folder, manifest())
    return read_model_set(folder)


def test_a_builder_that_dies_is_a_failed_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A child that ends without a record is named with its last words; the command goes on and ends with status 1."""
    read_small(tmp_path)
    monkeypatch.setattr(command, "CHILD", "edge_tts.no_such_module")
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr("sys.argv", ["check_engines", str(tmp_path), str(tmp_path / "nowhere")])
    assert command.main() == 1
    shown = capsys.readouterr()
    assert shown.out.count("No module named") == 5
    assert "nowhere" in shown.err


def test_without_the_wheel_the_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and status 1."""
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["check_engines", "models/starter"])
    assert command.main() == 1
    assert "tensorrt-check" in capsys.readouterr().err


def test_the_builder_is_nobody_s_dependency() -> None:
    """Only the extra asks for the proprietary wheel, and nothing in the package imports it."""
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert setup.count("tensorrt-rtx") == 1
    assert [path for path in (ROOT / "edge_tts").rglob("*.py") if "tensorrt_rtx" in path.read_text("utf-8")] == []


def test_a_set_that_lacks_a_graph_is_found(tmp_path: Path) -> None:
    """A set from which a graph is missing is faulty, BERT excepted, which is optional."""
    write_graphs(tmp_path)
    (tmp_path / "wave.onnx").unlink()
    write_manifest(tmp_path, manifest())
    ((build, found),) = command.check_set(read_model_set(tmp_path), ("wave", "bert"))
    assert build.graph == "wave"
    assert "no such graph" in found[0]
