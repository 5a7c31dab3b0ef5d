"""What float16 cannot hold is found by measuring, and stays float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_tts.convert.builder import Graph
from edge_tts.convert.layers import layer_norm, linear, reshape
from edge_tts.engine.load import load_engine
from tools.conversion.ranges import LIMIT, Ranges

FACTOR = 1e3 * np.eye(8, dtype=np.float32)


def loud(path: Path, *, half: bool = False, islands: frozenset[str] = frozenset(), exposed: bool = False) -> Graph:
    """x [1, 2, 8] times a million, then normalised: the values between are far beyond float16."""
    g = Graph("loud", half=half, islands=islands, exposed=exposed)
    x = linear(g, linear(g, g.input("x", [1, "n", 8]), FACTOR), FACTOR)
    x = layer_norm(g, reshape(g, x, 1, -1, 8), np.ones(8, np.float32), np.zeros(8, np.float32))
    g.output("y", g.op("Relu", x), [1, "n", 8])
    g.save(path)
    return g


def run(path: Path, x: np.ndarray) -> dict[str, np.ndarray]:
    engine = load_engine(path, threads=1)
    try:
        return engine.run({"x": x})
    finally:
        engine.close()


def test_islands_keep_a_loud_graph_finite(tmp_path: Path) -> None:
    """The nodes that give or take what float16 cannot hold become islands, and only with them is the result right."""
    x = np.random.default_rng(1).standard_normal((1, 2, 8)).astype(np.float32)
    ranges = Ranges(loud(tmp_path / "exposed.onnx", exposed=True).nodes)
    ranges.see({"x": x, **run(tmp_path / "exposed.onnx", x)})
    assert {"MatMul.1", "LayerNormalization"} <= ranges.islands
    assert not {"MatMul", "Relu"} & ranges.islands
    loud(tmp_path / "full.onnx")
    loud(tmp_path / "plain.onnx", half=True)
    loud(tmp_path / "careful.onnx", half=True, islands=ranges.islands)
    want, plain, careful = (run(tmp_path / f"{name}.onnx", x)["y"] for name in ("full", "plain", "careful"))
    assert not np.isfinite(plain).all()
    assert np.abs(careful - want).max() < 5e-3


def test_a_long_sum_is_an_island_though_its_mean_is_small(tmp_path: Path) -> None:
    """A mean over time whose sum float16 cannot hold is found by the sum, not by what comes out."""
    g = Graph("mean", exposed=True)
    g.output("y", g.op("ReduceMean", g.input("x", [1, "n"]), axes=[1], keepdims=1), [1, 1])
    g.save(tmp_path / "mean.onnx")
    for count, island in ((100, False), (20_000, True)):
        x = np.ones((1, count), np.float32)
        ranges = Ranges(g.nodes)
        ranges.see({"x": x, **run(tmp_path / "mean.onnx", x)})
        assert ("ReduceMean" in ranges.islands) is island


def test_a_value_that_is_not_finite_is_reported(tmp_path: Path) -> None:
    """NaN in a measured value makes its node an island; it never passes as small."""
    ranges = Ranges(loud(tmp_path / "exposed.onnx", exposed=True).nodes)
    ranges.see({"MatMul:0": np.array([np.nan], np.float32)})
    assert "MatMul" in ranges.islands
    ranges.see({"MatMul.1:0": np.array([LIMIT], np.float32)})
    assert "MatMul.1" in ranges.islands
    assert ranges.report["float32_islands"] == sorted(ranges.islands)
