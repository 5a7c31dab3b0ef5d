"""Device memory as a `Buffer`: prefixes without a copy, the strided append as one pitched copy."""

from __future__ import annotations

import ctypes
from math import prod

import numpy as np

from edge_tts.engine.contract import Array, Buffer, TensorSpec
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.errors import EngineError


class DeviceBuffer:
    """A dense array on the device; its copies are queued on the stream of `cuda`."""

    def __init__(self, spec: TensorSpec, address: int, cuda: Cuda) -> None:
        self.spec = spec
        self.shape = tuple(int(size) for size in spec.shape)
        self.address = address
        self.nbytes = prod(self.shape) * spec.dtype.itemsize
        self._cuda = cuda
        self._prefixes: dict[tuple[int, int], DeviceBuffer] = {}

    def belongs_to(self, cuda: Cuda) -> bool:
        return self._cuda is cuda

    def prefix(self, plane: int, length: int) -> DeviceBuffer:
        # Cached: the decode loop asks for the same few at every step.
        cached = self._prefixes.get((plane, length))
        if cached is None:
            planes, capacity, *rest = self.shape
            if not (0 <= plane < planes and 0 <= length <= capacity):
                raise EngineError(f"{self.spec.name} {self.shape} has no prefix [{plane}, :{length}]")
            spec = TensorSpec(f"{self.spec.name}[{plane}]", (length, *rest), self.spec.dtype)
            address = self.address + plane * (self.nbytes // planes)
            cached = self._prefixes[plane, length] = DeviceBuffer(spec, address, self._cuda)
        return cached

    def write_at(self, rows: Buffer, *, time: int, row: int, source_row: int = 0, count: int | None = None) -> None:
        planes, capacity, batch, width = self.shape
        if not isinstance(rows, DeviceBuffer) or not rows.belongs_to(self._cuda):
            raise EngineError(f"{self.spec.name}: rows of a {type(rows).__name__} of another stream cannot be appended")
        held = 1 if len(rows.shape) == 3 else rows.shape[1]
        count = held if count is None else min(count, held)
        source_batch = rows.shape[-2]
        fits = rows.shape[0] == planes and rows.shape[-1] == width and rows.spec.dtype == self.spec.dtype
        inside = 0 <= time <= capacity - count and 0 <= row < batch and 0 <= source_row < source_batch
        if not fits or not inside:
            raise EngineError(f"{rows.shape}, row {source_row}, cannot be appended to {self.shape} at [{time}, {row}]")
        size = width * self.spec.dtype.itemsize
        target, source = self.address + (time * batch + row) * size, rows.address + source_row * size
        plane, source_plane = capacity * batch * size, held * source_batch * size
        if count == 1 or batch == source_batch == 1:  # each plane is dense: one copy for all planes
            self._cuda.copy_rows((target, plane), (source, source_plane), width=count * size, rows=planes)
            return
        for index in range(planes):
            to, origin = target + index * plane, source + index * source_plane
            self._cuda.copy_rows((to, batch * size), (origin, source_batch * size), width=size, rows=count)


class HostArea:
    """Page-locked host memory, viewed as arrays. The caller frees `address`."""

    def __init__(self, size: int, cuda: Cuda) -> None:
        self.address = cuda.allocate_host(size)
        self._bytes = np.ctypeslib.as_array((ctypes.c_uint8 * max(size, 1)).from_address(self.address))

    def view(self, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Array:
        array: Array = self._bytes[: prod(shape) * dtype.itemsize].view(dtype).reshape(shape)
        return array
