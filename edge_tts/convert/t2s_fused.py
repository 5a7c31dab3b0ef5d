"""Writes the GPT for processors from its plain graphs: attention fused, a cache that grows in place; prefill and step
in one graph, or in one each.

The step's attention is ONNX Runtime's own GroupQueryAttention: it appends a row to keys and values [B, heads, S, each]
that lie where the caller put them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Array, DType, Graph, StoredGraph, StoredNode, Value
from edge_tts.convert.layers import (
    FAR,
    Heads,
    add,
    concat,
    cut,
    ints,
    layer_norm,
    reshape,
    scalar,
    size,
    unsqueeze,
)
from edge_tts.convert.ports import Ports
from edge_tts.errors import ModelError

_IN_8_BITS: dict[str, Any] = {"kv_cache_bit_width": 8, "k_quant_type": "PER_CHANNEL", "v_quant_type": "PER_CHANNEL"}
Affine = tuple[Array, Array]
"""Weight [in, out] and bias, or scale and bias of a normalization."""
AddNorm = Callable[[Graph, Value, Value, Affine], Value]
"""The normalized sum of two values."""


@dataclass(frozen=True, slots=True)
class Block:
    """One layer of the transformer; the projection of the query is scaled."""

    qkv: Affine
    out: Affine
    up: Affine
    down: Affine
    norms: tuple[Affine, Affine]


@dataclass(frozen=True, slots=True)
class Gpt:
    """The arrays of both graphs."""

    heads: Heads
    blocks: tuple[Block, ...]
    phonemes: Array
    text_positions: Array
    bert: Affine
    tokens: Array
    audio_positions: Array
    logits: Array

    @property
    def sizes(self) -> dict[str, int]:
        """What the contract names."""
        return {
            "planes": 2 * len(self.blocks),
            "heads": self.heads.count,
            "head_width": self.heads.each,
            "tokens": self.tokens.shape[0],
            "bert_width": self.bert[0].shape[0],
        }


def read_gpt(prefill: StoredGraph, step: StoredGraph) -> Gpt:
    """The arrays of the plain graphs, found by what the nodes do. Raises ModelError for graphs of another make."""
    scopes = [f"layer{index}/" for index in range(len([n for n in step.nodes if n.kind == "Softmax"]))]
    outer, text = _Part(step), _Part(prefill)
    try:
        blocks = tuple(_read_block(_Part(step, scope)) for scope in scopes)
        (split,) = {shape[1:] for shape in _Part(step, scopes[0]).shapes() if len(shape) == 4 and shape[1] > 0}
        tokens, audio_positions = outer.tables()
        phonemes = text.tables()[0]
        return Gpt(
            heads=Heads(split[0], split[0] * split[2]),
            blocks=blocks,
            phonemes=phonemes,
            text_positions=text.constants("Slice", 0)[0],
            bert=(text.constants("MatMul", 1)[0], text.constants("Add", 1)[0]),
            tokens=tokens,
            audio_positions=audio_positions,
            logits=outer.constants("MatMul", 1)[-1],
        )
    except (ValueError, IndexError) as error:
        raise ModelError(f"{step.name}: not a graph that tools/convert writes: {error}") from error


class _Part:
    """The nodes of one scope of a stored graph, or those outside of all."""

    def __init__(self, graph: StoredGraph, scope: str = "") -> None:
        self._graph = graph
        self._nodes = [node for node in graph.nodes if node.name.startswith(scope or "layer") == bool(scope)]

    def constants(self, kind: str, place: int) -> list[Array]:
        """The constants at that input of all nodes of that kind, in order."""
        return [array for node in self._of(kind) if (array := self._graph.array(node.inputs[place])) is not None]

    def tables(self) -> list[Array]:
        return self.constants("Gather", 0)

    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(int(size) for size in shape) for shape in self.constants("Reshape", 1)]

    def _of(self, kind: str) -> Iterator[StoredNode]:
        return (node for node in self._nodes if node.kind == kind)


def _read_block(part: _Part) -> Block:
    qkv, out, up, down = zip(part.constants("MatMul", 1), part.constants("Add", 1), strict=True)
    first, second = zip(part.constants("LayerNormalization", 1), part.constants("LayerNormalization", 2), strict=True)
    return Block(qkv=qkv, out=out, up=up, down=down, norms=(first, second))


def write_gpt(g: Graph, gpt: Gpt, scales: Array | None = None) -> None:
    """One graph for prefill and step, so that a runtime packs the weights once.

    The prompt's T rows and the next row of B sequences go through the same layers, apart only in attention. Either may
    be of no use: a step has an empty prompt, a prefill feeds tokens that nobody reads. `cached` counts the rows that
    the cache holds of each sequence, `total` the most of any after this run. logits [1 or 0 of the prompt + B, tokens];
    rows [2L, heads, T, each] are the prompt's keys and values. With `scales` float32 [2L, W] these and the cache are
    int8, a step of each channel being its scale.
    """
    ports = Ports(g, graphs.T2S, gpt.sizes)
    prompt, bias = _prompt(g, gpt, ports)
    step, cache = _step(g, gpt, ports), _Cache(g, gpt.heads, ports, scales)
    length = size(g, prompt, 0)
    x, rows = concat(g, [prompt, step], 0), []
    some, none = g.op("Greater", length, ints(g, 0), dtype="bool"), _no_prompt(g, gpt.heads, cache.dtype)
    for index, block in enumerate(gpt.blocks):
        with g.scope(f"layer{index}"):
            packed = _affine(g, x, block.qkv)
            mixed, *planes = g.branch(
                some, partial(_first_attention, g, (packed, length, bias), gpt.heads, cache.scales(index)), none
            )
            rows += planes
            own = cache.attention(index, unsqueeze(g, cut(g, packed, length, FAR, 0), 1))
            mixed = concat(g, [mixed, reshape(g, own, -1, gpt.heads.width)], 0)
            if index == len(gpt.blocks) - 1:
                x, mixed = _ends(g, x, length), _ends(g, mixed, length)
            x = _after_attention(g, x, mixed, block, _add_norm)
    ports.output(graphs.LOGITS, g.op("MatMul", x, g.constant(gpt.logits, "weight")))
    ports.output(graphs.ROWS, concat(g, rows, 0))


def write_step(g: Graph, gpt: Gpt, scales: Array | None = None) -> None:
    """The step of `write_gpt` alone, for a set whose prefill is `write_prompt`'s: half as many nodes."""
    ports = Ports(g, graphs.T2S, gpt.sizes)
    x, cache = unsqueeze(g, _step(g, gpt, ports), 1), _Cache(g, gpt.heads, ports, scales)
    for index, block in enumerate(gpt.blocks):
        with g.scope(f"layer{index}"):
            x = _after_attention(g, x, cache.attention(index, _affine(g, x, block.qkv)), block, _fused_add_norm)
    logits = g.op("MatMul", x, g.constant(gpt.logits, "weight"))
    ports.output(graphs.LOGITS, reshape(g, logits, -1, gpt.logits.shape[1]))


