"""Builds one graph as the daemon would, with the builder of TensorRT-RTX in place of the device's, and prints a record.

Run as `python -m tools.engine_check.child REQUEST.json`: a builder can hang, exhaust the memory or crash.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnx
import tensorrt_rtx_bindings as real

from edge_tts.engine.tensorrt.build import BuildRequest, build, read_request
from edge_tts.errors import ModelError
from tools.engine_check.record import Build, Port, Shape


class Listener(logging.Handler):
    """Hands what the builder says to the record; the label before it is the graph's name."""

    def __init__(self, record: Build) -> None:
        super().__init__(logging.DEBUG)
        self._record, self._label = record, f"{record.graph}: "

    def emit(self, record: logging.LogRecord) -> None:
        self._record.hear(record.levelname, record.getMessage().removeprefix(self._label))


class Witness(real.Builder):  # type: ignore[misc]  # the base comes from a module without types
    """The real builder, which remembers in `record` what was made with it."""

    record: Build

    def create_network(self, flags: int = 0) -> Any:
        self.network = super().create_network(flags)
        return self.network

    def create_optimization_profile(self) -> Any:
        self.profile = super().create_optimization_profile()
        return self.profile

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        record, flags = self.record, real.BuilderFlag.__members__.items()
        record.layers = network.num_layers
        record.strongly_typed = network.get_flag(real.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        record.flags = sorted(name for name, flag in flags if config.get_flag(flag))
        record.inputs = _ports(network.get_input(index) for index in range(network.num_inputs))
        record.outputs = _ports(network.get_output(index) for index in range(network.num_outputs))
        record.profile = {name: [_sizes(dims) for dims in self.profile.get_shape(name)] for name in record.inputs}
        return super().build_serialized_network(network, config)


def _ports(tensors: Any) -> dict[str, Port]:
    return {tensor.name: Port(tensor.dtype.name, _sizes(tensor.shape)) for tensor in tensors}


def _sizes(dims: Any) -> Shape:
    return tuple(int(size) for size in dims)


def check(request: BuildRequest) -> Build:
    """Build one graph; the record says why it failed, if it did."""
    record = Build(request.graph)
    logging.basicConfig(level=logging.DEBUG, handlers=[Listener(record)])
    model = onnx.load(request.onnx, load_external_data=False)
    record.opset = next((item.version for item in model.opset_import if not item.domain), 0)
    record.operators = dict(Counter(node.domain + node.op_type for node in model.graph.node))
    Witness.record = record
    began = time.monotonic()
    try:
        build(request, trt=SimpleNamespace(**{**vars(real), "Builder": Witness}), progress=lambda *step: None)
        record.engine_mb = Path(request.plan).stat().st_size / 1e6
    except (ModelError, OSError) as error:
        record.error = str(error)
    record.seconds = time.monotonic() - began
    record.peak_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return record


if __name__ == "__main__":
    print(json.dumps(asdict(check(read_request(Path(sys.argv[1]).read_text(encoding="utf-8"))))))
