"""Graphs keep their types, names and weights straight, in both precisions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge_tts.convert import builder
from edge_tts.convert import weight_spool as spool
from edge_tts.convert.builder import Graph
from edge_tts.convert.layers import ints, layer_norm, linear, size
from edge_tts.engine.load import load_engine
from edge_tts.errors import ModelError

WEIGHT = np.random.default_rng(1).standard_normal((16, 8)).astype(np.float32)


def two_layers(*, factor: float = 1.0, **how: Any) -> Graph:
    """x [n, 8] -> y [n, 16]: a product with bias, then a norm."""
    g = Graph("small", **how)
    x = g.input("x", ["n", 8])
    with g.scope("first"):
        x = linear(g, x, factor * WEIGHT, np.ones(16, np.float32))
    x = layer_norm(g, x, np.ones(16, np.float32), np.zeros(16, np.float32))
    g.output("y", x, ["n", 16])
    return g


def save(g: Graph, path: Path) -> onnx.ModelProto:
    g.save(path)
    onnx.checker.check_model(str(path), full_check=True)
    return onnx.load(str(path))


def run(path: Path, x: np.ndarray) -> np.ndarray:
    engine = load_engine(path, threads=1)
    try:
        return engine.run({"x": x})["y"]
    finally:
        engine.close()


def expected(x: np.ndarray) -> np.ndarray:
    y = x @ WEIGHT.T + 1
    return (y - y.mean(axis=1, keepdims=True)) / np.sqrt(y.var(axis=1, keepdims=True) + 1e-5)


def test_a_graph_computes_what_was_written(tmp_path: Path) -> None:
    """The written file, loaded by the product's engine, agrees with numpy."""
    x = np.random.default_rng(2).standard_normal((3, 8)).astype(np.float32)
    save(two_layers(), tmp_path / "g.onnx")
    assert np.abs(run(tmp_path / "g.onnx", x) - expected(x)).max() < 1e-5


def test_a_branch_runs_one_of_its_sides(tmp_path: Path) -> None:
    """Where the condition holds what was written in it, else the other values; both see what is outside."""
    g = Graph("branch")
    x = g.input("x", ["n", 8])
    many = g.op("Greater", size(g, x, 0), ints(g, 2), dtype="bool")
    doubled, kept = g.branch(many, lambda: [g.op("Add", x, x), x], [x, g.constant(np.zeros((0, 8), np.float32))])
    g.output("y", doubled, ["m", 8])
    g.output("z", kept, ["k", 8])
    save(g, tmp_path / "g.onnx")
    engine = load_engine(tmp_path / "g.onnx", threads=1)
    for count, factor, left in ((2, 1, 0), (3, 2, 3)):
        found = engine.run({"x": np.full((count, 8), 1.5, np.float32)})
        np.testing.assert_array_equal(found["y"], np.full((count, 8), 1.5 * factor, np.float32))
        assert found["z"].shape == (left, 8)
    engine.close()


def test_half_keeps_its_borders_and_names(tmp_path: Path) -> None:
    """A float16 graph takes and gives float32, computes in float16, and its nodes are called as in float32."""
    x = np.random.default_rng(2).standard_normal((3, 8)).astype(np.float32)
    full = save(two_layers(), tmp_path / "full.onnx")
    half = save(two_layers(half=True), tmp_path / "half.onnx")
    assert {t.data_type for t in half.graph.initializer} == {onnx.TensorProto.FLOAT16}
    names = {node.name for node in full.graph.node}
    assert names - {"out/y"} <= {node.name for node in half.graph.node}
    assert np.abs(run(tmp_path / "half.onnx", x) - expected(x)).max() < 2e-2


def test_an_island_stays_float32_between_casts(tmp_path: Path) -> None:
    """A node named as an island keeps float32 weights and values; its neighbours do not."""
    model = save(two_layers(half=True, islands=frozenset({"first/MatMul"})), tmp_path / "g.onnx")
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    product = next(node for node in model.graph.node if node.name == "first/MatMul")
    assert types[product.input[1]] == onnx.TensorProto.FLOAT
    assert types["first/bias"] == onnx.TensorProto.FLOAT16
    casts = [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] == product.output[0]]
    assert len(casts) == 1


def test_an_exact_scope_stays_float32(tmp_path: Path) -> None:
    """What is written inside an exact scope computes in float32 in a float16 graph, and only that."""
    g = Graph("exact", half=True)
    x = linear(g, g.input("x", ["n", 8]), WEIGHT)
    with g.scope("decision", exact=True):
        x = linear(g, x, WEIGHT.T)
    g.output("y", linear(g, x, WEIGHT), ["n", 16])
    model = save(g, tmp_path / "g.onnx")
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert types["decision/weight.float32"] == onnx.TensorProto.FLOAT
    assert types["weight"] == types["weight.1"] == onnx.TensorProto.FLOAT16


def test_a_weight_beyond_float16_is_refused(tmp_path: Path) -> None:
    """A weight that would become infinite is an error that names it, not a silent infinity."""
    with pytest.raises(ModelError, match="first/weight"):
        two_layers(half=True, factor=1e6)


def test_large_weights_go_beside_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit the weights lie in a second file, and the graph still runs and is small."""
    monkeypatch.setattr(builder, "EXTERNAL_ABOVE_BYTES", 100)
    x = np.random.default_rng(2).standard_normal((3, 8)).astype(np.float32)
    monkeypatch.setattr(spool, "_LARGE_BYTES", 100)
    two_layers(spool=tmp_path / ".weights").save(tmp_path / "g.onnx")
    assert (tmp_path / "g.onnx.data").stat().st_size >= WEIGHT.nbytes
    assert np.abs(run(tmp_path / "g.onnx", x) - expected(x)).max() < 1e-5
    assert sorted(os.listdir(tmp_path)) == ["g.onnx", "g.onnx.data"]


def test_spooled_weights_return_into_a_small_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that waited in the spool are in the graph file in the end, and the spool is gone."""
    monkeypatch.setattr(spool, "_LARGE_BYTES", 100)
    x = np.random.default_rng(2).standard_normal((3, 8)).astype(np.float32)
    two_layers(spool=tmp_path / ".weights").save(tmp_path / "g.onnx")
    assert np.abs(run(tmp_path / "g.onnx", x) - expected(x)).max() < 1e-5
    assert os.listdir(tmp_path) == ["g.onnx"]


def test_equal_small_constants_are_written_once() -> None:
    """The axes, bounds and scalars that layers share do not multiply."""
    g = Graph("g")
    assert g.constant(np.array([1, 2])) is g.constant(np.array([1, 2]))
    assert g.constant(np.array([1, 2])) is not g.constant(np.array([1.0, 2.0]))
