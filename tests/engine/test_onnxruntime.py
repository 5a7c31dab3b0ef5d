"""ONNX Runtime's providers count only when a network really ran on them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_tts.convert.builder import Graph, read_graph
from edge_tts.convert.layers import linear
from edge_tts.engine.load import Backends, EngineLoader
from edge_tts.engine.onnxruntime import CPU, CUDA, TENSORRT, OrtEngine, probe
from edge_tts.errors import ModelError

ROOT = Path(__file__).resolve().parent.parent.parent


def test_telemetry_is_off(tmp_path: Path) -> None:
    """ONNX Runtime's own telemetry is off, whatever the environment asks for: it keeps no identifier of the machine and
    no reports. Left alone, versions from 1.29 on write both into the home of the importing user."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    command = "from edge_tts.engine.onnxruntime import CPU, probe; assert probe(CPU) == ''"
    subprocess.run([sys.executable, "-c", command], cwd=ROOT, env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_the_cpu_provider_passes_its_probe() -> None:
    """The probe network runs and gives what numpy gives."""
    assert probe(CPU) == ""


@pytest.mark.parametrize("provider", [CUDA, TENSORRT, "NoSuchExecutionProvider"])
def test_an_absent_provider_is_refused(provider: str) -> None:
    """ONNX Runtime would quietly take the CPU instead; the probe says that it did not run."""
    if provider in onnxruntime.get_available_providers():
        pytest.skip("this machine has it")
    assert provider in probe(provider)


def test_being_listed_is_not_enough() -> None:
    """A provider that is listed but leaves every node to the CPU is refused."""
    listed = [name for name in onnxruntime.get_available_providers() if name.startswith("Azure")]
    if not listed:
        pytest.skip("this build lists no such provider")
    assert listed[0] in probe(listed[0])


@pytest.mark.parametrize(
    ("execution", "works", "runs_on"),
    [
        ("auto", CUDA, CUDA),
        ("cuda", CUDA, CUDA),
        ("tensorrt", TENSORRT, TENSORRT),
        ("cpu", CUDA, CPU),
        ("cuda", "", CPU),
    ],
)
def test_the_first_provider_that_works_is_used(execution: str, works: str, runs_on: str, graphs: Path) -> None:
    """The loader uses a provider that passed its probe; a fallback has a reason. (Here the CPU stands in.)"""
    backends = Backends(probe=lambda name: "" if name == works else f"{name}: absent")
    loader = EngineLoader(execution=execution, backends=backends)
    with loader, pytest.warns(UserWarning, match="not in available") if runs_on != CPU else _nothing():
        loader.load(graphs / "wave.onnx").close()
    (choice,) = loader.choices
    assert choice.runs_on == runs_on
    assert bool(choice.reason) == ((execution == "cuda" and not works) or execution == "tensorrt")


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_only_a_steps_threads_wait_in_a_busy_loop_and_not_for_long(graphs: Path) -> None:
    """The vocoder's leave the cores to others between nodes; a step's nodes are too short for threads that sleep, but
    after the last one they would take a core from the vocoder for tens of milliseconds."""
    allowed, longest_us = "session.intra_op.allow_spinning", "session.intra_op.spin_duration_us"
    for name, entry in (("t2s_step", (longest_us, "500")), *((name, (allowed, "0")) for name in ("wave", "flow"))):
        engine = OrtEngine(graphs / f"{name}.onnx", threads=2)
        options = engine._session.get_session_options()
        assert options.get_session_config_entry(entry[0]) == entry[1]
        engine.close()


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    """Garbage in place of a graph is a `ModelError` with its path."""
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\x00garbage")
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        OrtEngine(bad)


@pytest.fixture(scope="module")
def small_graph(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    g = Graph("small")
    x = linear(g, g.input("x", ["n", 2]), np.eye(2, dtype=np.float32), np.ones(2, np.float32))
    g.output("y", x, ["n", 2])
    g.save(path)
    return path.read_bytes()


def load_or_refuse(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    with suppress(ModelError):
        OrtEngine(path).close()
    with suppress(ModelError):
        read_graph(path)


def test_a_wrong_byte_anywhere_is_a_model_error(
    small_graph: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A graph with one byte that is no UTF-8, at any place, loads or is refused by name, and nothing is printed."""
    for place in range(len(small_graph)):
        load_or_refuse(small_graph[:place] + b"\xe4" + small_graph[place + 1 :], tmp_path / "g.onnx")
    assert capfd.readouterr().out == ""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 1 << 12), st.binary(max_size=4)), min_size=1, max_size=5))
def test_a_mutated_graph_is_a_model_error(edits: list[tuple[int, bytes]], small_graph: bytes, tmp_path: Path) -> None:
    """A graph with pieces put in at any places loads or is refused by name."""
    for position, piece in edits:
        place = position % len(small_graph)
        small_graph = small_graph[:place] + piece + small_graph[place + 1 :]
    load_or_refuse(small_graph, tmp_path / "g.onnx")