def write_prompt(g: Graph, gpt: Gpt, scales: Array | None = None) -> None:
    """The prefill alone, of `g`'s own products: where weights have 8 bits, those of a step are slow for many rows.

    logits [1, tokens]; keys and values of each layer [1, heads, T, each] as `write_gpt` caches them.
    """
    ports = Ports(g, graphs.T2S_PROMPT, gpt.sizes)
    x, bias = _prompt(g, gpt, ports)
    for index, block in enumerate(gpt.blocks):
        with g.scope(f"layer{index}"):
            own = _of_layer(scales, index)
            mixed, *planes = _prompt_attention(g, _affine(g, x, block.qkv), bias, gpt.heads, own)
            for plane, value in enumerate(planes, start=2 * index):
                ports.output(graphs.prompt(plane), value)
            if index == len(gpt.blocks) - 1:
                x, mixed = cut(g, x, -1, FAR, 0), cut(g, mixed, -1, FAR, 0)
            x = _after_attention(g, x, mixed, block, _add_norm)
    ports.output(graphs.LOGITS, g.op("MatMul", x, g.constant(gpt.logits, "weight")))


def _ends(g: Graph, x: Value, length: Value) -> Value:
    """The rows that logits are for: the prompt's last, and those of the step."""
    return concat(g, [cut(g, cut(g, x, 0, length, 0), -1, FAR, 0), cut(g, x, length, FAR, 0)], 0)


def _prompt(g: Graph, gpt: Gpt, ports: Ports) -> tuple[Value, Value]:
    """Rows [T, W] of phonemes and prompt tokens, and what is added to their scores [1, 1, T, T]."""
    phoneme_ids, bert = ports.input(graphs.PHONEME_IDS), ports.input(graphs.BERT_ROWS)
    tokens, mask = ports.input(graphs.PROMPT_TOKENS), ports.input(graphs.MASK)
    text = add(g, _embed(g, gpt.phonemes, phoneme_ids), _affine(g, bert, gpt.bert))
    text = add(g, text, _first(g, gpt.text_positions, phoneme_ids))
    audio = add(g, _embed(g, gpt.tokens, tokens), _first(g, gpt.audio_positions, tokens))
    return reshape(g, concat(g, [text, audio], 1), -1, gpt.heads.width), unsqueeze(g, mask, 0, 1)


def _step(g: Graph, gpt: Gpt, ports: Ports) -> Value:
    """The row [B, W] of each sequence."""
    token, position = ports.input(graphs.TOKEN), ports.input(graphs.POSITION)
    return add(g, _embed(g, gpt.tokens, token), _embed(g, gpt.audio_positions, position))


