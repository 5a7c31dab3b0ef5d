"""The checking device finds misuse and `Cuda` reports failures: what the other tests rely on."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.errors import DeviceLostError, EngineError

from .fake_cudart import FakeCudart, Misuse


@pytest.fixture
def cuda(device: FakeCudart) -> Cuda:
    """A stream on the checking device."""
    return Cuda(device)


def floats(cuda: Cuda, address: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Device memory as float32, after a wait."""
    array = np.zeros(count, np.float32)
    cuda.download(array.ctypes.data, address, array.nbytes)
    cuda.synchronize()
    return array


def test_fresh_memory_is_nan_and_zero_makes_it_zero(cuda: Cuda) -> None:
    """Reading memory that was never written is found."""
    address = cuda.allocate(40)
    assert np.isnan(floats(cuda, address, 10)).all()
    cuda.zero(address, 40)
    assert (floats(cuda, address, 10) == 0).all()


def test_nothing_happens_before_synchronization(cuda: Cuda) -> None:
    """A result that is read too early is still the old one."""
    address, array = cuda.allocate(16), np.full(4, 7, np.float32)
    cuda.zero(address, 16)
    cuda.download(array.ctypes.data, address, 16)
    assert (array == 7).all()
    cuda.synchronize()
    assert (array == 0).all()


def test_page_locked_memory_is_read_when_the_copy_happens(cuda: Cuda) -> None:
    """Overwriting it before the wait sends the new content: the mistake shows in the numbers."""
    address, host = cuda.allocate(4), cuda.allocate_host(4)
    ctypes.memset(host, 0, 4)
    cuda.upload(address, host, 4)
    ctypes.memset(host, 1, 4)
    cuda.synchronize()
    assert floats(cuda, address, 1).tobytes() == b"\x01\x01\x01\x01"


@pytest.mark.parametrize("mistake", ["freed", "host", "beyond"])
def test_a_wrong_address_loses_the_device(cuda: Cuda, mistake: str) -> None:
    """Freed memory, a host pointer, a byte too much: reported at the wait, and for every call after it."""
    address = cuda.allocate(16)
    if mistake == "freed":
        cuda.free(address)
    wrong = np.zeros(4, np.float32).ctypes.data if mistake == "host" else address
    cuda.zero(wrong, 17 if mistake == "beyond" else 16)
    with pytest.raises(DeviceLostError):
        cuda.synchronize()
    with pytest.raises(DeviceLostError):
        cuda.allocate(1)


def test_a_pitch_smaller_than_the_width_is_refused(cuda: Cuda) -> None:
    """Rows may not overlap."""
    address = cuda.allocate(64)
    with pytest.raises(EngineError, match=r"cudaMemcpy2DAsync.*CUDA error 12"):
        cuda.copy_rows((address, 4), (address, 16), width=8, rows=2)


def test_memory_may_not_be_freed_under_queued_work(cuda: Cuda) -> None:
    """Freeing what queued work will touch is misuse."""
    address = cuda.allocate(16)
    cuda.zero(address, 16)
    with pytest.raises(Misuse, match="queued work"):
        cuda.free(address)


def test_a_captured_graph_repeats_its_work(cuda: Cuda) -> None:
    """What is queued inside the block happens at each launch and not before; the graph is gone after `discard`."""
    address = cuda.allocate(16)
    with cuda.capture() as graph:
        cuda.zero(address, 16)
    assert np.isnan(floats(cuda, address, 4)).all()
    for _ in range(2):
        cuda.upload(address, np.full(4, 3, np.float32).ctypes.data, 16)
        cuda.launch(graph)
        assert (floats(cuda, address, 4) == 0).all()
    cuda.discard(graph)
    cuda.discard(graph)


@pytest.mark.parametrize("forbidden", ["allocate", "synchronize", "pageable", "own error"])
def test_what_cannot_be_captured_leaves_a_usable_stream(cuda: Cuda, device: FakeCudart, forbidden: str) -> None:
    """Allocations, waits and copies of ordinary memory end the capture with an error, which is not left behind for the
    next who asks, and work goes on afterwards."""
    address = cuda.allocate(16)

    def record() -> None:
        with cuda.capture():
            if forbidden == "allocate":
                cuda.allocate(1)
            elif forbidden == "synchronize":
                cuda.synchronize()
            elif forbidden == "pageable":
                cuda.upload(address, np.zeros(4, np.float32).ctypes.data, 16)
            else:
                raise EngineError("refused by the network")

    with pytest.raises(EngineError):
        record()
    assert device.last_error == 0
    cuda.zero(address, 16)
    assert (floats(cuda, address, 4) == 0).all()
    cuda.close()
    assert device.leaks == []


def test_closing_gives_everything_back(cuda: Cuda, device: FakeCudart) -> None:
    """Memory that was not freed goes with its owner; closing twice is harmless."""
    cuda.allocate(100)
    cuda.allocate_host(100)
    cuda.close()
    cuda.close()
    assert device.leaks == []


def test_wrong_arguments_do_not_reach_the_library(device: FakeCudart) -> None:
    """The fake wants declared types, as ctypes on aarch64 does: an undeclared 64-bit pointer would be cut in half."""
    with pytest.raises(Misuse, match="declared None"):
        device.cudaMalloc(1, 2)
    cuda = Cuda(device)
    with pytest.raises(Misuse, match="does not fit"):
        cuda._call("cudaMemsetAsync", 1 << 70, 0, 1, cuda.stream)
