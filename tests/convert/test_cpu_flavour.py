"""What the flavour for processors is made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_tts.convert.blocked import can_be_blocked
from edge_tts.convert.builder import read_graph
from edge_tts.convert.cpu_flavour import write_cpu_flavour
from edge_tts.convert.int8_weights import Int8Graph
from edge_tts.convert.model_set import Options, Sources, convert
from edge_tts.engine.load import load_engine
from edge_tts.errors import ModelError
from edge_tts.graphs import CPU_CONTRACTS, T2S, check
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from tests.engine.small_set import write_graphs

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graphs of a small set."""
    return write_graphs(tmp_path_factory.mktemp("set"))


def test_the_gpt_is_one_graph_with_one_set_of_weights(plain: Path, tmp_path: Path) -> None:
    """It keeps the contract, and its weights are less than a tenth larger than those of the plain step."""
    write_cpu_flavour(plain, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"t2s.onnx", "t2s.onnx.data", "flow.onnx", "wave.onnx"}
    sizes = check(T2S, load_engine(tmp_path / "t2s.onnx", threads=1), "v2", {}, half=False)
    assert sizes["planes"] == 4
    assert list(CPU_CONTRACTS) == [T2S]


def test_every_convolution_of_the_generator_has_two_axes(plain: Path, tmp_path: Path) -> None:
    """So that the runtime blocks it; the plain graph stays 1-D."""
    write_cpu_flavour(plain, tmp_path)
    for folder, rank in ((plain, 3), (tmp_path, 4)):
        model = onnx.load(folder / "wave.onnx").graph
        weights = {tensor.name: len(tensor.dims) for tensor in model.initializer}
        ranks = {weights[node.input[1]] for node in model.node if "Conv" in node.op_type}
        assert ranks == {rank}


def test_a_graph_that_counts_axes_from_the_end_stays_plain(tmp_path: Path) -> None:
    """The starter's wave transposes and pads: only its GPT has a second flavour, with weights in full."""
    assert not can_be_blocked(read_graph(STARTER / "wave.onnx"))
    write_cpu_flavour(STARTER, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"t2s.onnx", "t2s.onnx.data"}


def test_a_gpt_of_another_make_is_named(plain: Path, tmp_path: Path) -> None:
    """A step that tools/convert did not write, and a file that is none, are errors that name it."""
    source = tmp_path / "set"
    shutil.copytree(plain, source)
    shutil.copyfile(source / "wave.onnx", source / "t2s_step.onnx")
    with pytest.raises(ModelError, match="not a graph that tools/convert writes"):
        write_cpu_flavour(source, tmp_path)
    (source / "t2s_step.onnx").write_bytes(b"\xff" * 99)
    with pytest.raises(ModelError, match=r"t2s_step.onnx: not a readable ONNX graph"):
        write_cpu_flavour(source, tmp_path)


@pytest.mark.parametrize("name", ["wave", "t2s_step"])
def test_a_damaged_graph_is_named(name: str, plain: Path, tmp_path: Path) -> None:
    """A graph whose nodes read what is not there is one error that names the set."""
    source = tmp_path / "set"
    shutil.copytree(plain, source)
    model = onnx.load(source / f"{name}.onnx")
    for node in model.graph.node:
        if node.op_type in ("Conv", "MatMul"):
            node.input[1] = "nowhere"
    onnx.save(model, source / f"{name}.onnx")
    with pytest.raises(ModelError, match="not a graph that tools/convert writes"):
        write_cpu_flavour(source, tmp_path)


def test_a_converted_set_can_bring_it(v2: Sources, tmp_path: Path) -> None:
    """`--flavour cpu` adds the folder `cpu`, and the manifest says so and has its checksums."""
    convert(v2, tmp_path / "mine", Options(name="mine", fused=True))
    model = read_model_set(tmp_path / "mine")
    verify_model_set(model)
    assert model.flavours == ("plain", "cpu")
    assert {"cpu/t2s.onnx", "cpu/t2s.onnx.data", "cpu/wave.onnx", "t2s_step.onnx"} <= set(model.files)


def test_weights_in_8_bits_are_near(tmp_path: Path) -> None:
    """A product with them is within 1.5 % of the exact one; weights whose inputs are no blocks stay exact."""
    random = np.random.default_rng(2)
    feed = random.standard_normal((3, 128)).astype(np.float32)
    for wide, kind in ((128, "MatMulNBits"), (100, "MatMul")):
        weight = random.standard_normal((wide, 64)).astype(np.float32)
        graph = Int8Graph("g")
        graph.output("y", graph.op("MatMul", graph.input("x", ["n", wide]), graph.constant(weight)), ["n", 64])
        graph.save(tmp_path / "g.onnx")
        assert [node.kind for node in read_graph(tmp_path / "g.onnx").nodes] == [kind, "Identity"]
        expected = feed[:, :wide] @ weight
        found = load_engine(tmp_path / "g.onnx", threads=1).run({"x": feed[:, :wide]})["y"]
        assert np.linalg.norm(found - expected) < 0.015 * np.linalg.norm(expected)
