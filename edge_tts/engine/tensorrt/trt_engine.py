"""TensorRT behind the `Engine` contract, in the style that 10.3, 10.16 and 11.4 share. The only home of tensorrt.

It runs one serialized engine with one optimisation profile; how engines are built and judged is told elsewhere. Feeds
from the host go through page-locked memory; outputs live in memory of the engine, taken once at their largest size.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from edge_tts.engine.contract import Array, Buffer, TensorSpec
from edge_tts.engine.tensorrt.context import BoundContext, Replay
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.device_buffer import DeviceBuffer, HostArea
from edge_tts.engine.tensorrt.profiles import Shape, ShapeRange
from edge_tts.errors import DeviceLostError, EngineError, ModelError

log = logging.getLogger(__name__)

_DTYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT64": np.int64, "INT32": np.int32, "BOOL": np.bool_}
_SCRATCH = "scratch of all contexts"  # no name that a graph gives
_MAX_GRAPHS = 64  # captured graphs kept per engine; the buckets of a batch size are half as many

Key = tuple[Any, ...]
ModuleT = TypeVar("ModuleT")


def load_tensorrt() -> Any:
    """The system's Python module. Raises `ModelError` when it is not installed."""
    try:
        import tensorrt
    except ImportError as error:
        raise ModelError(
            f"TensorRT's Python module cannot be imported ({error}); on a Jetson install python3-libnvinfer and make "
            "the virtual environment with --system-site-packages"
        ) from error
    return tensorrt


def make_logger(trt: Any, label: str) -> Any:
    """A `trt.ILogger` that writes to our log and keeps the errors: TensorRT's calls answer only yes or no.

    Its attribute `errors` is the list of the latest error messages.
    """

    class Logger(trt.ILogger):  # type: ignore[misc]  # the base comes from a module without types
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            severities = trt.ILogger.Severity
            if severity in (severities.ERROR, severities.INTERNAL_ERROR):
                self.errors = [*self.errors[-9:], msg]
                log.error("%s: %s", label, msg)
            elif severity == severities.WARNING:
                log.warning("%s: %s", label, msg)
            else:
                log.debug("%s: %s", label, msg)

    return Logger()


