"""Rewrites a graph of 1-D convolutions with 2-D ones of height 1, which ONNX Runtime computes in blocks of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_tts.convert.builder import Graph, StoredGraph, StoredNode, Value, stored_constant
from edge_tts.convert.layers import ints, unsqueeze

_CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
_POINTWISE = frozenset({"LeakyRelu", "Relu", "Tanh", "Sigmoid", "Exp", "Add", "Sub", "Mul", "Identity"})
_ALONG_CHANNELS = frozenset({"Slice", "Concat"})
_FLAT = "Reshape"
"""Only at the end, where the height is lost."""


def can_be_blocked(graph: StoredGraph) -> bool:
    """Whether the graph has convolutions, and nothing that counts axes from the end."""
    return any(node.kind in _CONVOLUTIONS for node in graph.nodes) and all(_known(graph, n) for n in graph.nodes)


def _known(graph: StoredGraph, node: StoredNode) -> bool:
    if node.kind in _CONVOLUTIONS | _POINTWISE:
        return True
    if node.kind == "Concat":
        return bool(node.attributes["axis"] == 1)
    if node.kind == "Slice":
        axes = graph.array(node.inputs[3])
        return axes is not None and axes.tolist() == [1]
    readers = {reader.kind for reader in graph.nodes if node.outputs[0] in reader.inputs}
    return node.kind == _FLAT and readers <= {"Identity"}


def write_blocked(g: Graph, graph: StoredGraph) -> None:
    """The same function of the same inputs and outputs. `can_be_blocked` holds."""
    values: dict[str, Value] = {}
    for port in graph.inputs:
        value = g.input(port.name, port.shape, port.dtype)
        values[port.name] = unsqueeze(g, value, 2) if len(port.shape) == 3 else value
    results = {port.name: port for port in graph.outputs}
    for node in graph.nodes:
        values[node.outputs[0]] = value = write_node(g, graph, node, values)
        if node.outputs[0] in results:
            shape = results[node.outputs[0]].shape
            g.output(node.outputs[0], g.op("Squeeze", value, ints(g, 2)) if len(shape) == 3 else value, shape)


def write_node(g: Graph, graph: StoredGraph, node: StoredNode, values: Mapping[str, Value]) -> Value:
    """One node over `values` of height 1."""
    feeds = [values[name] if name in values else _constant(g, graph, node, name) for name in node.inputs]
    return feeds[0] if node.kind == "Identity" else g.op(node.kind, *feeds, **_widened(node))


def _constant(g: Graph, graph: StoredGraph, node: StoredNode, name: str) -> Value:
    weight = node.kind in _CONVOLUTIONS and name == node.inputs[1]
    return stored_constant(g, graph, name, axis=2 if weight else None)


def _widened(node: StoredNode) -> dict[str, Any]:
    """The attributes, those of a convolution with a first axis of height 1."""
    attributes = dict(node.attributes)
    for name in {"kernel_shape", "strides", "dilations"} & set(attributes):
        attributes[name] = [1, *attributes[name]]
    if "pads" in attributes:
        before, after = attributes["pads"]
        attributes["pads"] = [0, before, 0, after]
    return attributes
