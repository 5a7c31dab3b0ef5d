"""Looks at checkpoint files within the test's own process, which is quick and lets pytest see what is raised."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge_tts.convert.checkpoint import Checkpoint
from edge_tts.convert.inspection import inspect

TREE = {
    "half": np.arange(6, dtype=np.float16).reshape(2, 3),
    "long": np.array([7], np.int64),
    "single": np.full((2, 2), 0.5, np.float32),
    "scalar": np.array(3.0, np.float64),
}


@contextmanager
def looked_at(path: Path) -> Iterator[Checkpoint]:
    """As `open_checkpoint`, in this process."""
    with path.open("rb") as file, tempfile.TemporaryFile() as spool:
        yield Checkpoint(path, file, spool, inspect(file.fileno(), spool))


def read_all(path: Path) -> dict[str, np.ndarray]:
    with looked_at(path) as source:
        return {name: np.array(source.read(name)) for name in source.shapes}
