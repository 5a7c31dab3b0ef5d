"""ONNX file -> serialized TensorRT engine, in a process of its own.

Run as `python -m edge_tts.engine.tensorrt.build REQUEST.json`, since a builder can hang, exhaust the memory or crash.
Writes progress and errors as JSON lines.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_tts.durable.atomic import write_atomic
from edge_tts.engine.tensorrt.messages import make_logger
from edge_tts.engine.tensorrt.profiles import shape_ranges
from edge_tts.engine.tensorrt.trt_engine import load_tensorrt
from edge_tts.errors import ModelError
from edge_tts.graphs import SequenceLimits
from edge_tts.limited_process import end_with_parent


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What an engine is built for; part of its cache key."""

    batch: int = 1
    """Rows of the decode step, at most."""
    workspace_mb: int = 2048
    """Scratch memory of a kernel under trial, at most."""
    optimization_level: int = 3
    """0 to 5."""
    limits: SequenceLimits = field(default_factory=SequenceLimits)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One engine to build. It is sent as JSON, hence paths as text."""

    graph: str
    onnx: str
    plan: str
    timing_cache: str
    """Kernel timings, reused from build to build."""
    options: BuildOptions


Progress = Callable[[str, int, int], None]
"""Phase, step done, steps in all."""


def build(request: BuildRequest, *, trt: Any, progress: Progress) -> None:
    """Build and write one engine. Raises `ModelError` with TensorRT's message."""
    logger = make_logger(trt, request.graph)
    try:
        builder = trt.Builder(logger)
    except TypeError as error:  # the binding's word for a library that returned nothing
        raise ModelError(f"{request.onnx}: TensorRT makes no builder: {logger.reason()}") from error
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    if network is None:
        raise ModelError(f"{request.onnx}: TensorRT makes no strongly typed network: {logger.reason()}")
    _parse(request, network, trt=trt, logger=logger)
    config = _configure(request, builder, trt=trt, progress=progress)
    _add_profile(request, network, builder, config, logger)
    timings = Path(request.timing_cache)
    _use_timings(config, timings)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise ModelError(f"{request.onnx}: TensorRT could not build an engine: {logger.reason()}")
    if logger.promises:  # TensorRT goes on; the engine would fail at these shapes
        reason = f"the profile promises shapes that the network cannot take: {logger.promises[0]}"
        raise ModelError(f"{request.onnx}: {reason}; the manifest's positions must be those of the graphs")
    write_atomic(Path(request.plan), plan)
    write_atomic(timings, config.get_timing_cache().serialize())


def _add_profile(request: BuildRequest, network: Any, builder: Any, config: Any, logger: Any) -> None:
    """The one profile of an engine: what the set's limits allow."""
    profile = builder.create_optimization_profile()
    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    inputs = {tensor.name: tuple(tensor.shape) for tensor in tensors}
    options = request.options
    for name, shapes in shape_ranges(request.graph, inputs, limits=options.limits, batch=options.batch).items():
        profile.set_shape(name, shapes.min, shapes.opt, shapes.max)
    if config.add_optimization_profile(profile) < 0:
        raise ModelError(f"{request.onnx}: TensorRT refuses the profile: {logger.reason()}")


def _parse(request: BuildRequest, network: Any, *, trt: Any, logger: Any) -> None:
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(request.onnx):  # by path, so that external weights are found
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        reason = "; ".join(f"{error.node_name()} ({error.node_operator()}): {_said(error)}" for error in errors[:3])
        raise ModelError(f"{request.onnx}: TensorRT's parser refuses the graph: {reason}")


def _said(error: Any) -> str:
    """The parser's own check of an operator says no more than `false`."""
    text: str = error.desc()
    return "it does not take this operator" if text == "false" else text


def _configure(request: BuildRequest, builder: Any, *, trt: Any, progress: Progress) -> Any:
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.options.workspace_mb << 20)
    config.builder_optimization_level = request.options.optimization_level
    config.max_aux_streams = 0  # one stream: less memory, and a capture records all work
    config.clear_flag(trt.BuilderFlag.TF32)  # float32 stays float32; the file says what may be float16
    config.progress_monitor = _monitor(trt, progress)
    return config


def _use_timings(config: Any, path: Path) -> None:
    """Start from the timings in `path`; a damaged file is ignored."""
    stored = path.read_bytes() if path.is_file() else b""
    cache = config.create_timing_cache(stored)
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b""), False)


def _monitor(trt: Any, progress: Progress) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]  # the base comes from a module without types
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress(phase_name, step + 1, self._steps.get(phase_name, 0))
            return True

        def phase_finish(self, phase_name: str) -> None:
            self._steps.pop(phase_name, None)

    return Monitor()


def main(arguments: list[str]) -> int:
    end_with_parent()
    request = read_request(Path(arguments[0]).read_text(encoding="utf-8"))

    def report(**message: Any) -> None:
        print(json.dumps(message), flush=True)

    try:
        build(request, trt=load_tensorrt(), progress=lambda phase, step, of: report(phase=phase, step=step, of=of))
    except (ModelError, OSError) as error:
        report(error=str(error))
        return 1
    return 0


def request_json(request: BuildRequest) -> str:
    return json.dumps(asdict(request))


def read_request(text: str) -> BuildRequest:
    values = json.loads(text)
    options = values.pop("options")
    limits = SequenceLimits(**options.pop("limits"))
    return BuildRequest(options=BuildOptions(limits=limits, **options), **values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
