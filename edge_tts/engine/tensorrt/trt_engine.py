"""TensorRT behind the `Engine` contract, in the API that 10.3, 10.16 and 11.4 share; the only importer of tensorrt.

Feeds from the host go through page-locked memory; outputs have device memory of their largest size.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edge_tts.engine.contract import Array, Buffer, TensorSpec
from edge_tts.engine.tensorrt.context import BoundContext, Replay
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.device_buffer import DeviceBuffer, HostArea
from edge_tts.engine.tensorrt.messages import make_logger
from edge_tts.engine.tensorrt.profiles import Shape, ShapeRange
from edge_tts.errors import DeviceLostError, EngineError, ModelError

log = logging.getLogger(__name__)

_DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT64": np.int64, "INT32": np.int32, "BOOL": np.bool_}
_SCRATCH = "scratch of all contexts"  # not a name of a tensor
_MAX_GRAPHS = 64  # captured graphs per engine; a batch size has half as many buckets

Key = tuple[Any, ...]


def load_tensorrt() -> Any:
    """The system's Python module. Raises `ModelError` without one."""
    try:
        import tensorrt
    except ImportError as error:
        raise ModelError(
            f"TensorRT's Python module cannot be imported ({error}); on a Jetson install python3-libnvinfer and make "
            "the virtual environment with --system-site-packages"
        ) from error
    return tensorrt


class _Work(NamedTuple):
    """The tensors of one run."""

    binding: dict[str, tuple[Shape, int]]
    uploads: list[str]
    downloads: list[str]


