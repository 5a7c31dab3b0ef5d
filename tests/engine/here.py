"""One fake device with a place for engines: loaders are opened on it as the daemon opens them on a Jetson."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from edge_tts.engine.load import Backends, BuildRules, EngineLoader, Execution
from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest
from edge_tts.engine.tensorrt.build import build as build_here
from edge_tts.engine.tensorrt.build_process import BuildCost, build_in_child
from edge_tts.engine.tensorrt.cuda import Cuda

from .fake_cudart import FakeCudart
from .fake_tensorrt import Faults, fake_tensorrt


class Here:
    """One device on which loaders are opened, with a builder that counts."""

    def __init__(self, folder: Path, graphs: Path) -> None:
        self.device = FakeCudart()
        self.faults = Faults()
        self.version = "10.3"
        self.in_child = False
        self.builds: list[str] = []
        self.plans = folder / "engines"
        self.graphs = folder / "set"
        shutil.copytree(graphs, self.graphs)
        self.wave, self.step = self.graphs / "wave.onnx", self.graphs / "t2s_step.onnx"
        self.prefill = self.graphs / "t2s_prefill.onnx"

    def loader(self, execution: Execution = "tensorrt", *, limit_s: float = 60.0, **options: Any) -> EngineLoader:
        def build(request: BuildRequest, **rest: Any) -> BuildCost:
            self.builds.append(request.graph)
            if self.in_child:
                return build_in_child(request, **rest)
            build_here(request, trt=fake_tensorrt(self.version, None), progress=rest["progress"])
            return BuildCost(seconds=1.0, peak_memory_mb=0.0)

        def opened() -> tuple[Any, Cuda]:
            return fake_tensorrt(self.version, self.device, self.faults), Cuda(self.device)

        rules = BuildRules(directory=self.plans, limit_s=limit_s, options=BuildOptions(**options))
        return EngineLoader(
            execution=execution, threads=1, rules=rules, backends=Backends(open_device=opened, build=build)
        )
