"""The contract of a loaded network: arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input, output or buffer; dimensions given as text vary."""

    name: str
    shape: tuple[int | str, ...]
    dtype: np.dtype[Any]


class Buffer(Protocol):
    """Memory where the network computes, allocated before the loop that uses it."""

    @property
    def spec(self) -> TensorSpec: ...

    def prefix(self, plane: int, length: int) -> Buffer:
        """The dense sub-array `[plane, :length]`, sharing memory."""

    def write_at(self, rows: Buffer, *, time: int, row: int, source_row: int = 0, count: int | None = None) -> None:
        """The strided append to a slab [planes, times, batch, width]:

        `self[:, time:time + count, row] = rows[:, :count, source_row]` for `rows` [planes, n, batch, width], all n
        by default; `rows` [planes, batch, width] counts as n = 1.
        """


class Engine(Protocol):
    """One loaded network."""

    @property
    def inputs(self) -> Mapping[str, TensorSpec]: ...

    @property
    def outputs(self) -> Mapping[str, TensorSpec]: ...

    def empty(self, spec: TensorSpec) -> Buffer:
        """A buffer of a fixed shape, zeroed, since NaN survives a zero weight."""

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        """Compute all outputs. Raises `EngineError` when the feeds do not fit or the runtime fails."""

    def run_keeping(self, feeds: Mapping[str, Array | Buffer], keep: str) -> tuple[dict[str, Array], Buffer]:
        """As `run`, but the output `keep` stays where it was computed; valid until the next run."""

    def close(self) -> None: ...


@runtime_checkable
class InPlaceEngine(Engine, Protocol):
    """An engine in host memory, which can run over fixed arrays."""

    def bind(self, arrays: Mapping[str, Array]) -> Callable[[], None]:
        """A run that reads and writes `arrays`, one for each input and output, C-contiguous.

        One array may be both an input and an output: a cache that grows in place. The run raises `EngineError`.
        """
