"""CUDA's runtime by ctypes: memory, strided copies, a stream, events, captured graphs. The only home of libcudart.

It knows nothing about networks. Everything it queues goes to one stream, in order; nothing is visible to the host
before `synchronize`. The library object is an argument, so that a fake of the same functions can stand in for it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_float, c_int, c_size_t, c_uint, c_ulonglong, c_void_p
from typing import Any

from edge_tts.errors import DeviceLostError, EngineError, ModelError

LIBRARIES = ("libcudart.so.12", "libcudart.so.13", "libcudart.so")
"""Names under which JetPack 6 (CUDA 12) and JetPack 7.2 (CUDA 13) install the runtime."""

_HOST_TO_DEVICE, _DEVICE_TO_HOST, _DEVICE_TO_DEVICE = 1, 2, 3
_NON_BLOCKING = 1  # the stream does not wait for the default stream, which cannot be captured
_CAPTURE_THREAD_LOCAL = 1  # calls of other threads neither disturb the capture nor are forbidden by it
_CAPABILITY_MAJOR, _CAPABILITY_MINOR, _INTEGRATED = 75, 76, 18
_OUT_OF_MEMORY = 2
# After these the process's CUDA context is lost: every later call fails with the same code.
_FATAL = frozenset({700, 702, 710, 714, 715, 716, 717, 718, 719})

_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cudaGetDeviceCount": (POINTER(c_int),),
    "cudaSetDevice": (c_int,),
    "cudaDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cudaRuntimeGetVersion": (POINTER(c_int),),
    "cudaDriverGetVersion": (POINTER(c_int),),
    "cudaMemGetInfo": (POINTER(c_size_t), POINTER(c_size_t)),
    "cudaGetLastError": (),
    "cudaMalloc": (POINTER(c_void_p), c_size_t),
    "cudaFree": (c_void_p,),
    "cudaHostAlloc": (POINTER(c_void_p), c_size_t, c_uint),
    "cudaFreeHost": (c_void_p,),
    "cudaMemsetAsync": (c_void_p, c_int, c_size_t, c_void_p),
    "cudaMemcpyAsync": (c_void_p, c_void_p, c_size_t, c_int, c_void_p),
    "cudaMemcpy2DAsync": (c_void_p, c_size_t, c_void_p, c_size_t, c_size_t, c_size_t, c_int, c_void_p),
    "cudaStreamCreateWithFlags": (POINTER(c_void_p), c_uint),
    "cudaStreamDestroy": (c_void_p,),
    "cudaStreamSynchronize": (c_void_p,),
    "cudaEventCreateWithFlags": (POINTER(c_void_p), c_uint),
    "cudaEventDestroy": (c_void_p,),
    "cudaEventRecord": (c_void_p, c_void_p),
    "cudaEventSynchronize": (c_void_p,),
    "cudaEventElapsedTime": (POINTER(c_float), c_void_p, c_void_p),
    "cudaStreamBeginCapture": (c_void_p, c_int),
    "cudaStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cudaGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_ulonglong),
    "cudaGraphLaunch": (c_void_p, c_void_p),
    "cudaGraphExecDestroy": (c_void_p,),
    "cudaGraphDestroy": (c_void_p,),
}


class CudaError(EngineError):
    """A CUDA call failed and the device is still usable. `code` is the cudaError_t."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def open_library(load: Callable[[str], Any] = ctypes.CDLL) -> Any:
    """The system's libcudart. Raises `ModelError` when there is none."""
    for name in LIBRARIES:
        try:
            return load(name)
        except OSError:
            continue  # another version's name
    raise ModelError(f"no CUDA runtime here: none of {', '.join(LIBRARIES)} loads; JetPack installs it as cuda-cudart")


