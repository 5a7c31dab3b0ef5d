"""The same operations on a host buffer and on a device buffer leave the same numbers."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_tts.engine.contract import TensorSpec
from edge_tts.engine.onnxruntime import HostBuffer
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.device_buffer import DeviceBuffer

from .buffers import read, write
from .fake_cudart import FakeCudart

HALF = np.dtype(np.float16)


def pair(cuda: Cuda, shape: tuple[int, ...], start: int) -> tuple[HostBuffer, DeviceBuffer]:
    """Two buffers of that shape that hold the numbers from `start` on."""
    spec = TensorSpec("buffer", shape, HALF)
    content = (np.arange(np.prod(shape)) % 997 + start).astype(HALF).reshape(shape)
    device = DeviceBuffer(spec, cuda.allocate(content.nbytes), cuda)
    write(device, content)
    return HostBuffer(spec, content.copy()), device


ROWS = st.integers(1, 3)


@settings(max_examples=70, deadline=None)
@given(st.integers(1, 4), st.integers(1, 9), ROWS, ROWS, st.integers(0, 9), st.booleans(), st.data())
def test_appends_land_in_the_same_place(
    planes: int, capacity: int, batch: int, source_batch: int, count: int, flat: bool, data: st.DataObject
) -> None:
    """Any append that fits, of one row, many or the first of many, from any row to any, and any prefix read back."""
    cuda = Cuda(FakeCudart())
    count = 1 if flat else min(count, capacity)
    time = data.draw(st.integers(0, capacity - count))
    row, source_row = data.draw(st.integers(0, batch - 1)), data.draw(st.integers(0, source_batch - 1))
    host, device = pair(cuda, (planes, capacity, batch, 3), 0)
    shape = (planes, source_batch, 3) if flat else (planes, count, source_batch, 3)
    host_rows, device_rows = pair(cuda, shape, 1000)
    part = data.draw(st.none() | st.integers(0, count))
    host.write_at(host_rows, time=time, row=row, source_row=source_row, count=None if flat else part)
    device.write_at(device_rows, time=time, row=row, source_row=source_row, count=None if flat else part)
    np.testing.assert_array_equal(read(device), host.array)
    plane, length = data.draw(st.integers(0, planes - 1)), data.draw(st.integers(0, capacity))
    np.testing.assert_array_equal(read(device.prefix(plane, length)), host.prefix(plane, length).array)


@settings(max_examples=40, deadline=None)
@given(st.integers(-2, 6), st.integers(-1, 3), st.integers(-1, 2), st.integers(0, 6))
def test_no_append_reaches_outside(time: int, row: int, source_row: int, count: int) -> None:
    """Whatever is asked for, an append either changes its own cells or is refused; the device is never lost."""
    fake = FakeCudart()
    cuda = Cuda(fake)
    host, device = pair(cuda, (2, 4, 2, 3), 0)
    host_rows, device_rows = pair(cuda, (2, count, 2, 3), 500)
    inside = 0 <= time <= 4 - count and 0 <= row < 2 and 0 <= source_row < 2
    if inside:
        host.write_at(host_rows, time=time, row=row, source_row=source_row)
    refused = True
    with suppress(Exception):
        device.write_at(device_rows, time=time, row=row, source_row=source_row)
        refused = False
    assert refused != inside
    np.testing.assert_array_equal(read(device), host.array)
    assert not fake.lost