class TrtEngine:
    """One deserialized engine on the stream of a `Cuda`, which stays the caller's."""

    def __init__(
        self,
        plan: bytes,
        *,
        trt: Any,
        cuda: Cuda,
        path: Path,
        graphs: bool = False,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        """`graphs` captures each combination of shapes and addresses once and replays it from then on.

        Raises `ModelError` when the plan was built by another version or for another device, or is damaged.
        """
        self._path, self._trt, self._cuda, self._on_close = path, trt, cuda, on_close
        self._logger = make_logger(trt, path.name)
        runtime = trt.Runtime(self._logger)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise ModelError(f"{path}: TensorRT refuses this engine, build it again: {self._reason()}")
        self._runtime, self._engine = runtime, engine
        self._inputs, self._outputs, self._ranges = _describe(trt, engine)
        self._areas: dict[str, HostArea] = {}
        self._memory: dict[str, int] = {}
        self._shapes: Mapping[str, Shape] = {}
        self._checked: dict[str, tuple[DeviceBuffer, tuple[Shape, int]]] = {}
        self._capturing = graphs
        self._replays: dict[Key, Replay] = {}
        self._single: Any = None
        self._closed = False
        try:
            self._take_memory()
        except ModelError:
            self.close()
            raise

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        return self._outputs

    @property
    def ranges(self) -> Mapping[str, ShapeRange]:
        """The shapes each input may take."""
        return self._ranges

    @property
    def captured(self) -> int:
        """How many graphs are captured; 0 where capture is off or was refused."""
        return sum(replay.graph is not None for replay in self._replays.values())

    def empty(self, spec: TensorSpec) -> DeviceBuffer:
        shape = tuple(int(size) for size in spec.shape)
        size = prod(shape) * spec.dtype.itemsize
        address = self._cuda.allocate(size)
        self._cuda.zero(address, size)
        self._memory[f"buffer {len(self._memory)}"] = address
        return DeviceBuffer(TensorSpec(spec.name, shape, spec.dtype), address, self._cuda)

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        return self._trusted(feeds, keep=None)

    def run_keeping(self, feeds: Mapping[str, Array | Buffer], keep: str) -> tuple[dict[str, Array], DeviceBuffer]:
        results = self._trusted(feeds, keep=keep)
        shape = self._shapes[keep]
        return results, DeviceBuffer(TensorSpec(keep, shape, self._outputs[keep].dtype), self._memory[keep], self._cuda)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._cuda.synchronize()
        for replay in self._replays.values():
            if replay.graph is not None:
                self._cuda.discard(replay.graph)
        self._replays.clear()
        # Contexts before the engine, the engine before its runtime.
        self._single = self._engine = self._runtime = None
        for address in self._memory.values():
            self._cuda.free(address)
        for area in self._areas.values():
            self._cuda.free_host(area.address)
        self._on_close()

    def _take_memory(self) -> None:
        """Scratch memory for all contexts, the context for plain runs, and the outputs at their largest."""
        self._scratch_size = int(self._engine.device_memory_size_v2)
        self._memory[_SCRATCH] = self._cuda.allocate(self._scratch_size)
        self._single = self._context()
        self._sizes = self._largest_outputs()
        for name, size in self._sizes.items():
            self._memory[name] = self._cuda.allocate(size)
        self._single.place(self._memory, self._outputs)

    def _trusted(self, feeds: Mapping[str, Array | Buffer], *, keep: str | None) -> dict[str, Array]:
        """Run; what nobody foresaw may have left work on the stream or a capture open, so it costs the process."""
        try:
            return self._run(feeds, keep=keep)
        except (EngineError, DeviceLostError):
            raise
        except Exception as surprise:
            raise DeviceLostError(f"{self._path}: {type(surprise).__name__} in the middle of a run") from surprise

    def _run(self, feeds: Mapping[str, Array | Buffer], *, keep: str | None) -> dict[str, Array]:
        """1 stage the feeds  2 queue or replay  3 wait  4 copy out of the page-locked memory."""
        if self._closed:
            raise EngineError(f"{self._path}: the engine is closed")
        binding = self._bind(feeds)
        wanted = [name for name in self._outputs if name != keep]
        key = (keep, *binding.values())
        uploads = [name for name, value in feeds.items() if not isinstance(value, DeviceBuffer)]
        if self._capturing:
            context = self._replayed(key, binding, uploads, wanted)
        else:
            context = self._plain(binding, uploads, wanted)
        self._cuda.synchronize()
        self._shapes = context.outputs
        areas = {name: self._area(name).view(context.outputs[name], self._outputs[name].dtype) for name in wanted}
        return {name: area.copy() for name, area in areas.items()}

    def _bind(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, tuple[Shape, int]]:
        """Shape and device address of every input; arrays are copied into page-locked memory on the way."""
        if feeds.keys() != self._inputs.keys():
            raise EngineError(f"{self._path}: takes {sorted(self._inputs)}, was given {sorted(feeds)}")
        binding = {}
        for name, value in feeds.items():
            checked = self._checked.get(name)
            if checked is not None and checked[0] is value:  # the cache of a decode step: the same buffers every time
                binding[name] = checked[1]
                continue
            spec = self._inputs[name]
            held = isinstance(value, DeviceBuffer)
            if not held and not isinstance(value, np.ndarray):
                raise EngineError(f"{self._path}: {name} is a {type(value).__name__}, which belongs to another runtime")
            shape, dtype = (value.shape, value.spec.dtype) if isinstance(value, DeviceBuffer) else _like(value)
            if dtype != spec.dtype or not self._ranges[name].admits(shape):
                limits = self._ranges[name]
                raise EngineError(
                    f"{self._path}: {name} is {dtype} {list(shape)}; the engine takes {spec.dtype} "
                    f"from {list(limits.min)} to {list(limits.max)}"
                )
            if isinstance(value, DeviceBuffer):
                if not value.belongs_to(self._cuda):
                    raise EngineError(f"{self._path}: {name} lives on another stream")
                binding[name] = (shape, value.address)
                self._checked[name] = (value, binding[name])
            else:
                self._area(name).view(shape, spec.dtype)[...] = value
                binding[name] = (shape, self._memory[name])
        return binding

    def _plain(self, binding: dict[str, tuple[Shape, int]], uploads: list[str], downloads: list[str]) -> BoundContext:
        context: BoundContext = self._single
        context.bind(binding)
        self._enqueue(context, binding, uploads, downloads)
        return context

    def _replayed(
        self, key: Key, binding: dict[str, tuple[Shape, int]], uploads: list[str], downloads: list[str]
    ) -> BoundContext:
        """Replay what was captured for these shapes and addresses; the first time run plainly, the second capture.

        TensorRT wants one plain run after a shape was set, and a context that no one touches after its capture: hence
        one context per graph, all in the same scratch memory.
        """
        replay = self._replays.get(key)
        if replay is None:
            if len(self._replays) >= _MAX_GRAPHS:
                return self._plain(binding, uploads, downloads)
            replay = self._replays[key] = Replay(self._context())
            replay.context.bind(binding)
            self._enqueue(replay.context, binding, uploads, downloads)
            return replay.context
        if replay.graph is None:
            try:
                with self._cuda.capture() as graph:
                    self._enqueue(replay.context, binding, uploads, downloads)
                replay.graph = graph
            except EngineError as error:
                self._capturing = False
                log.warning("%s: the CUDA graph was refused (%s); running without graphs", self._path.name, error)
                return self._plain(binding, uploads, downloads)
        self._cuda.launch(replay.graph)
        return replay.context

    def _enqueue(
        self, context: BoundContext, binding: dict[str, tuple[Shape, int]], uploads: list[str], downloads: list[str]
    ) -> None:
        for name in uploads:
            shape, address = binding[name]
            size = prod(shape) * self._inputs[name].dtype.itemsize
            self._cuda.upload(address, self._area(name).address, size)
        if not context.native.execute_async_v3(self._cuda.stream):
            raise EngineError(f"{self._path}: TensorRT failed to run: {self._reason()}")
        for name in downloads:
            size = prod(context.outputs[name]) * self._outputs[name].dtype.itemsize
            self._cuda.download(self._area(name).address, self._memory[name], size)

    def _context(self) -> BoundContext:
        native = self._engine.create_execution_context(self._trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if native is None:
            raise EngineError(f"{self._path}: no execution context: {self._reason()}")
        native.set_device_memory(self._memory[_SCRATCH], self._scratch_size)
        if not native.set_optimization_profile_async(0, self._cuda.stream):
            raise EngineError(f"{self._path}: the optimisation profile cannot be set: {self._reason()}")
        context = BoundContext(native, tuple(self._outputs), self._path)
        context.place(self._memory, self._outputs)
        return context

    def _largest_outputs(self) -> dict[str, int]:
        """Bytes each output can need."""
        self._single.set_shapes({name: limits.max for name, limits in self._ranges.items()})
        return {name: prod(self._single.outputs[name]) * spec.dtype.itemsize for name, spec in self._outputs.items()}

    def _area(self, name: str) -> HostArea:
        """The page-locked memory of an input (with its device memory) or an output, taken when first needed."""
        area = self._areas.get(name)
        if area is None:
            if name in self._inputs:
                size = prod(self._ranges[name].max) * self._inputs[name].dtype.itemsize
                self._memory[name] = self._cuda.allocate(size)
            else:
                size = self._sizes[name]
            area = self._areas[name] = HostArea(size, self._cuda)
        return area

    def _reason(self) -> str:
        return "; ".join(self._logger.errors[-3:]) or "no reason given"


def _describe(trt: Any, engine: Any) -> tuple[dict[str, TensorSpec], dict[str, TensorSpec], dict[str, ShapeRange]]:
    """Inputs, outputs and the inputs' shape ranges of a deserialized engine."""
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


def _like(array: Any) -> tuple[Shape, np.dtype[Any]]:
    return array.shape, array.dtype
