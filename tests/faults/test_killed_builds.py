"""The builder of engines dies at any moment: a real process and its child, on a fake TensorRT."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import astuple
from pathlib import Path

import pytest

from edge_tts.engine.tensorrt.build import BuildOptions
from edge_tts.engine.tensorrt.machine import Machine
from edge_tts.engine.tensorrt.plan_cache import PlanCache, read_plan
from tests.engine.small_set import write_graphs

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
MACHINE = Machine(tensorrt="10.3", cuda="12.6", capability="8.7", l4t="36.4.3", device="here")
BUILD = """
import sys
from dataclasses import astuple
from pathlib import Path
from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest
from edge_tts.engine.tensorrt.build_process import build_in_child
from edge_tts.engine.tensorrt.machine import Machine
from edge_tts.engine.tensorrt.plan_cache import PlanCache

onnx, folder, options = Path(sys.argv[1]), Path(sys.argv[2]), BuildOptions()
cache = PlanCache(directory=folder, machine=Machine(*sys.argv[3:]))
plan, _ = cache.place(onnx, options)
request = BuildRequest(onnx.stem, str(onnx), str(plan), str(folder / "timings"), options)
print("begun", flush=True)
build_in_child(request, limit_s=60, progress=lambda *step: None, waiting=lambda: None)
cache.add(onnx, options, build_s=1.0, peak_memory_mb=1.0)
"""


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_a_build_that_is_killed_leaves_no_engine_or_a_whole_one(tmp_path: Path, kills: int) -> None:
    """Killed several times at any moment, the cache never offers part of an engine; the next build is whole."""
    (tmp_path / "graphs").mkdir()
    onnx, draw = write_graphs(tmp_path / "graphs") / "wave.onnx", random.Random(5)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "engine" / "child"), str(ROOT)])}

    def build(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BUILD, str(onnx), str(folder), *astuple(MACHINE)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    def offered(folder: Path) -> bytes | None:
        stored = PlanCache(directory=folder, machine=MACHINE).find(onnx, BuildOptions())
        return None if stored is None else read_plan(stored)

    began = time.monotonic()
    with build(tmp_path / "whole") as builder:
        assert builder.wait() == 0
    took_s, whole = time.monotonic() - began, offered(tmp_path / "whole")
    assert whole
    for _ in range(kills):
        with build(tmp_path / "killed") as builder:
            assert builder.stdout is not None
            builder.stdout.readline()
            time.sleep(draw.uniform(0.0, took_s))
            builder.kill()
        assert offered(tmp_path / "killed") in (None, whole)
    with build(tmp_path / "killed") as builder:
        assert builder.wait() == 0
    assert offered(tmp_path / "killed") == whole
