"""CUDA's runtime by ctypes: memory, strided copies, a stream, captured graphs; the only user of libcudart.

All work goes to one stream, in order; the host sees no result before `synchronize`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass
from typing import Any

from edge_tts.errors import DeviceLostError, EngineError, ModelError

LIBRARIES = ("libcudart.so.12", "libcudart.so.13", "libcudart.so")
"""As JetPack 6 (CUDA 12) and JetPack 7.2 (CUDA 13) install it."""

_HOST_TO_DEVICE, _DEVICE_TO_HOST, _DEVICE_TO_DEVICE = 1, 2, 3
_NON_BLOCKING = 1  # not ordered with the default stream, which cannot be captured
_CAPTURE_THREAD_LOCAL = 1  # calls of other threads are independent of it
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76
_OUT_OF_MEMORY = 2
# After these every later call of the process fails.
_FATAL = frozenset({700, 702, 710, 714, 715, 716, 717, 718, 719})

_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cudaGetDeviceCount": (POINTER(c_int),),
    "cudaSetDevice": (c_int,),
    "cudaDeviceGetAttribute": (POINTER(c_int), c_int, c_int),
    "cudaRuntimeGetVersion": (POINTER(c_int),),
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
    "cudaStreamBeginCapture": (c_void_p, c_int),
    "cudaStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cudaGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_ulonglong),
    "cudaGraphLaunch": (c_void_p, c_void_p),
    "cudaGraphExecDestroy": (c_void_p,),
    "cudaGraphDestroy": (c_void_p,),
}


def open_library(load: Callable[[str], Any] = ctypes.CDLL) -> Any:
    for name in LIBRARIES:
        try:
            return load(name)
        except OSError:
            continue  # another version's name
    raise ModelError(f"no CUDA runtime here: none of {', '.join(LIBRARIES)} loads; JetPack installs it as cuda-cudart")


class Cuda:
    """One device and one stream. One owner, one thread; `close` frees all memory.

    Calls raise `EngineError`, or `DeviceLostError` when this process cannot use the device any more.
    """

    def __init__(self, library: Any | None = None, *, device: int = 0) -> None:
        """Raises `ModelError` without a CUDA runtime or device."""
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

    def capability(self) -> str:
        """As `8.7`."""
        return f"{self._attribute(_CAPABILITY_MAJOR)}.{self._attribute(_CAPABILITY_MINOR)}"

    def version(self) -> str:
        """Of the runtime, as `12.6`."""
        value = c_int()
        self._call("cudaRuntimeGetVersion", byref(value))
        return f"{value.value // 1000}.{value.value % 1000 // 10}"

    def memory(self) -> tuple[int, int]:
        """Free and total bytes."""
        free, total = c_size_t(), c_size_t()
        self._call("cudaMemGetInfo", byref(free), byref(total))
        return free.value, total.value

    def allocate(self, size: int) -> int:
        """Address of `size` device bytes, content undefined. Raises `EngineError` when the device is full."""
        address = c_void_p()
        self._call("cudaMalloc", byref(address), max(size, 1), requested=size)
        self._allocations.add(address.value or 0)
        return address.value or 0

    def free(self, address: int) -> None:
        self._allocations.discard(address)
        self._call("cudaFree", address)

    def allocate_host(self, size: int) -> int:
        """Address of `size` page-locked bytes, the only host memory that a captured copy may use."""
        address = c_void_p()
        self._call("cudaHostAlloc", byref(address), max(size, 1), 0, requested=size)
        self._pinned.add(address.value or 0)
        return address.value or 0

    def free_host(self, address: int) -> None:
        self._pinned.discard(address)
        self._call("cudaFreeHost", address)

    def zero(self, address: int, size: int) -> None:
        self._call("cudaMemsetAsync", address, 0, size, self.stream)

    def upload(self, device: int, host: int, size: int) -> None:
        """Queue a copy host -> device; do not change the host memory until `synchronize`."""
        self._call("cudaMemcpyAsync", device, host, size, _HOST_TO_DEVICE, self.stream)

    def download(self, host: int, device: int, size: int) -> None:
        """Queue a copy device -> host; complete after `synchronize`."""
        self._call("cudaMemcpyAsync", host, device, size, _DEVICE_TO_HOST, self.stream)

    def copy_rows(self, target: tuple[int, int], source: tuple[int, int], *, width: int, rows: int) -> None:
        """Queue a copy of `rows` x `width` bytes; target and source are (address, pitch in bytes) on the device."""
        self._call("cudaMemcpy2DAsync", *target, *source, width, rows, _DEVICE_TO_DEVICE, self.stream)

    def synchronize(self) -> None:
        """Wait for all queued work; its faults surface here."""
        self._call("cudaStreamSynchronize", self.stream)

    @contextmanager
    def capture(self) -> Iterator[CapturedGraph]:
        """Record what the block queues, to `launch` it afterwards.

        Raises `EngineError` when something cannot be captured; the stream stays usable.
        """
        graph = CapturedGraph()
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
        """Queue the captured work, with the addresses and sizes it had then."""
        self._call("cudaGraphLaunch", graph.handle, self.stream)

    def discard(self, graph: CapturedGraph) -> None:
        handle, graph.handle = graph.handle, 0
        if handle:
            self._call("cudaGraphExecDestroy", handle)

    def close(self) -> None:
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

    def _call(self, name: str, *arguments: Any, requested: int | None = None) -> None:
        code = getattr(self._library, name)(*arguments)
        if code == 0:
            return
        if code in _FATAL:
            raise DeviceLostError(f"{name}: {self._describe(code)}; this process has lost the GPU")
        self._library.cudaGetLastError()  # or the next call reports it again
        message = f"{name}: {self._describe(code)}"
        if code == _OUT_OF_MEMORY and requested is not None:
            free, total = self.memory()
            message += f"; wanted {requested / 1e6:.0f} MB, {free / 1e6:.0f} of {total / 1e6:.0f} MB are free"
        raise EngineError(message)

    def _describe(self, code: int) -> str:
        text = self._library.cudaGetErrorString(code)
        return f"{text.decode()} (CUDA error {code})" if text else f"CUDA error {code}"


@dataclass
class CapturedGraph:
    """Recorded device work; `Cuda.launch` repeats it."""

    handle: int = 0