class TrtEngine:
    """One deserialized engine on the stream of a `Cuda`, which the caller closes."""

    def __init__(self, plan: bytes, *, trt: Any, cuda: Cuda, path: Path, graphs: bool = False) -> None:
        """`graphs` captures each combination of shapes and addresses once and replays it from then on.

        Raises `ModelError` when the plan is damaged or was built by another version or for another device.
        """
        self._path, self._trt, self._cuda = path, trt, cuda
        self._logger = make_logger(trt, path.name)
        try:
            runtime = trt.Runtime(self._logger)
        except TypeError as error:  # the binding's word for a library that returned nothing
            raise ModelError(f"{path}: TensorRT makes no runtime: {self._logger.reason()}") from error
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise ModelError(f"{path}: TensorRT refuses this engine, build it again: {self._logger.reason()}")
        self._runtime, self._engine = runtime, engine
        self.inputs, self.outputs, self.ranges = _describe(trt, engine)
        self._areas: dict[str, HostArea] = {}
        self._memory: dict[str, int] = {}
        self._shapes: Mapping[str, Shape] = {}
        self._checked: dict[str, tuple[DeviceBuffer, tuple[Shape, int]]] = {}
        self._capturing = graphs
        self._replays: dict[Key, Replay] = {}
        self._single: Any = None
        self._closed = False
        try:
            self._allocate()
        except ModelError:
            self.close()
            raise

    def empty(self, spec: TensorSpec) -> DeviceBuffer:
        shape = tuple(int(size) for size in spec.shape)
        size = prod(shape) * spec.dtype.itemsize
        address = self._cuda.allocate(size)
        self._cuda.zero(address, size)
        self._memory[f"buffer {len(self._memory)}"] = address
        return DeviceBuffer(TensorSpec(spec.name, shape, spec.dtype), address, self._cuda)

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        return self._run(feeds, keep=None)

    def run_keeping(self, feeds: Mapping[str, Array | Buffer], keep: str) -> tuple[dict[str, Array], DeviceBuffer]:
        results = self._run(feeds, keep=keep)
        shape = self._shapes[keep]
        return results, DeviceBuffer(TensorSpec(keep, shape, self.outputs[keep].dtype), self._memory[keep], self._cuda)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._cuda.synchronize()
        for replay in self._replays.values():
            if replay.graph is not None:
                self._cuda.discard(replay.graph)
        self._replays.clear()
        # In this order: contexts, engine, runtime.
        self._single = self._engine = self._runtime = None
        for address in self._memory.values():
            self._cuda.free(address)
        for area in self._areas.values():
            self._cuda.free_host(area.address)

    def _allocate(self) -> None:
        self._scratch_size = int(self._engine.device_memory_size_v2)
        self._memory[_SCRATCH] = self._cuda.allocate(self._scratch_size)
        self._single = self._context()
        self._sizes = self._largest_outputs()
        for name, size in self._sizes.items():
            self._memory[name] = self._cuda.allocate(size)
        self._single.place(self._memory, self.outputs)

    def _run(self, feeds: Mapping[str, Array | Buffer], *, keep: str | None) -> dict[str, Array]:
        """An unexpected exception may leave work on the stream or a capture open, so it ends the process."""
        try:
            return self._stage_and_run(feeds, keep=keep)
        except (EngineError, DeviceLostError):
            raise
        except Exception as error:
            raise DeviceLostError(f"{self._path}: {type(error).__name__} in the middle of a run") from error

    def _stage_and_run(self, feeds: Mapping[str, Array | Buffer], *, keep: str | None) -> dict[str, Array]:
        """1 stage the feeds  2 queue or replay  3 wait  4 copy out of the page-locked memory."""
        if self._closed:
            raise EngineError(f"{self._path}: the engine is closed")
        downloads = [name for name in self.outputs if name != keep]
        uploads = [name for name, value in feeds.items() if not isinstance(value, DeviceBuffer)]
        work = _Work(self._bind(feeds), uploads, downloads)
        if self._capturing:
            context = self._replayed((keep, *work.binding.values()), work)
        else:
            context = self._plain(self._single, work)
        self._cuda.synchronize()
        self._shapes = context.outputs
        return {
            name: self._area(name).view(context.outputs[name], self.outputs[name].dtype).copy() for name in downloads
        }

    def _bind(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, tuple[Shape, int]]:
        """Shape and device address of every input; arrays are copied into page-locked memory."""
        if feeds.keys() != self.inputs.keys():
            raise EngineError(f"{self._path}: takes {sorted(self.inputs)}, was given {sorted(feeds)}")
        binding = {}
        for name, value in feeds.items():
            checked = self._checked.get(name)
            if checked is not None and checked[0] is value:  # the cache of a decode step: the same buffers every time
                binding[name] = checked[1]
            elif isinstance(value, DeviceBuffer):
                self._check(name, value.shape, value.spec.dtype)
                if not value.belongs_to(self._cuda):
                    raise EngineError(f"{self._path}: {name} lives on another stream")
                binding[name] = (value.shape, value.address)
                self._checked[name] = (value, binding[name])
            elif isinstance(value, np.ndarray):
                self._check(name, value.shape, value.dtype)
                self._area(name).view(value.shape, value.dtype)[...] = value
                binding[name] = (value.shape, self._memory[name])
            else:
                raise EngineError(f"{self._path}: {name} is a {type(value).__name__}, which belongs to another runtime")
        return binding

    def _check(self, name: str, shape: Shape, dtype: np.dtype[Any]) -> None:
        spec, limits = self.inputs[name], self.ranges[name]
        if dtype != spec.dtype or not limits.admits(shape):
            raise EngineError(
                f"{self._path}: {name} is {dtype} {list(shape)}; the engine takes {spec.dtype} "
                f"from {list(limits.min)} to {list(limits.max)}"
            )

    def _plain(self, context: BoundContext, work: _Work) -> BoundContext:
        context.bind(work.binding)
        self._enqueue(context, work)
        return context

    def _replayed(self, key: Key, work: _Work) -> BoundContext:
        """The first run with these shapes and addresses is plain, the second captured, the others replay the graph.

        TensorRT requires a plain run after a change of shape and a context that stays as it was captured: hence a
        context per graph, all in the same scratch memory.
        """
        replay = self._replays.get(key)
        if replay is None and len(self._replays) < _MAX_GRAPHS:
            replay = self._replays[key] = Replay(self._context())
            return self._plain(replay.context, work)
        if replay is None:
            return self._plain(self._single, work)
        if replay.graph is None:
            try:
                with self._cuda.capture() as graph:
                    self._enqueue(replay.context, work)
                replay.graph = graph
            except EngineError as error:
                self._capturing = False
                log.warning("%s: the CUDA graph was refused (%s); running without graphs", self._path.name, error)
                return self._plain(self._single, work)
        self._cuda.launch(replay.graph)
        return replay.context

    def _enqueue(self, context: BoundContext, work: _Work) -> None:
        for name in work.uploads:
            shape, address = work.binding[name]
            size = prod(shape) * self.inputs[name].dtype.itemsize
            self._cuda.upload(address, self._area(name).address, size)
        if not context.native.execute_async_v3(self._cuda.stream):
            raise EngineError(f"{self._path}: TensorRT failed to run: {self._logger.reason()}")
        for name in work.downloads:
            size = prod(context.outputs[name]) * self.outputs[name].dtype.itemsize
            self._cuda.download(self._area(name).address, self._memory[name], size)

    def _context(self) -> BoundContext:
        native = self._engine.create_execution_context(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if native is None:
            raise EngineError(f"{self._path}: no execution context: {self._logger.reason()}")
        native.set_device_memory(self._memory[_SCRATCH], self._scratch_size)
        if not native.set_optimization_profile_async(0, self._cuda.stream):
            raise EngineError(f"{self._path}: the optimisation profile cannot be set: {self._logger.reason()}")
        context = BoundContext(native, tuple(self.outputs), self._path)
        context.place(self._memory, self.outputs)
        return context

    def _largest_outputs(self) -> dict[str, int]:
        self._single.set_shapes({name: limits.max for name, limits in self.ranges.items()})
        return {name: prod(self._single.outputs[name]) * spec.dtype.itemsize for name, spec in self.outputs.items()}

    def _area(self, name: str) -> HostArea:
        """The page-locked memory of an output or input (with its device memory), allocated when first needed."""
        area = self._areas.get(name)
        if area is None:
            if name in self.inputs:
                size = prod(self.ranges[name].max) * self.inputs[name].dtype.itemsize
                self._memory[name] = self._cuda.allocate(size)
            else:
                size = self._sizes[name]
            area = self._areas[name] = HostArea(size, self._cuda)
        return area


def _describe(trt: Any, engine: Any) -> tuple[dict[str, TensorSpec], dict[str, TensorSpec], dict[str, ShapeRange]]:
    dtypes = {getattr(trt.DataType, name): np.dtype(dtype) for name, dtype in _DTYPES.items()}
    inputs, outputs, ranges = {}, {}, {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        dtype = dtypes.get(engine.get_tensor_dtype(name))
        if dtype is None:
            raise ModelError(f"{name}: unsupported element type {engine.get_tensor_dtype(name)}")
        sizes = enumerate(engine.get_tensor_shape(name))
        shape = tuple(size if size >= 0 else f"{name}.{axis}" for axis, size in sizes)
        if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
            inputs[name] = TensorSpec(name, shape, dtype)
            low, best, high = (tuple(dims) for dims in engine.get_tensor_profile_shape(name, 0))
            ranges[name] = ShapeRange(min=low, opt=best, max=high)
        else:
            outputs[name] = TensorSpec(name, shape, dtype)
    return inputs, outputs, ranges
