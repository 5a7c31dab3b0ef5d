"""Reads the arrays of a checkpoint one at a time, checked for name, shape and finite values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_tts.convert.raw_array import Array
from edge_tts.convert.safetensors_file import SafetensorsFile
from edge_tts.convert.torch_file import open_torch
from edge_tts.errors import CheckpointError

FloatArray = npt.NDArray[np.float32]


class Source(Protocol):
    """The arrays of a checkpoint file."""

    shapes: Mapping[str, tuple[int, ...]]

    def read(self, name: str) -> Array:
        """The array as stored (bfloat16 as float32)."""


class Weights:
    """The arrays of one network; `label` is for messages."""

    def __init__(self, source: Source, label: str, *, prefix: str = "") -> None:
        self.label = label
        self._source = source
        self._prefix = prefix
        self._taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._source.shapes

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """Raises CheckpointError when the array is missing or of another rank."""
        full = self._prefix + name
        if full not in self._source.shapes:
            raise CheckpointError(f"{self.label}: the parameter {full} is missing")
        shape = self._source.shapes[full]
        if len(shape) != rank:
            raise CheckpointError(f"{self.label}: {full} has shape {list(shape)}, expected {rank} axes")
        return shape

    def take(self, name: str, *shape: int) -> FloatArray:
        """The array as float32. Raises CheckpointError when it is missing, misshapen or not finite."""
        stored, full = self.shape(name, len(shape)), self._prefix + name
        if stored != shape:
            raise CheckpointError(f"{self.label}: {full} has shape {list(stored)}, expected {list(shape)}")
        array = self._source.read(full).astype(np.float32)
        if not np.isfinite(array).all():
            raise CheckpointError(f"{self.label}: {full} holds NaN or infinity")
        self._taken.add(full)
        return array

    def count(self, pattern: str) -> int:
        """How many indices, from 0, an array called `pattern` has at {}. Raises CheckpointError for a gap."""
        form = re.compile(re.escape(self._prefix + pattern).replace(r"\{\}", r"(\d+)"))
        indices = {int(match[1]) for match in map(form.fullmatch, self._source.shapes) if match}
        for index in range(len(indices)):
            if index not in indices:
                raise CheckpointError(f"{self.label}: the parameter {self._prefix}{pattern.format(index)} is missing")
        return len(indices)

    def complete(self, unused: str = "$^") -> None:
        """Raise CheckpointError for arrays never taken, unless the regular expression `unused` matches."""
        left = [name for name in self._source.shapes if name not in self._taken and not re.match(unused, name)]
        if left:
            raise CheckpointError(f"{self.label}: unexpected parameter {left[0]} ({len(left)} such in all)")


@contextmanager
def open_folder(folder: Path, names: Sequence[str] = ("model.safetensors", "pytorch_model.bin")) -> Iterator[Source]:
    """Open the weights of a transformers folder, the first of `names`. Raises CheckpointError."""
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise CheckpointError(f"{folder}: holds none of {', '.join(names)}")
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            yield SafetensorsFile(path, file)
    else:
        with open_torch(path) as archive:
            yield archive.use(archive.tree)
