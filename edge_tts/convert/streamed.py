"""Rewrites a generator so that it goes on where it stopped: each stage keeps the end of its input.

A stage is what lies between two transposed convolutions. Its window is what it kept and what is new; what would look
beyond the window is cut off its output and comes with the next run. So nothing is computed twice but a stage's own
receptive field, which is short at its own rate: run in pieces, the whole would need that of all stages together for
each piece, at every rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from edge_tts import graphs
from edge_tts.convert.blocked import write_node
from edge_tts.convert.builder import Graph, StoredGraph, StoredNode, Value
from edge_tts.convert.layers import FAR, concat, cut, ints, size, unsqueeze

_WIDTH = 64
_TIME = 3
"""The axis of time in [1, channels, 1, time]."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The nodes from one cut to the next."""

    feeds: str
    """The value that it begins with."""
    nodes: tuple[StoredNode, ...]
    result: str
    channels: int
    rate: int
    """Output samples for each of its input."""
    before: int
    """Input samples that an output depends on, on its left."""
    after: int
    """And on its right."""
    narrow: bool
    """Whether its convolutions are too narrow for two threads: the runtime gives each 64 channels."""


def stages_of(graph: StoredGraph) -> list[Stage]:
    """The stages of a chain of transposed convolutions over the first input; empty for any other graph."""
    ups = [index for index, node in enumerate(graph.nodes) if node.kind == "ConvTranspose"]
    flat = next((index for index, node in enumerate(graph.nodes) if node.kind == "Reshape"), 0)  # where the height ends
    if not ups or not flat:
        return []
    starts = [0, *(_entry(graph, index) for index in ups)]
    stages: list[Stage] = []
    feeds, channels = graph.inputs[0].name, int(graph.inputs[0].shape[1])
    for start, end in pairwise([*starts, flat]):
        nodes, result = graph.nodes[start:end], graph.nodes[end].inputs[0]
        made = _channels(graph, nodes)
        stages.append(Stage(feeds, nodes, result, channels, *_reach(nodes, feeds, result), narrow=made <= _WIDTH))
        feeds, channels = result, made
    return stages


def _entry(graph: StoredGraph, up: int) -> int:
    """The node before a transposed convolution that computes its input alone, else itself."""
    before = graph.nodes[up - 1]
    return up - 1 if before.outputs[0] == graph.nodes[up].inputs[0] and before.kind == "LeakyRelu" else up


def _channels(graph: StoredGraph, nodes: tuple[StoredNode, ...]) -> int:
    """Of the result of a stage: what its first convolution of each kind gives."""
    node = next(node for node in nodes if node.kind in ("Conv", "ConvTranspose"))
    weight = graph.array(node.inputs[1])
    assert weight is not None
    return int(weight.shape[1 if node.kind == "ConvTranspose" else 0])


def _reach(nodes: tuple[StoredNode, ...], feeds: str, result: str) -> tuple[int, int, int]:
    """Rate of a stage, and how many of its input samples an output depends on, on its left and on its right."""
    rate, left, right = 1, {feeds: 0}, {feeds: 0}
    for node in nodes:
        varying = [name for name in node.inputs if name in left]
        if not varying:
            continue
        before, after = max(left[name] for name in varying), max(right[name] for name in varying)
        if node.kind == "Conv":
            (kernel,), (dilation,) = node.attributes["kernel_shape"], node.attributes["dilations"]
            before, after = before + dilation * (kernel // 2), after + dilation * (kernel // 2)
        elif node.kind == "ConvTranspose":
            (rate,), (kernel,) = node.attributes["strides"], node.attributes["kernel_shape"]
            begin, end = node.attributes["pads"]
            before, after = before * rate + kernel - 1 - begin, after * rate + end
        left[node.outputs[0]], right[node.outputs[0]] = before, after
    return rate, -(-left[result] // rate), -(-right[result] // rate)


class _Halves:
    """A window as a batch of two that overlap by the receptive field, so that two threads have something to do."""

    def __init__(self, g: Graph, window: Value, stage: Stage) -> None:
        self._g, self._stage = g, stage
        count, overlap = size(g, window, _TIME), stage.before + stage.after
        both = g.op("Div", g.op("Add", count, ints(g, overlap + 1)), ints(g, 2))
        length = g.op("Min", count, both)
        rest = g.op("Sub", count, length)
        self.batch = concat(g, [cut(g, window, 0, length, _TIME), cut(g, window, rest, FAR, _TIME)], 0)
        ends = g.op("Max", g.op("Sub", length, ints(g, stage.after)), ints(g, 0))
        self._ends, self._begins = (g.op("Mul", at, ints(g, stage.rate)) for at in (ends, g.op("Sub", ends, rest)))

    def joined(self, y: Value) -> Value:
        """What the stage made of the batch, as it would have made it of the window."""
        g = self._g
        first, second = cut(g, y, 0, 1, 0), cut(g, y, 1, 2, 0)
        return concat(g, [cut(g, first, 0, self._ends, _TIME), cut(g, second, self._begins, FAR, _TIME)], _TIME)


def write_streamed(g: Graph, graph: StoredGraph, stages: list[Stage]) -> None:
    """latent [1, C, F], `more` int64 [1] (0: it ends here) and what each stage kept -> audio, and what it keeps now."""
    values: dict[str, Value] = {}
    for port in graph.inputs:
        values[port.name] = unsqueeze(g, g.input(port.name, port.shape, port.dtype), 2)
    more = g.input(graphs.MORE, (1,), "int64")
    for number, stage in enumerate(stages):
        shape = (1, stage.channels, 1)
        kept = g.input(graphs.kept(number), (*shape, f"K{number}"))
        with g.scope(f"kept{number}"):
            window = concat(g, [kept, values[stage.feeds]], _TIME)
            keeps = cut(g, window, -(stage.before + stage.after), FAR, _TIME)
            g.output(graphs.keeps(number), keeps, (*shape, f"N{number}"))
            made = g.op("Max", g.op("Sub", size(g, kept, _TIME), ints(g, stage.after)), ints(g, 0))
            left, right = g.op("Mul", made, ints(g, stage.rate)), g.op("Mul", more, ints(g, stage.after * stage.rate))
            halves = _Halves(g, window, stage) if stage.narrow else None
            values[stage.feeds] = window if halves is None else halves.batch
        for node in stage.nodes:
            values[node.outputs[0]] = write_node(g, graph, node, values)
        with g.scope(f"kept{number}"):
            whole = values[stage.result] if halves is None else halves.joined(values[stage.result])
            values[stage.result] = cut(g, whole, left, g.op("Sub", size(g, whole, _TIME), right), _TIME)
    for node in graph.nodes[sum(len(stage.nodes) for stage in stages) :]:
        values[node.outputs[0]] = write_node(g, graph, node, values)
    out = graph.outputs[0]
    g.output(out.name, values[out.name], out.shape)
