"""Writes the GPT of GPT-SoVITS as two graphs: `prefill` reads text and prompt, `step` adds one token over a cache.

Post-norm transformer, ReLU, packed q-k-v, sine positions scaled by a learned alpha, text and audio both counted from 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import FAR, Heads, add, attention, concat, cut, linear, reshape, size, transpose, unsqueeze
from edge_tts.convert.module import Module
from edge_tts.convert.network_config import NetworkConfig
from edge_tts.convert.ports import Ports
from edge_tts.errors import CheckpointError

V2_PHONEMES = 732
V1_PHONEMES = 512


@dataclass(frozen=True, slots=True)
class T2SSizes:
    """Sizes of the checkpoint, and the longest sequences of the written graphs."""

    layers: int
    width: int
    heads: int
    feed_forward: int
    tokens: int
    phonemes: int
    bert_width: int
    text_positions: int = 1024
    """Most phonemes of prompt and target together."""
    audio_positions: int = 2048
    """Most tokens of prompt and target together."""

    @property
    def facts(self) -> dict[str, int]:
        """What the manifest states."""
        return {
            "t2s_layers": self.layers,
            "t2s_width": self.width,
            "t2s_heads": self.heads,
            "tokens": self.tokens,
            "phonemes": self.phonemes,
            "bert_width": self.bert_width,
            "text_positions": self.text_positions,
            "audio_positions": self.audio_positions,
        }

    @property
    def declared(self) -> dict[str, int]:
        """What the contract of the graphs names."""
        return {**self.facts, "planes": 2 * self.layers}


def read_sizes(weights: Weights, config: NetworkConfig) -> T2SSizes:
    """Sizes from the arrays, heads from the config. Raises CheckpointError for another family or impossible heads."""
    phonemes, width = weights.shape("ar_text_embedding.word_embeddings.weight", 2)
    if phonemes != V2_PHONEMES:
        family = "GPT-SoVITS v1" if phonemes == V1_PHONEMES else "an unknown family"
        raise CheckpointError(f"{weights.label}: {phonemes} phonemes, so {family}; v2's GPT has {V2_PHONEMES}")
    heads = config.section("model").whole("head")
    if width % heads or width % 2:
        raise CheckpointError(f"{weights.label}: config model.head is {heads}, no divisor of the width {width}")
    layers = weights.count("h.layers.{}.norm1.weight")
    if layers == 0:
        raise CheckpointError(f"{weights.label}: the parameter h.layers.0.norm1.weight is missing")
    return T2SSizes(
        layers=layers,
        width=width,
        heads=heads,
        feed_forward=weights.shape("h.layers.0.linear1.weight", 2)[0],
        tokens=weights.shape("ar_predict_layer.weight", 2)[0],
        phonemes=phonemes,
        bert_width=weights.shape("bert_proj.weight", 2)[1],
    )


def write_prefill(net: Module, sizes: T2SSizes) -> None:
    """phoneme_ids [1, P], bert [1, P, bert], prompt_tokens [1, N], mask [T, T] -> logits, rows [2L, T, 1, W].

    T = P + N, and N may be 0. Row 2l is the keys of layer l, row 2l + 1 its values.
    """
    g, heads = net.graph, Heads(sizes.heads, sizes.width)
    ports = Ports(g, graphs.T2S_PREFILL, sizes.declared)
    phoneme_ids, bert = ports.input(graphs.PHONEME_IDS), ports.input(graphs.BERT_ROWS)
    tokens, mask = ports.input(graphs.PROMPT_TOKENS), ports.input(graphs.MASK)
    x = concat(g, [_text(net, sizes, phoneme_ids, bert), _audio_prompt(net, sizes, tokens)], 1)
    rows = []
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            layer = net.child(f"h.layers.{index}")
            q, k, v = _projections(layer, x, heads)
            x = _after_attention(layer, x, attention(g, (q, k, v), heads, mask), sizes)
            rows += [reshape(g, plane, 1, -1, 1, sizes.width) for plane in (k, v)]
    last = reshape(g, cut(g, x, -1, FAR, 1), 1, sizes.width)
    ports.output(graphs.LOGITS, _logits(net, last, sizes))
    ports.output(graphs.ROWS, concat(g, rows, 0))


def write_step(net: Module, sizes: T2SSizes) -> None:
    """token [B], position [B], mask [B, S], cache_0.. [S, B, W] each -> logits [B, tokens], rows [2L, B, W].

    `position` counts audio tokens, the prompt's included. One softmax spans the scores of the cache and that of the new
    row, so the cache is only read.
    """
    g, heads = net.graph, Heads(sizes.heads, sizes.width)
    ports = Ports(g, graphs.T2S_STEP, sizes.declared)
    token, position = ports.input(graphs.TOKEN), ports.input(graphs.POSITION)
    mask = unsqueeze(g, ports.input(graphs.MASK), 1, 2)
    cache = ports.cache()
    x = g.op("Gather", g.constant(_embedding(net, "audio", sizes), "token_embedding"), token)
    x = add(g, x, g.op("Gather", g.constant(_positions(net, "audio", sizes), "positions"), position))
    rows = []
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            layer = net.child(f"h.layers.{index}")
            q, k, v = _projections(layer, x, heads)
            mixed = _cached_attention(g, (q, k, v), (cache[2 * index], cache[2 * index + 1]), mask, heads)
            x = _after_attention(layer, x, mixed, sizes)
            rows += [unsqueeze(g, plane, 0) for plane in (k, v)]
    ports.output(graphs.LOGITS, _logits(net, x, sizes))
    ports.output(graphs.ROWS, concat(g, rows, 0))


def _cached_attention(
    g: Graph, qkv: tuple[Value, Value, Value], cache: tuple[Value, Value], mask: Value, heads: Heads
) -> Value:
    """q, k, v [B, W] of the new row, cached keys and values [S, B, W] -> [B, W]."""
    q, k, v = (reshape(g, part, 0, heads.count, 1, heads.each) for part in qkv)
    keys, values = cache
    cached_k = transpose(g, reshape(g, keys, 0, 0, heads.count, heads.each), 1, 2, 3, 0)
    cached_v = transpose(g, reshape(g, values, 0, 0, heads.count, heads.each), 1, 2, 0, 3)
    scores = add(g, g.op("MatMul", q, cached_k), mask)
    own = g.op("MatMul", q, transpose(g, k, 0, 1, 3, 2))
    shares = g.op("Softmax", concat(g, [scores, own], 3), axis=-1)
    mixed = g.op("MatMul", cut(g, shares, 0, -1, 3), cached_v)
    mixed = add(g, mixed, g.op("Mul", cut(g, shares, -1, FAR, 3), v))
    return reshape(g, mixed, -1, heads.width)


def _projections(net: Module, x: Value, heads: Heads) -> tuple[Value, Value, Value]:
    """Query (scaled), key and value of x."""
    width = heads.width
    weight = net.take("self_attn.in_proj_weight", 3 * width, width)
    bias = net.take("self_attn.in_proj_bias", 3 * width)
    weight[:width] *= np.float32(heads.scale)
    bias[:width] *= np.float32(heads.scale)
    packed = linear(net.graph, x, weight, bias)
    q, k, v = (cut(net.graph, packed, part * width, (part + 1) * width, -1) for part in range(3))
    return q, k, v


def _after_attention(net: Module, x: Value, mixed: Value, sizes: T2SSizes) -> Value:
    g, width, wide = net.graph, sizes.width, sizes.feed_forward
    x = add(g, x, net.linear("self_attn.out_proj", mixed, (width, width)))
    x = net.layer_norm("norm1", x, width)
    hidden = g.op("Relu", net.linear("linear1", x, (wide, width)))
    return net.layer_norm("norm2", add(g, x, net.linear("linear2", hidden, (width, wide))), width)


def _text(net: Module, sizes: T2SSizes, phoneme_ids: Value, bert: Value) -> Value:
    """-> [1, P, W]."""
    g = net.graph
    projected = net.linear("bert_proj", bert, (sizes.width, sizes.bert_width))
    table = g.constant(_positions(net, "text", sizes), "positions")
    positions = cut(g, table, 0, size(g, phoneme_ids, 1), 0)
    embedded = g.op("Gather", g.constant(_embedding(net, "text", sizes), "phoneme_embedding"), phoneme_ids)
    return add(g, embedded, projected, positions)


def _audio_prompt(net: Module, sizes: T2SSizes, tokens: Value) -> Value:
    """-> [1, N, W]."""
    g = net.graph
    table = g.constant(_positions(net, "audio", sizes), "positions")
    embedded = g.op("Gather", g.constant(_embedding(net, "audio", sizes), "token_embedding"), tokens)
    return add(g, embedded, cut(g, table, 0, size(g, tokens, 1), 0))


def _embedding(net: Module, kind: str, sizes: T2SSizes) -> FloatArray:
    rows = sizes.phonemes if kind == "text" else sizes.tokens
    return net.take(f"ar_{kind}_embedding.word_embeddings.weight", rows, sizes.width)


def _logits(net: Module, x: Value, sizes: T2SSizes) -> Value:
    return linear(net.graph, x, net.take("ar_predict_layer.weight", sizes.tokens, sizes.width))


def _positions(net: Module, kind: str, sizes: T2SSizes) -> FloatArray:
    """alpha x sine table [positions, width]: sin on even, cos on odd columns, frequency exp(-2i ln 10000 / width)."""
    width, count = sizes.width, sizes.text_positions if kind == "text" else sizes.audio_positions
    step = np.exp(np.arange(0, width, 2, dtype=np.float32) * np.float32(-np.log(10000.0) / width))
    angle = np.arange(count, dtype=np.float32)[:, None] * step
    table = np.empty((count, width), np.float32)
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle)
    return np.asarray(net.take(f"ar_{kind}_position.alpha", 1) * table, np.float32)
