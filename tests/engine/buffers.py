"""RecentContents of device buffers, for comparison with host arrays."""

from __future__ import annotations

import numpy as np

from edge_tts.engine.contract import Array
from edge_tts.engine.tensorrt.device_buffer import DeviceBuffer


def read(buffer: DeviceBuffer) -> Array:
    """A copy on the host."""
    array = np.empty(buffer.shape, buffer.spec.dtype)
    buffer._cuda.download(array.ctypes.data, buffer.address, buffer.nbytes)
    buffer._cuda.synchronize()
    return array


def write(buffer: DeviceBuffer, array: Array) -> None:
    """Replace the content by a dense array of the same shape and dtype."""
    buffer._cuda.upload(buffer.address, array.ctypes.data, buffer.nbytes)
    buffer._cuda.synchronize()
