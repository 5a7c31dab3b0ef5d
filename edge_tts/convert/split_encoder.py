"""Cuts SoVITS' encoder where its text ends: while a sentence is streamed, only what tokens change is computed anew."""

from __future__ import annotations

from collections.abc import Iterable

from edge_tts.convert.builder import DType, Graph, StoredGraph, StoredNode, Value, stored_constant
from edge_tts.graphs import CODES, GE, MEMORY, PHONEME_IDS


def text_end(graph: StoredGraph) -> str | None:
    """The last value that comes from the phonemes alone, and through which alone they go on; None where they are not
    attended to before, so that little would be won."""
    for node in reversed(graph.nodes):
        cut = node.outputs[0]
        text, inputs = _needed(graph, [cut])
        if inputs == {PHONEME_IDS} and PHONEME_IDS not in _needed(graph, _results(graph), stop=cut)[1]:
            return cut if any(one.kind == "Softmax" for one in text) else None
    return None


def write_text(g: Graph, graph: StoredGraph, cut: str) -> None:
    """phoneme_ids [1, P] -> memory [1, P, M]."""
    values = _write(g, graph, _needed(graph, [cut])[0], {})
    g.output(MEMORY, values[cut], (1, "P", "M"))


def write_codes(g: Graph, graph: StoredGraph, cut: str) -> None:
    """codes [1, N], memory [1, P, M], ge [1, G, 1] -> features."""
    nodes, _ = _needed(graph, _results(graph), stop=cut)
    values = _write(g, graph, nodes, {cut: g.input(MEMORY, (1, "P", "M"))})
    for port in graph.outputs:
        g.output(port.name, values[port.name], port.shape)


def _results(graph: StoredGraph) -> list[str]:
    return [port.name for port in graph.outputs]


def _needed(graph: StoredGraph, results: Iterable[str], stop: str = "") -> tuple[list[StoredNode], set[str]]:
    """The nodes that compute the results, in order, and the graph's inputs that they read; `stop` is given."""
    wanted, nodes = set(results), list[StoredNode]()
    for node in reversed(graph.nodes):
        if node.outputs[0] in wanted and node.outputs[0] != stop:
            nodes.append(node)
            wanted.update(node.inputs)
    return nodes[::-1], wanted & {CODES, PHONEME_IDS, GE}


def _write(g: Graph, graph: StoredGraph, nodes: list[StoredNode], values: dict[str, Value]) -> dict[str, Value]:
    """Copies nodes and the inputs that they read; adds to `values`, by the names of the stored graph."""
    read = {name for node in nodes for name in node.inputs}
    values |= {port.name: g.input(port.name, port.shape, port.dtype) for port in graph.inputs if port.name in read}
    for node in nodes:
        feeds = [values[name] if name in values else stored_constant(g, graph, name) for name in node.inputs]
        dtype: DType | None = "int64" if node.kind == "Shape" else None
        values[node.outputs[0]] = g.op(node.kind, *feeds, dtype=dtype, **node.attributes)
    return values
