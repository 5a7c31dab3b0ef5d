"""Measures how large the values inside float32 graphs become, and decides which nodes float16 cannot hold.

A node becomes a float32 island when something it gives, or a sum that it forms inside, comes within a factor of eight
of float16's largest number. Nothing is decided by the kind of network. The sums are those of a mean and of an instance
norm's variance over time; a LayerNormalization forms its own in float32 by the operator's definition.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts.convert.builder import Node
from edge_tts.engine.contract import Engine, TensorSpec
from edge_tts.engine.load import load_engine

from .chain import Array, Chain, Feeds

HALF_LARGEST = 65504.0
HEADROOM = 8.0
LIMIT = HALF_LARGEST / HEADROOM
_LISTED = 5


# What a node adds up before it divides by the number of elements: over time, its input's last axis.
_SUMS: dict[str, Callable[[Array], Array]] = {
    "ReduceMean": lambda x: np.abs(x).sum(axis=-1),
    "InstanceNormalization": lambda x: np.square(x).sum(axis=-1),
}


@dataclass(slots=True)
class Ranges:
    """Largest absolute number per value of one graph, and per node the largest sum that it forms inside."""

    nodes: Mapping[str, Node]
    values: dict[str, float] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)

    def see(self, arrays: Mapping[str, Array]) -> None:
        """Take note of what one run took and gave."""
        for value, array in arrays.items():
            if array.dtype.kind == "f":
                self.values[value] = max(self.values.get(value, 0.0), _largest(array))
        for value, node in self.nodes.items():
            if node.kind in _SUMS and node.inputs[0] in arrays:
                total = _SUMS[node.kind](arrays[node.inputs[0]].astype(np.float64))
                self.sums[value] = max(self.sums.get(value, 0.0), _largest(total))

    @property
    def largest(self) -> dict[str, float]:
        """Per node the larger of what it gives and what it adds up."""
        names = {value: node.name for value, node in self.nodes.items()}
        return {names.get(value, value): max(seen, self.sums.get(value, 0.0)) for value, seen in self.values.items()}

    @property
    def islands(self) -> frozenset[str]:
        """Nodes that float16 cannot hold with headroom: by what they take, give or add up. Not finite is too large."""
        wide = {value for value, seen in self.values.items() if seen >= LIMIT}
        wide |= {value for value, total in self.sums.items() if total >= LIMIT}
        return frozenset(
            node.name
            for value, node in self.nodes.items()
            if value in wide or any(self.values.get(source, 0.0) >= LIMIT for source in node.inputs)
        )

    @property
    def report(self) -> dict[str, Any]:
        """For people: the largest values and the islands."""
        order = sorted(self.largest.items(), key=lambda item: -item[1])
        return {
            "nodes": len(order),
            "largest": {node: float(f"{largest:.4g}") for node, largest in order[:_LISTED]},
            "float32_islands": sorted(self.islands),
        }


def _largest(array: Array) -> float:
    """Largest absolute number; infinity when one is not a number, which compares with nothing."""
    if not np.isfinite(array).all():
        return float("inf")
    return float(np.abs(array, dtype=np.float64).max(initial=0.0))


def measure(folder: Path, nodes: Mapping[str, Mapping[str, Node]], *, threads: int = 0) -> dict[str, Ranges]:
    """Ranges of the exposed float32 graphs in `folder`, by file name; `nodes` tells what is in them.

    Needs room for the values of one graph at a time.
    """
    probe = _Probe(folder, nodes, threads)
    names = [file.removesuffix(".onnx") for file in nodes]
    try:
        Chain(names, probe.run, probe.inputs).walk()
    finally:
        probe.close()
    return {f"{name}.onnx": ranges for name, ranges in probe.ranges.items()}


def islands_of(ranges: Mapping[str, Ranges]) -> dict[str, frozenset[str]]:
    """What `edge_tts.convert` takes: graph file -> nodes that stay float32."""
    return {graph: measured.islands for graph, measured in ranges.items()}


def write_report(ranges: Mapping[str, Ranges], path: Path) -> None:
    """The range report of a set as JSON."""
    graphs = {graph: measured.report for graph, measured in sorted(ranges.items())}
    text = json.dumps({"limit": LIMIT, "headroom": HEADROOM, "graphs": graphs}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")


class _Probe:
    """Runs exposed graphs; keeps one of them loaded at a time."""

    def __init__(self, folder: Path, nodes: Mapping[str, Mapping[str, Node]], threads: int) -> None:
        self._folder, self._nodes, self._threads = folder, nodes, threads
        self._name = ""
        self._engine: Engine | None = None
        self.ranges: dict[str, Ranges] = {}

    def run(self, name: str, feeds: Feeds) -> Mapping[str, Array]:
        """The graph's own outputs; what is inside is only measured."""
        nodes = self._nodes[f"{name}.onnx"]
        results = self._load(name).run(dict(feeds))
        self.ranges.setdefault(name, Ranges(nodes)).see({**feeds, **results})
        return {value: array for value, array in results.items() if nodes[value].name == f"out/{value}"}

    def inputs(self, name: str) -> Mapping[str, TensorSpec]:
        """What the graph takes."""
        return self._load(name).inputs

    def close(self) -> None:
        """Unload what is loaded."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def _load(self, name: str) -> Engine:
        if self._engine is None or name != self._name:
            self.close()
            self._engine, self._name = load_engine(self._folder / f"{name}.onnx", threads=self._threads), name
        return self._engine
