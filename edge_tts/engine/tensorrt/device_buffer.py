"""Device memory as a `Buffer`: prefixes without a copy, the strided append as one pitched copy. Knows no TensorRT."""

from __future__ import annotations

import ctypes
from math import prod

import numpy as np

from edge_tts.engine.contract import Array, Buffer, TensorSpec
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.errors import EngineError


class DeviceBuffer:
    """A dense array on the device. All it queues goes to the stream of `cuda`, in order with the networks' work."""

    def __init__(self, spec: TensorSpec, address: int, cuda: Cuda) -> None:
        self.spec = spec
        self.shape = tuple(int(size) for size in spec.shape)
        self.address = address
        self._cuda = cuda
        self._prefixes: dict[tuple[int, int], DeviceBuffer] = {}

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return prod(self.shape) * self.spec.dtype.itemsize

    def belongs_to(self, cuda: Cuda) -> bool:
        """Whether its copies are ordered with the work of `cuda`'s stream."""
        return self._cuda is cuda

    def read(self) -> Array:
        array = np.empty(self.shape, self.spec.dtype)
        self._cuda.download(array.ctypes.data, self.address, self.nbytes)
        self._cuda.synchronize()
        return array

    def write(self, array: Array) -> None:
        if array.shape != self.shape or array.dtype != self.spec.dtype:
            raise EngineError(f"{self.spec.name} is {self.shape} {self.spec.dtype}, not {array.shape} {array.dtype}")
        dense = np.ascontiguousarray(array)
        self._cuda.upload(self.address, dense.ctypes.data, self.nbytes)
        self._cuda.synchronize()

    def prefix(self, plane: int, length: int) -> DeviceBuffer:
        # The same few prefixes are asked for at every step of the decode loop.
        known = self._prefixes.get((plane, length))
        if known is None:
            planes, capacity, *rest = self.shape
            if not (0 <= plane < planes and 0 <= length <= capacity):
                raise EngineError(f"{self.spec.name} {self.shape} has no prefix [{plane}, :{length}]")
            spec = TensorSpec(f"{self.spec.name}[{plane}]", (length, *rest), self.spec.dtype)
            address = self.address + plane * (self.nbytes // planes)
            known = self._prefixes[plane, length] = DeviceBuffer(spec, address, self._cuda)
        return known

    def write_at(self, rows: Buffer, *, time: int, row: int, source_row: int = 0) -> None:
        planes, capacity, batch, width = self.shape
        if not isinstance(rows, DeviceBuffer) or not rows.belongs_to(self._cuda):
            raise EngineError(f"{self.spec.name}: rows of a {type(rows).__name__} of another stream cannot be appended")
        count = 1 if len(rows.shape) == 3 else rows.shape[1]
        source_batch = rows.shape[-2]
        fits = rows.shape[0] == planes and rows.shape[-1] == width and rows.spec.dtype == self.spec.dtype
        inside = 0 <= time <= capacity - count and 0 <= row < batch and 0 <= source_row < source_batch
        if not fits or not inside:
            raise EngineError(f"{rows.shape}, row {source_row}, cannot be appended to {self.shape} at [{time}, {row}]")
        size = width * self.spec.dtype.itemsize
        target, source = self.address + (time * batch + row) * size, rows.address + source_row * size
        plane, source_plane = capacity * batch * size, count * source_batch * size
        if count == 1 or batch == source_batch == 1:  # per plane one dense stretch: a single copy for all planes
            self._cuda.copy_rows((target, plane), (source, source_plane), width=count * size, rows=planes)
            return
        for index in range(planes):
            into, out_of = target + index * plane, source + index * source_plane
            self._cuda.copy_rows((into, batch * size), (out_of, source_batch * size), width=size, rows=count)


class HostArea:
    """Page-locked host memory of a fixed size, seen as an array of any shape that fits. Owned by who made it."""

    def __init__(self, size: int, cuda: Cuda) -> None:
        self.address = cuda.allocate_host(size)
        self._bytes = np.ctypeslib.as_array((ctypes.c_uint8 * max(size, 1)).from_address(self.address))

    def view(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        """The first bytes of the area as an array."""
        array: Array = self._bytes[: prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
        return array
