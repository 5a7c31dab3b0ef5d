"""Compares two model sets of the same networks: each graph on the same inputs, and what is heard at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge_tts.engine.contract import Engine, TensorSpec
from edge_tts.engine.load import load_engine
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import FloatArray
from tools.conversion.chain import Array, Chain, Feeds

from .folder import GoldenError
from .table import Table

_QUANTITIES = {"codes": "codes", "logits": "logits", "audio": "audio", "embedding": "embedding"}
_HIDDEN = ("ssl", "hidden")
_DECISIONS = ("quantizer", "t2s_prefill", "t2s_step")
_WINDOW, _HOP = 1024, 256
_FLOOR_DB = 80.0
_LOUDEST_DISTANCE_DB = 1.0


def compare_sets(first: Path, second: Path, table: Table, *, threads: int = 0) -> None:
    """Judge `second` by `first` with the table's tolerances. Raises ModelError for a set that cannot be read."""
    names = sorted(_graphs(first) & _graphs(second))
    if not names:
        raise GoldenError(f"{first} and {second} have no graph in common")
    for name in sorted(_graphs(first) ^ _graphs(second)):
        table.skip(name, "", "only one of the sets has it")
    with _Pair(first, second, threads) as pair:
        both = _Both(pair, table)
        Chain(names, both.run, pair.inputs).walk()
        if "audio" in both.heard:
            other = _Alone(pair, both.decisions)
            Chain(names, other.run, pair.inputs).walk()
            distance = log_spectral_distance(both.heard["audio"][0], other.heard["audio"][0])
            table.judge("end to end", "audio", "lsd dB", distance, _LOUDEST_DISTANCE_DB)
            table.compare("end to end", "audio", "audio", other.heard["audio"], both.heard["audio"])


def log_spectral_distance(first: FloatArray, second: FloatArray) -> float:
    """Mean over frames of the rms over bins of the difference in dB; what is 80 dB below the peak counts as silent."""
    spectra = []
    for samples in (first, second):
        frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), _WINDOW)[::_HOP]
        spectra.append(20 * np.log10(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)) + 1e-12))
    floor = max(spectrum.max() for spectrum in spectra) - _FLOOR_DB
    difference = np.maximum(spectra[0], floor) - np.maximum(spectra[1], floor)
    return float(np.sqrt(np.square(difference).mean(axis=1)).mean())


def _graphs(folder: Path) -> set[str]:
    return {
        name.removesuffix(".onnx")
        for name in read_model_set(folder).files
        if name.endswith(".onnx") and "/" not in name
    }


class _Pair:
    """The same graph of two sets, loaded together; one graph at a time, because two full sets are large."""

    def __init__(self, first: Path, second: Path, threads: int) -> None:
        self._folders, self._threads = (first, second), threads
        self._stack = ExitStack()
        self._name = ""
        self._engines: list[Engine] = []

    def __enter__(self) -> _Pair:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def run(self, which: int, name: str, feeds: Feeds) -> Mapping[str, Array]:
        """Outputs of the graph of one of the sets; what crosses its border in float16 there is cast."""
        engine = self._load(name)[which]
        return engine.run({key: array.astype(engine.inputs[key].dtype) for key, array in feeds.items()})

    def inputs(self, name: str) -> Mapping[str, TensorSpec]:
        """What the graph takes."""
        return self._load(name)[0].inputs

    def _load(self, name: str) -> list[Engine]:
        if name != self._name:
            self._stack.close()
            self._engines = [load_engine(folder / f"{name}.onnx", threads=self._threads) for folder in self._folders]
            for engine in self._engines:
                self._stack.callback(engine.close)
            self._name = name
        return self._engines


class _Both:
    """Runs both graphs on the first set's values and judges each output."""

    def __init__(self, pair: _Pair, table: Table) -> None:
        self._pair, self._table = pair, table
        self.decisions: list[Mapping[str, Array]] = []
        self.heard: Mapping[str, Array] = {}

    def run(self, name: str, feeds: Feeds) -> Mapping[str, Array]:
        first, second = (self._pair.run(which, name, feeds) for which in (0, 1))
        if name != "t2s_step" or not any(row.part == name for row in self._table.rows):
            for output, want in first.items():
                quantity = _QUANTITIES.get(output, "hidden" if output in _HIDDEN else "latent")
                self._table.compare(name, output, quantity, second[output], want)
        if name in _DECISIONS:
            self.decisions.append(first)
        if name == "wave":
            self.heard = first
        return first


class _Alone:
    """Runs the second set on its own values; only tokens are the first set's, so that the two waves stay aligned."""

    def __init__(self, pair: _Pair, decisions: list[Mapping[str, Array]]) -> None:
        self._pair, self._decisions = pair, list(decisions)
        self.heard: Mapping[str, Array] = {}

    def run(self, name: str, feeds: Feeds) -> Mapping[str, Array]:
        if name in _DECISIONS:
            return self._decisions.pop(0)
        results = self._pair.run(1, name, feeds)
        if name == "wave":
            self.heard = results
        return results
