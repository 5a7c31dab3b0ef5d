"""The text of Triton's config.pbtxt; its fields are those of `ModelConfig` in Triton's model_config.proto."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_tts.convert.builder import StoredPort

_TYPES = {"float32": "TYPE_FP32", "float16": "TYPE_FP16", "int64": "TYPE_INT64", "int32": "TYPE_INT32"}


@dataclass(frozen=True, slots=True)
class ServedGraph:
    """How one graph is served."""

    name: str
    backend: str
    """`onnxruntime`, `tensorrt`, or `python` (network_model.py)."""
    file: str
    inputs: Sequence[StoredPort]
    outputs: Sequence[StoredPort]
    rows: int
    """The most requests in one run; 0: one at a time, their first axis of 1 included."""
    delay_us: int


def graph_config(graph: ServedGraph) -> str:
    """config.pbtxt of a network."""
    batching = f"dynamic_batching {{ max_queue_delay_microseconds: {graph.delay_us} }}\n" if graph.rows else ""
    return (
        f"name: {_text(graph.name)}\nbackend: {_text(graph.backend)}\nmax_batch_size: {graph.rows}\n"
        f"default_model_filename: {_text('model.py' if graph.backend == 'python' else graph.file)}\n"
        + "".join(_port("input", port, batched=graph.rows > 0) for port in graph.inputs)
        + "".join(_port("output", port, batched=graph.rows > 0) for port in graph.outputs)
        + batching
    )


def speech_config(name: str, *, instances: int, parameters: Mapping[str, str]) -> str:
    """config.pbtxt of the model that speaks: a request in, chunks of sound out."""
    return (
        f'name: {_text(name)}\nbackend: "python"\nmax_batch_size: 0\n'
        "model_transaction_policy { decoupled: true }\n"
        'input { name: "request" data_type: TYPE_STRING dims: [ 1 ] }\n'
        'output { name: "samples" data_type: TYPE_FP32 dims: [ -1 ] }\n'
        'output { name: "sample_rate" data_type: TYPE_INT32 dims: [ 1 ] }\n'
        f"instance_group {{ count: {instances} kind: KIND_CPU }}\n"
        + "".join(
            f"parameters {{ key: {_text(key)} value {{ string_value: {_text(value)} }} }}\n"
            for key, value in parameters.items()
        )
    )


def _port(side: str, port: StoredPort, *, batched: bool) -> str:
    sizes = port.shape[1:] if batched else port.shape
    dims = ", ".join(str(-1 if isinstance(size, str) else size) for size in sizes)
    return f"{side} {{ name: {_text(port.name)} data_type: {_TYPES[port.dtype]} dims: [ {dims} ] }}\n"


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