class Cuda:
    """One device and one stream. One owner, one thread: what it handed out is freed with it."""

    def __init__(self, library: Any | None = None, *, device: int = 0) -> None:
        """Raises `ModelError` when there is no CUDA runtime or no device."""
        self._library = open_library() if library is None else library
        for name, arguments in _SIGNATURES.items():
            function = getattr(self._library, name, None)
            if function is None:
                raise ModelError(f"the CUDA runtime has no {name}; versions 12 and 13 do")
            function.argtypes, function.restype = list(arguments), c_int
        self._library.cudaGetErrorString.argtypes = [c_int]
        self._library.cudaGetErrorString.restype = c_char_p
        self._device, self._allocations, self._pinned = device, set[int](), set[int]()
        count = c_int()
        code = self._library.cudaGetDeviceCount(byref(count))
        if code or count.value <= device:
            raise ModelError(f"no CUDA device {device}: {self._describe(code) if code else f'{count.value} found'}")
        self._call("cudaSetDevice", device)
        handle = c_void_p()
        self._call("cudaStreamCreateWithFlags", byref(handle), _NON_BLOCKING)
        self.stream: int = handle.value or 0
        """The stream's handle, as TensorRT takes it."""

    # What the device is

    def capability(self) -> str:
        """Compute capability as `8.7`."""
        return f"{self._attribute(_CAPABILITY_MAJOR)}.{self._attribute(_CAPABILITY_MINOR)}"

    def integrated(self) -> bool:
        """True where the GPU shares the processor's memory, as on a Jetson."""
        return self._attribute(_INTEGRATED) == 1

    def version(self) -> str:
        """Version of the runtime as `12.6`."""
        value = c_int()
        self._call("cudaRuntimeGetVersion", byref(value))
        return f"{value.value // 1000}.{value.value % 1000 // 10}"

    def memory(self) -> tuple[int, int]:
        """Free and total device memory in bytes."""
        free, total = c_size_t(), c_size_t()
        self._call("cudaMemGetInfo", byref(free), byref(total))
        return free.value, total.value

    # Memory

    def allocate(self, size: int) -> int:
        """Address of `size` fresh bytes on the device, content undefined. Raises `CudaError` when it is full."""
        address = c_void_p()
        self._call("cudaMalloc", byref(address), max(size, 1), wanted=size)
        self._allocations.add(address.value or 0)
        return address.value or 0

    def free(self, address: int) -> None:
        """Give back what `allocate` gave."""
        self._allocations.discard(address)
        self._call("cudaFree", address)

    def allocate_host(self, size: int) -> int:
        """Address of `size` page-locked bytes on the host: the only kind that a captured copy may use."""
        address = c_void_p()
        self._call("cudaHostAlloc", byref(address), max(size, 1), 0, wanted=size)
        self._pinned.add(address.value or 0)
        return address.value or 0

    def free_host(self, address: int) -> None:
        """Give back what `allocate_host` gave."""
        self._pinned.discard(address)
        self._call("cudaFreeHost", address)

    # Queued on the stream

    def zero(self, address: int, size: int) -> None:
        """Fill device memory with zero bytes."""
        self._call("cudaMemsetAsync", address, 0, size, self.stream)

    def upload(self, device: int, host: int, size: int) -> None:
        """Copy host -> device. The host memory stays as it is until `synchronize`."""
        self._call("cudaMemcpyAsync", device, host, size, _HOST_TO_DEVICE, self.stream)

    def download(self, host: int, device: int, size: int) -> None:
        """Copy device -> host; there after `synchronize`."""
        self._call("cudaMemcpyAsync", host, device, size, _DEVICE_TO_HOST, self.stream)

    def copy_rows(self, target: tuple[int, int], source: tuple[int, int], *, width: int, rows: int) -> None:
        """Copy `rows` stretches of `width` bytes within the device; both ends are (address, pitch in bytes)."""
        self._call("cudaMemcpy2DAsync", *target, *source, width, rows, _DEVICE_TO_DEVICE, self.stream)

    def synchronize(self) -> None:
        """Wait until everything queued so far has happened. Faults of earlier work surface here."""
        self._call("cudaStreamSynchronize", self.stream)

    # Captured graphs

    @contextmanager
    def capture(self) -> Iterator[CapturedGraph]:
        """Record what is queued inside instead of doing it. The graph can be launched after the block.

        Raises `CudaError` when something inside cannot be captured; the stream is usable afterwards.
        """
        graph = CapturedGraph(self)
        self._call("cudaStreamBeginCapture", self.stream, _CAPTURE_THREAD_LOCAL)
        try:
            yield graph
        except EngineError:
            self._abandon_capture()
            raise
        recorded = c_void_p()
        self._call("cudaStreamEndCapture", self.stream, byref(recorded))
        try:
            executable = c_void_p()
            self._call("cudaGraphInstantiateWithFlags", byref(executable), recorded, 0)
        finally:
            self._call("cudaGraphDestroy", recorded)
        graph.handle = executable.value or 0

    def launch(self, graph: CapturedGraph) -> None:
        """Queue everything that was captured, with the addresses and sizes it had then."""
        self._call("cudaGraphLaunch", graph.handle, self.stream)

    def discard(self, graph: CapturedGraph) -> None:
        """Destroy a captured graph."""
        handle, graph.handle = graph.handle, 0
        if handle:
            self._call("cudaGraphExecDestroy", handle)

    def timed(self, work: Callable[[], None]) -> float:
        """Milliseconds the device spends on what `work` queues. Waits for it."""
        events = [c_void_p(), c_void_p()]
        for event in events:
            self._call("cudaEventCreateWithFlags", byref(event), 0)
        self._call("cudaEventRecord", events[0], self.stream)
        work()
        self._call("cudaEventRecord", events[1], self.stream)
        self._call("cudaEventSynchronize", events[1])
        elapsed = c_float()
        self._call("cudaEventElapsedTime", byref(elapsed), events[0], events[1])
        for event in events:
            self._call("cudaEventDestroy", event)
        return float(elapsed.value)

    def close(self) -> None:
        """Give back the stream and all memory still held."""
        if self.stream:
            self.synchronize()
            for address in list(self._allocations):
                self.free(address)
            for address in list(self._pinned):
                self.free_host(address)
            stream, self.stream = self.stream, 0
            self._call("cudaStreamDestroy", stream)

    def _attribute(self, attribute: int) -> int:
        value = c_int()
        self._call("cudaDeviceGetAttribute", byref(value), attribute, self._device)
        return value.value

    def _abandon_capture(self) -> None:
        recorded = c_void_p()
        self._library.cudaStreamEndCapture(self.stream, byref(recorded))
        self._library.cudaGetLastError()  # a refused capture leaves its error behind
        if recorded.value:
            self._library.cudaGraphDestroy(recorded)

    def _call(self, name: str, *arguments: Any, wanted: int | None = None) -> None:
        code = getattr(self._library, name)(*arguments)
        if code == 0:
            return
        if code in _FATAL:
            raise DeviceLostError(f"{name}: {self._describe(code)}; this process has lost the GPU")
        self._library.cudaGetLastError()  # or the next call reports it once more
        message = f"{name}: {self._describe(code)}"
        if code == _OUT_OF_MEMORY and wanted is not None:
            free, total = self.memory()
            message += f"; wanted {wanted / 1e6:.0f} MB, {free / 1e6:.0f} of {total / 1e6:.0f} MB are free"
        raise CudaError(message, code)

    def _describe(self, code: int) -> str:
        text = self._library.cudaGetErrorString(code)
        return f"{text.decode()} (CUDA error {code})" if text else f"CUDA error {code}"


class CapturedGraph:
    """Recorded device work; `Cuda.launch` repeats it."""

    def __init__(self, cuda: Cuda) -> None:
        self.cuda = cuda
        self.handle = 0
