"""ONNX Runtime behind the `Engine` contract; the only importer of onnxruntime."""

from __future__ import annotations

import base64
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts.engine.contract import Array, Buffer, TensorSpec
from edge_tts.errors import EngineError, ModelError
from edge_tts.graphs import T2S, T2S_STEP

# Before the import: from 1.29 on, Linux builds report the machine and what it runs to their maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

VERSION: str = onnxruntime.__version__

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int8)": np.int8,
    "tensor(bool)": np.bool_,
}
# onnxruntime raises these without a common base other than Exception.
_RUNTIME_ERRORS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
_DAMAGED = (ValueError, RuntimeError, MemoryError)
"""And these for damaged files: a name or a message that is no UTF-8, sizes that nothing can hold."""

_SPINNING, _SPIN_US = "session.intra_op.allow_spinning", "session.intra_op.spin_duration_us"
_SPIN = (T2S, T2S_STEP)
"""Graphs whose threads wait for the next node, and the next run, in a busy loop: a step's nodes take microseconds. In
the others much runs on one thread, and the loops of the rest cost a core, or a share of it, what they win elsewhere."""
_LONGEST_SPIN_US = "500"
"""Longer than the sampler takes between two steps. By default threads spin on for tens of milliseconds and take a core
from the vocoder, whose turn it is. A runtime that does not know the entry ignores it."""
CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
# y = relu(x w), x float32 [n, 4], w [4, 3] = 0/8 ... 11/8; ONNX opset 17.
_PROBE = base64.b64decode(
    "CAg6kQEKEQoBeAoBdxIBaCIGTWF0TXVsCgwKAWgSAXkiBFJlbHUSBXByb2JlKjsIBAgDEAFCAXdKMAAAAAAAAAA+AACAPgAAwD4AAAA/AAAg"
    "PwAAQD8AAGA/AACAPwAAkD8AAKA/AACwP1oUCgF4Eg8KDQgBEgkKAxIBbgoCCARiFAoBeRIPCg0IARIJCgMSAW4KAggDQgQKABAR"
)


def probe(provider: str) -> str:
    """Why an execution provider cannot be used here; empty when a tiny network ran on it with the right result.

    An available provider may lack its libraries or its device, or silently leave all nodes to the CPU.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if provider != CPU:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    rows = np.arange(-8, 8, dtype=np.float32).reshape(4, 4)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the provider is not there
            session = onnxruntime.InferenceSession(_PROBE, options, providers=_with_helpers(provider)[:1])
        result = session.run(None, {"x": rows})[0]
    except (*_RUNTIME_ERRORS, ValueError) as error:
        return f"{provider} does not run here: {str(error).strip().splitlines()[-1][:200]}"
    if session.get_providers()[0] != provider:
        return f"{provider} is not there; ONNX Runtime took {session.get_providers()[0]} instead"
    expected = np.maximum(rows @ (np.arange(12, dtype=np.float32).reshape(4, 3) / 8), 0)
    return "" if np.allclose(result, expected, atol=0.02) else f"{provider} gives wrong results"


class HostBuffer:
    """A numpy array as a `Buffer`."""

    def __init__(self, spec: TensorSpec, array: Array) -> None:
        self.spec = spec
        self.array = array

    def prefix(self, plane: int, length: int) -> HostBuffer:
        view = self.array[plane, :length]
        return HostBuffer(TensorSpec(f"{self.spec.name}[{plane}]", view.shape, self.spec.dtype), view)

    def write_at(self, rows: Buffer, *, time: int, row: int, source_row: int = 0, count: int | None = None) -> None:
        source = _array(rows)[..., source_row, :]
        source = source[:, None] if source.ndim == 2 else source[:, :count]
        self.array[:, time : time + source.shape[1], row] = source


class OrtEngine:
    """One ONNX graph. Feeds and results are in host memory, whichever provider computes."""

    def __init__(self, path: Path, *, threads: int = 0, provider: str = CPU) -> None:
        """`provider` has passed `probe`; nodes it does not support run on the CPU. Raises `ModelError`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Shapes change from run to run; a memory plan per shape would never be freed.
        options.enable_mem_pattern = False
        # An arena keeps the peak of its session; the system's allocator gives the memory to the next session.
        options.enable_cpu_mem_arena = False
        entry = (_SPIN_US, _LONGEST_SPIN_US) if path.stem in _SPIN else (_SPINNING, "0")
        options.add_session_config_entry(*entry)
        # On the processor there is nothing to fall back to, and the attempt is printed.
        again = {} if provider != CPU else {"enable_fallback": 0}
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=_with_helpers(provider), **again)
            self.inputs = {node.name: _spec(node) for node in session.get_inputs()}
            self.outputs = {node.name: _spec(node) for node in session.get_outputs()}
        except (*_RUNTIME_ERRORS, *_DAMAGED) as error:
            raise ModelError(f"{path}: not a graph that ONNX Runtime can load: {error}") from error
        self._path = path
        self._session: Any = session

    def empty(self, spec: TensorSpec) -> HostBuffer:
        shape = tuple(int(size) for size in spec.shape)
        return HostBuffer(spec, np.zeros(shape, spec.dtype))

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        if self._session is None:
            raise EngineError(f"{self._path}: the engine is closed")
        try:
            results = self._session.run(None, {name: _array(value) for name, value in feeds.items()})
        except (*_RUNTIME_ERRORS, ValueError) as error:  # ValueError: a feed is missing or misnamed
            raise EngineError(f"{self._path}: {error}") from error
        return dict(zip(self.outputs, results, strict=True))

    def run_keeping(self, feeds: Mapping[str, Array | Buffer], keep: str) -> tuple[dict[str, Array], HostBuffer]:
        results = self.run(feeds)
        kept = results.pop(keep)
        return results, HostBuffer(TensorSpec(keep, kept.shape, kept.dtype), kept)

    def bind(self, arrays: Mapping[str, Array]) -> Callable[[], None]:
        session = self._session
        binding = session.io_binding()
        values = {id(array): _shared(array) for array in arrays.values()}
        for name in self.inputs:
            binding.bind_ortvalue_input(name, values[id(arrays[name])])
        for name in self.outputs:
            binding.bind_ortvalue_output(name, values[id(arrays[name])])

        def run() -> None:
            try:
                session.run_with_iobinding(binding)
            except _RUNTIME_ERRORS as error:
                raise EngineError(f"{self._path}: {error}") from error

        return run

    def close(self) -> None:
        self._session = None


def _with_helpers(provider: str) -> list[str]:
    return {CPU: [CPU], TENSORRT: [TENSORRT, CUDA, CPU]}.get(provider, [provider, CPU])


def _shared(array: Array) -> Any:
    """An OrtValue over the memory of an array, which it keeps."""
    if not array.flags.c_contiguous:
        raise EngineError("only a C-contiguous array can be shared with ONNX Runtime")
    return onnxruntime.OrtValue.ortvalue_from_numpy(array)


def _array(value: Array | Buffer) -> Array:
    if isinstance(value, HostBuffer):
        return value.array
    if isinstance(value, np.ndarray):
        return value
    raise EngineError(f"a {type(value).__name__} belongs to another runtime than ONNX Runtime")


def _spec(node: Any) -> TensorSpec:
    if node.type not in _DTYPES:
        raise ModelError(f"{node.name}: unsupported element type {node.type}")
    shape = tuple(size if isinstance(size, int) else str(size) for size in node.shape)
    return TensorSpec(node.name, shape, np.dtype(_DTYPES[node.type]))
