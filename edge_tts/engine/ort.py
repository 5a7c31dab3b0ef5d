"""ONNX Runtime behind the `Engine` contract. The only home of onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from ..errors import EngineError, ModelError
from . import Array, Buffer, TensorSpec

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
# onnxruntime raises these without a common base other than Exception.
_RUNTIME_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)


class HostBuffer:
    """A numpy array as a `Buffer`: on the CPU provider, host memory is where the network computes."""

    def __init__(self, spec: TensorSpec, array: Array) -> None:
        self.spec = spec
        self.array = array

    def read(self) -> Array:
        return self.array.copy()

    def write(self, array: Array) -> None:
        self.array[...] = array

    def prefix(self, plane: int, length: int) -> HostBuffer:
        view = self.array[plane, :length]
        return HostBuffer(TensorSpec(f"{self.spec.name}[{plane}]", view.shape, self.spec.dtype), view)

    def write_at(self, rows: Buffer, *, time: int, row: int, source_row: int = 0) -> None:
        source = _array(rows)[..., source_row, :]
        count = 1 if source.ndim == 2 else source.shape[1]
        self.array[:, time : time + count, row] = source.reshape(source.shape[0], count, -1)


class OrtEngine:
    """One ONNX graph in one CPU session."""

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Shapes change from run to run; a memory plan per shape would be kept for ever.
        options.enable_mem_pattern = False
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except _RUNTIME_ERRORS as error:
            raise ModelError(f"{path}: not a graph that ONNX Runtime can load: {error}") from error
        self._path = path
        self._session: Any = session
        self._inputs = {node.name: _spec(node) for node in session.get_inputs()}
        self._outputs = {node.name: _spec(node) for node in session.get_outputs()}

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        return self._outputs

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
        return dict(zip(self._outputs, results, strict=True))

    def run_keeping(self, feeds: Mapping[str, Array | Buffer], keep: str) -> tuple[dict[str, Array], HostBuffer]:
        results = self.run(feeds)
        kept = results.pop(keep)
        return results, HostBuffer(TensorSpec(keep, kept.shape, kept.dtype), kept)

    def close(self) -> None:
        self._session = None


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