class _Cache:
    """The keys and values of the sequences, which a step reads and adds to."""

    def __init__(self, g: Graph, heads: Heads, ports: Ports, scales: Array | None) -> None:
        self._g, self._heads, self._ports, self._scales = g, heads, ports, scales
        self._lengths = ports.input(graphs.CACHED), ports.input(graphs.TOTAL)
        self._planes = ports.past(narrow=scales is not None)
        self.dtype: DType = self._planes[0].dtype

    def scales(self, layer: int) -> Array | None:
        """Of keys and values [2, W]; None where they are float32."""
        return _of_layer(self._scales, layer)

    def attention(self, layer: int, packed: Value) -> Value:
        """packed [B, 1, 3W] -> [B, 1, W]."""
        scales = self.scales(layer)
        behind = [] if scales is None else [self._g.constant(_by_head(self._heads, each), "scale") for each in scales]
        mixed, *present = self._g.fused(
            "GroupQueryAttention",
            *(packed, None, None),
            *(*self._planes[2 * layer : 2 * layer + 2], *self._lengths),
            *([None] * 5 if behind else []),
            *behind,
            outputs=("", graphs.present(2 * layer), graphs.present(2 * layer + 1)),
            num_heads=self._heads.count,
            kv_num_heads=self._heads.count,
            scale=1.0,
            **(_IN_8_BITS if behind else {}),
        )
        self._ports.present(layer, [replace(plane, dtype=self.dtype) for plane in present])
        return mixed


def _of_layer(scales: Array | None, layer: int) -> Array | None:
    return None if scales is None else scales[2 * layer : 2 * layer + 2]


def _by_head(heads: Heads, channels: Array) -> Array:
    """[W] -> [1, heads, 1, each]."""
    return channels.reshape(1, heads.count, 1, heads.each)


def _no_prompt(g: Graph, heads: Heads, dtype: DType) -> list[Value]:
    """What `_prompt_attention` gives of nothing: a step need not run its nodes over it."""
    plane = g.constant(np.zeros((1, heads.count, 0, heads.each), dtype), "no_rows")
    return [g.constant(np.zeros((0, heads.width), np.float32), "no_prompt"), plane, plane]


def _first_attention(g: Graph, rows: tuple[Value, Value, Value], heads: Heads, scales: Array | None) -> list[Value]:
    """`_prompt_attention` of the first T rows: packed [T + B, 3W], T and the bias."""
    packed, length, bias = rows
    return _prompt_attention(g, cut(g, packed, 0, length, 0), bias, heads, scales)


def _prompt_attention(g: Graph, packed: Value, bias: Value, heads: Heads, scales: Array | None) -> list[Value]:
    """packed [T, 3W] and the bias -> [T, W], and keys and values [1, heads, T, each] as they are cached."""
    own = unsqueeze(g, packed, 0)
    qkv = (cut(g, own, part * heads.width, (part + 1) * heads.width, 2) for part in range(3))
    how: dict[str, Any] = {"num_heads": heads.count, "scale": 1.0}
    mixed, *planes = g.fused("MultiHeadAttention", *qkv, None, None, bias, outputs=[""] * 3, **how)
    if scales is not None:
        planes = [_quantized(g, plane, _by_head(heads, scale)) for plane, scale in zip(planes, scales, strict=True)]
    return [reshape(g, mixed, -1, heads.width), *planes]


def _quantized(g: Graph, x: Value, scale: Array) -> Value:
    """x -> int8, rounded and clipped. With a scale a channel QuantizeLinear takes ten times as long."""
    scaled = g.op("Mul", x, g.constant(1 / scale, "per_scale"))
    return g.op("QuantizeLinear", scaled, scalar(g, 1.0), g.constant(np.int8(0)), dtype="int8")


def _after_attention(g: Graph, x: Value, mixed: Value, block: Block, add_norm: AddNorm) -> Value:
    x = add_norm(g, x, _affine(g, mixed, block.out), block.norms[0])
    hidden = g.op("Relu", _affine(g, x, block.up))
    return add_norm(g, x, _affine(g, hidden, block.down), block.norms[1])


def _add_norm(g: Graph, x: Value, y: Value, norm: Affine) -> Value:
    return layer_norm(g, add(g, x, y), *norm)


def _fused_add_norm(g: Graph, x: Value, y: Value, norm: Affine) -> Value:
    """One node: sooner for a row, later for the many of a prompt."""
    scale, bias = g.constant(norm[0], "scale"), g.constant(norm[1], "bias")
    return g.fused("SkipLayerNormalization", x, y, scale, bias, epsilon=1e-5)[0]


def _affine(g: Graph, x: Value, affine: Affine) -> Value:
    return g.affine(x, *affine)


def _embed(g: Graph, table: Array, ids: Value) -> Value:
    return g.op("Gather", g.constant(table, "table"), ids)


def _first(g: Graph, table: Array, like: Value) -> Value:
    """As many rows of the table as `like` has columns."""
    return cut(g, g.constant(table, "positions"), 0, size(g, like, 1), 0)
