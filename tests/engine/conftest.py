"""Fixtures of the engine tests: graphs written once, a fake device, engines built and opened on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest, build
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.trt_engine import TrtEngine

from .fake_cudart import FakeCudart
from .fake_tensorrt import Faults, fake_tensorrt
from .small_set import write_graphs


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five speaking graphs in float32."""
    return write_graphs(tmp_path_factory.mktemp("graphs"))


@pytest.fixture(scope="session")
def half_graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The five speaking graphs in float16, with a float16 cache."""
    return write_graphs(tmp_path_factory.mktemp("half"), half=True)


@pytest.fixture
def device() -> FakeCudart:
    """A fake CUDA device of 1 GiB."""
    return FakeCudart()


Bench = Callable[..., TrtEngine]


def build_plan(path: Path, plan: Path, trt: Any, **options: Any) -> bytes:
    """Build an engine with a (fake) TensorRT in this process."""
    request = BuildRequest(
        graph=path.stem,
        onnx=str(path),
        plan=str(plan),
        timing_cache=str(plan.with_name("timings")),
        options=BuildOptions(**options),
    )
    build(request, trt=trt, progress=lambda phase, step, of: None)
    return plan.read_bytes()


@pytest.fixture
def open_engine(tmp_path: Path, device: FakeCudart) -> Bench:
    """Build a graph and open it on the fake device: `open_engine(path, cuda, version=..., faults=..., graphs=...)`."""

    def opened(
        path: Path,
        cuda: Cuda,
        *,
        version: str = "10.3",
        faults: Faults | None = None,
        graphs: bool = False,
        batch: int = 1,
    ) -> TrtEngine:
        trt = fake_tensorrt(version, device, faults)
        plan = build_plan(path, tmp_path / f"{path.stem}.plan", trt, batch=batch)
        return TrtEngine(plan, trt=trt, cuda=cuda, path=path, graphs=graphs)

    return opened
