"""`engine/tensorrt/cuda.py` for real: allocation, copies, strided appends, streams, events, captured graphs, errors."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_float, c_int, c_uint, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts.engine.contract import TensorSpec
from edge_tts.engine.tensorrt.cuda import LIBRARIES, Cuda, open_library
from edge_tts.engine.tensorrt.device_buffer import DeviceBuffer, HostArea
from edge_tts.errors import DeviceLostError, EngineError, ModelError
from tools.gpu.report import Report, Skipped

_EVENTS: dict[str, tuple[Any, ...]] = {
    "cudaEventCreate": (POINTER(c_void_p),),
    "cudaEventRecord": (c_void_p, c_void_p),
    "cudaEventSynchronize": (c_void_p,),
    "cudaEventElapsedTime": (POINTER(c_float), c_void_p, c_void_p),
    "cudaEventDestroy": (c_void_p,),
    "cudaStreamWaitEvent": (c_void_p, c_void_p, c_uint),
}
_ROUNDS = 10


def find_library() -> Any:
    """CUDA's runtime: the system's, or one that came as a wheel."""
    try:
        return open_library()
    except ModelError as missing:
        for place in map(Path, sys.path):
            for name in LIBRARIES[:2]:
                for path in sorted(place.glob(f"nvidia/**/{name}")):
                    return ctypes.CDLL(str(path))
        raise Skipped(str(missing)) from missing


def open_device() -> Cuda:
    try:
        return Cuda(find_library())
    except ModelError as error:
        raise Skipped(str(error)) from error


def run(report: Report, folder: Path, open_cuda: Callable[[], Cuda] = open_device, *, megabytes: int = 512) -> None:
    cuda = open_cuda()
    free, total = cuda.memory()
    report.row("device", f"compute capability {cuda.capability()}, CUDA {cuda.version()}", f"{total / 1e9:.1f} GB")
    with report.check("memory goes up and comes down unchanged, and zeroes"):
        _round_trip(cuda)
    with report.check(
        "a prefix of a plane is read where it lies; a strided append lands in its row (float16, float32)"
    ):
        for dtype in (np.float16, np.float32):
            for batch in (1, 3):
                _append(cuda, np.dtype(dtype), batch)
    with report.check("two streams have buffers of their own"):
        _streams(cuda, open_cuda)
    with report.check("events order two streams and tell the time between them"):
        _events(cuda, open_cuda)
    with report.check("a captured graph repeats copies with what is in page-locked memory then"):
        _capture(cuda)
    with report.check("a refused capture leaves a usable stream"):
        _refused_capture(cuda)
    with report.check("a full device and a wrong pitch are named errors, and work goes on"):
        _errors(cuda, total)
    with report.check("the bandwidth of the device's memory"):
        rate = _bandwidth(cuda, min(megabytes << 20, free // 8))
        report.figure("bandwidth", rate)
        report.row("bandwidth", f"{rate / 1e9:.0f} GB/s", "copy on the device, read and written bytes, best of 10")
    with report.check("launching a captured graph and waiting for it"):
        seconds = _launch(cuda)
        report.figure("launch_us", 1e6 * seconds)
        report.row("launch and wait", f"{1e6 * seconds:.1f} µs", "median of 200; a graph of one small copy")
    with report.check("closing gives everything back"):
        cuda.close()
    with report.check("an address that is none is a named error"):
        _wrong_address(open_cuda())


def _round_trip(cuda: Cuda) -> None:
    data = np.arange(1000, dtype=np.float32)
    address, area = cuda.allocate(data.nbytes), HostArea(data.nbytes, cuda)
    view = area.view(data.shape, data.dtype)
    view[...] = data
    cuda.upload(address, area.address, data.nbytes)
    cuda.synchronize()
    view[...] = 0
    cuda.download(area.address, address, data.nbytes)
    cuda.synchronize()
    np.testing.assert_array_equal(view, data)
    cuda.zero(address, data.nbytes)
    cuda.download(area.address, address, data.nbytes)
    cuda.synchronize()
    assert not view.any()
    cuda.free(address)
    cuda.free_host(area.address)


def _append(cuda: Cuda, dtype: np.dtype[Any], batch: int) -> None:
    """As the decoder does: a slab of planes, a row appended at a time and read again by prefix."""
    planes, positions, width = 6, 128, 32
    slab, rows = _buffer(cuda, (planes, positions, batch, width), dtype), _buffer(cuda, (planes, batch, width), dtype)
    expected = np.zeros(slab.shape, dtype)
    for when in (0, 1, 63, 127):
        fresh = np.random.default_rng(when).standard_normal(rows.shape).astype(dtype)
        _write(cuda, rows, fresh)
        slab.write_at(rows, time=when, row=batch - 1, source_row=0)
        expected[:, when, batch - 1] = fresh[:, 0]
    np.testing.assert_array_equal(_read(cuda, slab), expected)
    np.testing.assert_array_equal(_read(cuda, slab.prefix(planes - 1, 64)), expected[planes - 1, :64])
    long = _buffer(cuda, (planes, 20, 1, width), dtype)
    many = np.random.default_rng(9).standard_normal(long.shape).astype(dtype)
    _write(cuda, long, many)
    slab.write_at(long, time=10, row=0)
    expected[:, 10:30, 0] = many[:, :, 0]
    np.testing.assert_array_equal(_read(cuda, slab), expected)


def _streams(cuda: Cuda, open_cuda: Callable[[], Cuda]) -> None:
    other = open_cuda()
    mine, theirs = _buffer(cuda, (2, 4, 1, 8), np.dtype(np.float32)), _buffer(other, (2, 1, 8), np.dtype(np.float32))
    assert cuda.stream != other.stream
    with _refused("another stream"):
        mine.write_at(theirs, time=0, row=0)
    cuda.synchronize()
    other.close()


def _events(cuda: Cuda, open_cuda: Callable[[], Cuda]) -> None:
    """Work of one stream that waits for an event of another sees what was done before it."""
    library, other = cuda._library, open_cuda()
    for name, arguments in _EVENTS.items():
        function = getattr(library, name, None)
        if function is None:
            raise Skipped(f"this runtime has no {name}")
        function.argtypes, function.restype = list(arguments), c_int
    address, area = cuda.allocate(1 << 20), HostArea(1 << 20, cuda)
    first, last = _event(library), _event(library)
    area.view((1 << 20,), np.dtype(np.uint8))[...] = 7
    _expect(library.cudaEventRecord(first, cuda.stream))
    cuda.upload(address, area.address, 1 << 20)
    _expect(library.cudaEventRecord(last, cuda.stream))
    _expect(library.cudaStreamWaitEvent(other.stream, last, 0))
    result = HostArea(1 << 20, other)
    other.download(result.address, address, 1 << 20)
    other.synchronize()
    assert (result.view((1 << 20,), np.dtype(np.uint8)) == 7).all()
    milliseconds = c_float()
    _expect(library.cudaEventSynchronize(last))
    _expect(library.cudaEventElapsedTime(byref(milliseconds), first, last))
    assert 0 <= milliseconds.value < 1000
    for event in (first, last):
        _expect(library.cudaEventDestroy(event))
    cuda.synchronize()
    other.close()


def _capture(cuda: Cuda) -> None:
    size = 4096
    address, up, down = cuda.allocate(size), HostArea(size, cuda), HostArea(size, cuda)
    shape, dtype = (size // 4,), np.dtype(np.float32)
    with cuda.capture() as graph:
        cuda.upload(address, up.address, size)
        cuda.download(down.address, address, size)
    for value in (1.0, 2.0, 3.0):
        up.view(shape, dtype)[...] = value
        cuda.launch(graph)
        cuda.synchronize()
        assert (down.view(shape, dtype) == value).all(), "the graph copied something else"
    cuda.discard(graph)


def _refused_capture(cuda: Cuda) -> None:
    address = cuda.allocate(1024)
    with _refused(""), cuda.capture():
        cuda.zero(address, 1024)
        cuda.synchronize()
    cuda.zero(address, 1024)
    cuda.synchronize()


def _errors(cuda: Cuda, total: int) -> None:
    with _refused("MB are free"):
        cuda.allocate(2 * total)
    address = cuda.allocate(4096)
    with _refused("cudaMemcpy2DAsync"):
        cuda.copy_rows((address, 4), (address + 2048, 16), width=8, rows=2)
    cuda.zero(address, 4096)
    cuda.synchronize()


def _wrong_address(cuda: Cuda) -> None:
    try:
        cuda.zero(12345, 16)
        cuda.synchronize()
    except (EngineError, DeviceLostError):
        return
    raise AssertionError("the device took an address that nobody allocated")


def _bandwidth(cuda: Cuda, size: int) -> float:
    """Bytes per second, read and written, of a copy on the device."""
    width = 1 << 16
    rows = max(size // 2 // width, 1)
    source, target = cuda.allocate(rows * width), cuda.allocate(rows * width)
    best = float("inf")
    for _ in range(_ROUNDS):
        cuda.synchronize()
        began = time.perf_counter()
        cuda.copy_rows((target, width), (source, width), width=width, rows=rows)
        cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    cuda.free(source)
    cuda.free(target)
    return 2 * rows * width / best


def _launch(cuda: Cuda) -> float:
    address, area = cuda.allocate(256), HostArea(256, cuda)
    with cuda.capture() as graph:
        cuda.upload(address, area.address, 256)
    seconds = []
    for _ in range(200):
        began = time.perf_counter()
        cuda.launch(graph)
        cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    cuda.discard(graph)
    return float(np.median(seconds))


@contextmanager
def _refused(words: str) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        if words not in str(error):
            raise AssertionError(f"another error than {words!r}") from error
    else:
        raise AssertionError(f"nothing was refused; expected an error with {words!r}")


def _event(library: Any) -> c_void_p:
    event = c_void_p()
    _expect(library.cudaEventCreate(byref(event)))
    return event


def _expect(code: int) -> None:
    assert code == 0, f"CUDA error {code}"


def _buffer(cuda: Cuda, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceBuffer:
    size = int(np.prod(shape)) * dtype.itemsize
    address = cuda.allocate(size)
    cuda.zero(address, size)
    return DeviceBuffer(TensorSpec("buffer", shape, dtype), address, cuda)


def _write(cuda: Cuda, buffer: DeviceBuffer, data: np.ndarray[Any, Any]) -> None:
    data = np.ascontiguousarray(data)
    cuda.upload(buffer.address, data.ctypes.data, buffer.nbytes)
    cuda.synchronize()


def _read(cuda: Cuda, buffer: DeviceBuffer) -> np.ndarray[Any, Any]:
    data = np.empty(buffer.shape, buffer.spec.dtype)
    cuda.download(data.ctypes.data, buffer.address, buffer.nbytes)
    cuda.synchronize()
    return data
