"""Errors against tolerances: what is measured for each kind of quantity, and the table that is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Precision = Literal["fp32", "fp16"]
Measure = Callable[[Array, Array], float]


def largest(got: Array, want: Array) -> float:
    """Largest absolute difference."""
    return float(np.abs(got.astype(np.float64) - want).max(initial=0.0))


def mean(got: Array, want: Array) -> float:
    """Mean absolute difference."""
    return float(np.abs(got.astype(np.float64) - want).mean())


def relative(got: Array, want: Array) -> float:
    """rms of the difference over rms of the golden."""
    scale = float(np.sqrt(np.square(want.astype(np.float64)).mean()))
    return float(np.sqrt(np.square(got.astype(np.float64) - want).mean())) / max(scale, 1e-30)


def unequal(got: Array, want: Array) -> float:
    """Share of elements that differ."""
    return float((got != want).mean()) if want.size else 0.0


def other_argmax(got: Array, want: Array) -> float:
    """Share of rows whose largest element is another one."""
    return float((got.argmax(axis=-1) != want.argmax(axis=-1)).mean())


_MEASURES: dict[str, Measure] = {
    "max": largest,
    "mean": mean,
    "rel rms": relative,
    "unequal": unequal,
    "argmax": other_argmax,
}
_EXACT = {"unequal": 0.0}
# Quantity -> measure -> tolerance. What has no fp16 entry is computed in float32 there too.
_FP32: dict[str, dict[str, float]] = {
    "tokens": _EXACT,
    "codes": _EXACT,
    "logits": {"max": 1e-3},
    "latent": {"max": 1e-3},
    "audio": {"max": 5e-4},
    "hidden": {"max": 1e-3},
    "embedding": {"max": 1e-3},
    "spectrogram": {"max": 1e-3, "rel rms": 1e-5},
    "filterbank": {"mean": 1e-4, "max": 1e-2},
    "resampled": {"max": 1e-5},
    "probabilities": {"max": 5e-5},
}
_FP16: dict[str, dict[str, float]] = {
    "codes": {"unequal": 0.03},
    "logits": {"rel rms": 1e-2, "max": 0.3, "argmax": 0.05},
    "latent": {"rel rms": 1e-2, "max": 0.05},
    "audio": {"rel rms": 2e-2, "max": 0.03},
    "hidden": {"rel rms": 1e-2},
    "embedding": {"rel rms": 1e-2},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. A row without tolerance tells of something that is not judged."""

    part: str
    array: str
    measure: str
    error: float | None
    tolerance: float | None
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether the error is beyond the tolerance (or not a number)."""
        return self.tolerance is not None and not (self.error is not None and self.error <= self.tolerance)


class Table:
    """Collects rows and prints each as it comes."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self.rows: list[Row] = []
        print(f"{'part':<24}{'array':<26}{'measure':<9}{'error':>11}{'tolerance':>11}", flush=True)

    def compare(self, part: str, array: str, quantity: str, got: Array, want: Array) -> None:
        """Judge one array by the tolerances of its quantity."""
        half = self.precision == "fp16" and quantity in _FP16
        for measure, tolerance in (_FP16 if half else _FP32)[quantity].items():
            if got.shape != want.shape:
                self._add(Row(part, array, measure, None, tolerance, f"shape {got.shape}, expected {want.shape}"))
                return
            self._add(Row(part, array, measure, _MEASURES[measure](got, want), tolerance))

    def judge(self, part: str, array: str, measure: str, error: float, tolerance: float) -> None:
        """Judge a number that was measured elsewhere."""
        self._add(Row(part, array, measure, error, tolerance))

    def fail(self, part: str, array: str, note: str) -> None:
        """Something could not be computed at all."""
        self._add(Row(part, array, "-", None, 0.0, note))

    def skip(self, part: str, array: str, note: str) -> None:
        """Something is not judged, and why."""
        self._add(Row(part, array, "-", None, None, note))

    @property
    def misses(self) -> int:
        """How many rows missed."""
        return sum(row.missed for row in self.rows)

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        error = "-" if row.error is None else f"{row.error:.2e}"
        tolerance = "-" if row.tolerance is None else f"{row.tolerance:.0e}"
        verdict = "  MISS" if row.missed else ""
        note = f"  {row.note}" if row.note else ""
        print(f"{row.part:<24}{row.array:<26}{row.measure:<9}{error:>11}{tolerance:>11}{verdict}{note}", flush=True)
