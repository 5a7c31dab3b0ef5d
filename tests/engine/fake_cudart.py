"""A libcudart that computes nothing but checks everything: addresses, bounds, pitch, stream order, capture rules.

Device addresses point nowhere in this process, so a mix-up of host and device pointers cannot go unnoticed. Fresh
memory is full of NaN. Queued work happens when the stream is synchronized and not before. Misuse that real hardware
would answer with wrong numbers raises `Misuse`, which no code under test catches.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

INVALID, OUT_OF_MEMORY, INVALID_PITCH = 1, 2, 12
ILLEGAL_ADDRESS, CAPTURE_UNSUPPORTED = 700, 900
FIRST_ADDRESS, ALIGNMENT = 1 << 60, 256


class Misuse(BaseException):
    """What real hardware would answer with wrong numbers."""


class IllegalAddress(Exception):
    """Work touched memory that is not allocated; the next synchronization reports it."""


@dataclass
class Operation:
    """One piece of queued work."""

    name: str
    work: Callable[[], None]


@dataclass
class Stream:
    """Work in order; `recording` while a capture is on."""

    queue: list[Operation] = field(default_factory=list)
    recording: list[Operation] | None = None
    broken_capture: bool = False


class Function:
    """A C function: wants its argument types declared and exactly as many arguments."""

    def __init__(self, name: str, body: Callable[..., Any]) -> None:
        self.name, self._body = name, body
        self.argtypes: list[Any] | None = None
        self.restype: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self.argtypes is None or len(arguments) != len(self.argtypes):
            raise Misuse(f"{self.name}: called with {len(arguments)} arguments, declared {self.argtypes}")
        return self._body(*(_plain(kind, value) for kind, value in zip(self.argtypes, arguments, strict=True)))


class FakeCudart:
    """See the module's first lines. `memory` is the size of the device in bytes."""

    def __init__(self, *, memory: int = 1 << 30, devices: int = 1) -> None:
        self.total, self.used, self.devices = memory, 0, devices
        self.calls: list[str] = []
        self.capability = (8, 7)
        self.refuse_graphs = False
        self.lost = False
        self.last_error = 0
        """Until somebody asks for it; libraries that check theirs would find it."""
        self._device: dict[int, np.ndarray[Any, Any]] = {}
        self._pinned: dict[int, np.ndarray[Any, Any]] = {}
        self._next = FIRST_ADDRESS
        self._streams: dict[int, Stream] = {}
        self._graphs: dict[int, list[Operation]] = {}
        self._executables: dict[int, list[Operation]] = {}
        self._events: dict[int, list[Operation]] = {}
        self._handles = 4096
        self.cudaGetErrorString = Function("cudaGetErrorString", lambda code: f"fake error {code}".encode())
        for name in dir(self):
            if name.startswith("_cuda"):
                setattr(self, name[1:], Function(name[1:], self._counted(name[1:], getattr(self, name))))

    # For tests and for the TensorRT that runs on this device

    @property
    def leaks(self) -> list[str]:
        """What was allocated and not freed."""
        kinds = {"device": self._device, "pinned": self._pinned, "streams": self._streams, "graphs": self._graphs}
        kinds["executables"] = self._executables
        return [f"{len(things)} {kind}" for kind, things in kinds.items() if things]

    def stream(self, handle: int) -> Stream:
        """The stream of a handle that TensorRT was given."""
        if handle not in self._streams:
            raise Misuse(f"{handle} is no stream")
        return self._streams[handle]

    def enqueue(self, handle: int, operation: Operation) -> None:
        """Queue work on a stream, or record it."""
        stream = self.stream(handle)
        (stream.queue if stream.recording is None else stream.recording).append(operation)

    def bytes_at(self, address: int, size: int) -> np.ndarray[Any, Any]:
        """A view of `size` bytes of device memory."""
        bases = sorted(self._device)
        index = bisect_right(bases, address) - 1
        if index < 0 or address + size > bases[index] + len(self._device[bases[index]]):
            raise IllegalAddress(f"{size} bytes at {address:#x}")
        offset = address - bases[index]
        return self._device[bases[index]][offset : offset + size]

    # The library

    def _cudaGetDeviceCount(self, out: Any) -> int:
        out.value = self.devices
        return 0 if self.devices else 100

    def _cudaSetDevice(self, device: int) -> int:
        return 0 if device < self.devices else 101

    def _cudaDeviceGetAttribute(self, out: Any, attribute: int, device: int) -> int:
        out.value = {75: self.capability[0], 76: self.capability[1]}[attribute]
        return 0

    def _cudaRuntimeGetVersion(self, out: Any) -> int:
        out.value = 12060
        return 0

    def _cudaMemGetInfo(self, free: Any, total: Any) -> int:
        free.value, total.value = self.total - self.used, self.total
        return 0

    def _cudaGetLastError(self) -> int:
        code, self.last_error = self.last_error, 0
        return code

    def _cudaMalloc(self, out: Any, size: int) -> int:
        if self._capturing():
            return CAPTURE_UNSUPPORTED
        if self.used + size > self.total:
            return OUT_OF_MEMORY
        self.used += size
        address, self._next = self._next, self._next + -(-size // ALIGNMENT) * ALIGNMENT + ALIGNMENT
        self._device[address] = np.full(size, 0xFF, np.uint8)
        out.value = address
        return 0

    def _cudaFree(self, address: int) -> int:
        if any(stream.queue for stream in self._streams.values()):
            raise Misuse("device memory freed under queued work")
        if address not in self._device:
            return INVALID
        self.used -= len(self._device.pop(address))
        return 0

    def _cudaHostAlloc(self, out: Any, size: int, flags: int) -> int:
        if self._capturing():
            return CAPTURE_UNSUPPORTED
        array = np.full(size, 0xFF, np.uint8)
        self._pinned[array.ctypes.data] = array
        out.value = array.ctypes.data
        return 0

    def _cudaFreeHost(self, address: int) -> int:
        return 0 if self._pinned.pop(address, None) is not None else INVALID

    def _cudaMemsetAsync(self, address: int, value: int, size: int, stream: int) -> int:
        def work() -> None:
            self.bytes_at(address, size)[:] = value

        self.enqueue(stream, Operation("memset", work))
        return 0

    def _cudaMemcpyAsync(self, target: int, source: int, size: int, kind: int, stream: int) -> int:
        host = source if kind == 1 else target
        pinned = any(base <= host and host + size <= base + len(area) for base, area in self._pinned.items())
        if not pinned and self.stream(stream).recording is not None:
            self.stream(stream).broken_capture = True
            return CAPTURE_UNSUPPORTED
        # Page-locked memory is read when the copy happens; other memory is staged at once.
        staged = None if pinned or kind != 1 else ctypes.string_at(source, size)

        def work() -> None:
            if kind == 1:
                data = ctypes.string_at(source, size) if staged is None else staged
                self.bytes_at(target, size)[:] = np.frombuffer(data, np.uint8)
            else:
                ctypes.memmove(target, self.bytes_at(source, size).tobytes(), size)

        self.enqueue(stream, Operation("upload" if kind == 1 else "download", work))
        return 0

    def _cudaMemcpy2DAsync(
        self,
        target: int,
        target_pitch: int,
        source: int,
        source_pitch: int,
        width: int,
        rows: int,
        kind: int,
        stream: int,
    ) -> int:
        if width > min(target_pitch, source_pitch):
            return INVALID_PITCH
        if kind != 3:
            return INVALID

        def work() -> None:
            for row in range(rows):
                self.bytes_at(target + row * target_pitch, width)[:] = self.bytes_at(source + row * source_pitch, width)

        self.enqueue(stream, Operation("copy_rows", work))
        return 0

    def _cudaStreamCreateWithFlags(self, out: Any, flags: int) -> int:
        out.value = self._handle()
        self._streams[out.value] = Stream()
        return 0

    def _cudaStreamDestroy(self, stream: int) -> int:
        return 0 if self._streams.pop(stream, None) is not None else INVALID

    def _cudaStreamSynchronize(self, handle: int) -> int:
        stream = self.stream(handle)
        if stream.recording is not None:
            stream.broken_capture = True
            return CAPTURE_UNSUPPORTED
        try:
            while stream.queue and not self.lost:
                stream.queue.pop(0).work()
        except IllegalAddress:
            self.lost = True
        return ILLEGAL_ADDRESS if self.lost else 0

    def _cudaStreamWaitEvent(self, handle: int, event: int, flags: int) -> int:
        """What the other stream had queued when it recorded the event happens first."""
        earlier = self._events[event]

        def work() -> None:
            while earlier:
                operation = earlier.pop(0)
                for stream in self._streams.values():
                    if operation in stream.queue:
                        stream.queue.remove(operation)
                        operation.work()

        self.enqueue(handle, Operation("wait", work))
        return 0

    def _cudaEventCreate(self, out: Any) -> int:
        out.value = self._handle()
        self._events[out.value] = []
        return 0

    def _cudaEventRecord(self, event: int, handle: int) -> int:
        self._events[event] = list(self.stream(handle).queue)
        return 0

    def _cudaEventSynchronize(self, event: int) -> int:
        return 0 if event in self._events else INVALID

    def _cudaEventElapsedTime(self, out: Any, first: int, last: int) -> int:
        out.value = 0.5
        return 0

    def _cudaEventDestroy(self, event: int) -> int:
        return 0 if self._events.pop(event, None) is not None else INVALID

    def _cudaStreamBeginCapture(self, handle: int, mode: int) -> int:
        stream = self.stream(handle)
        if self.refuse_graphs or stream.recording is not None:
            return CAPTURE_UNSUPPORTED
        stream.recording, stream.broken_capture = [], False
        return 0

    def _cudaStreamEndCapture(self, handle: int, out: Any) -> int:
        stream = self.stream(handle)
        recorded, stream.recording = stream.recording, None
        if recorded is None or stream.broken_capture:
            return CAPTURE_UNSUPPORTED + 1
        out.value = self._handle()
        self._graphs[out.value] = recorded
        return 0

    def _cudaGraphInstantiateWithFlags(self, out: Any, graph: int, flags: int) -> int:
        out.value = self._handle()
        self._executables[out.value] = list(self._graphs[graph])
        return 0

    def _cudaGraphLaunch(self, graph: int, stream: int) -> int:
        for operation in self._executables[graph]:
            self.enqueue(stream, operation)
        return 0

    def _cudaGraphExecDestroy(self, graph: int) -> int:
        return 0 if self._executables.pop(graph, None) is not None else INVALID

    def _cudaGraphDestroy(self, graph: int) -> int:
        return 0 if self._graphs.pop(graph, None) is not None else INVALID

    def _capturing(self) -> bool:
        recording = [stream for stream in self._streams.values() if stream.recording is not None]
        for stream in recording:
            stream.broken_capture = True
        return bool(recording)

    def _handle(self) -> int:
        self._handles += 16
        return self._handles

    def _counted(self, name: str, body: Callable[..., int]) -> Callable[..., int]:
        def counted(*arguments: Any) -> int:
            self.calls.append(name)
            if name == "cudaGetLastError":
                return body(*arguments)
            code = ILLEGAL_ADDRESS if self.lost else body(*arguments)
            self.last_error = code or self.last_error
            return code

        return counted


def _plain(kind: Any, value: Any) -> Any:
    """The value behind a ctypes argument of the declared kind."""
    if hasattr(value, "_obj"):  # byref(...)
        if not issubclass(kind, ctypes._Pointer) or not isinstance(value._obj, kind._type_):
            raise Misuse(f"a pointer to {type(value._obj).__name__} where {kind.__name__} is declared")
        return value._obj
    if isinstance(value, ctypes._SimpleCData):
        value = value.value or 0
    converted = kind(value).value or 0
    if converted != value:
        raise Misuse(f"{value} does not fit into {kind.__name__}")
    return converted
