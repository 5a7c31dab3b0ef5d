"""Writes the GPT of GPT-SoVITS as two graphs: `prefill` reads text and prompt, `step` adds one token over a cache.

Post-norm transformer, ReLU, packed q-k-v, sine positions scaled by a learned alpha, text and audio both counted from 0
(after GPT-SoVITS' Text2Semantic model). It knows the network and nothing about sampling or about the cache's owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import (
    FAR,
    add,
    attention,
    concat,
    cut,
    layer_norm,
    linear,
    reshape,
    size,
    transpose,
    unsqueeze,
)
from edge_tts.convert.ports import Ports
from edge_tts.errors import CheckpointError

V2_PHONEMES = 732
V1_PHONEMES = 512


@dataclass(frozen=True, slots=True)
class T2SSizes:
    """What the checkpoint decides, and how long a sequence the written graphs take."""

    layers: int
    width: int
    heads: int
    feed_forward: int
    tokens: int
    phonemes: int
    bert_width: int
    text_positions: int = 1024
    """Most phonemes, prompt and target together."""
    audio_positions: int = 2048
    """Most tokens, prompt and generated together."""

    @property
    def declared(self) -> dict[str, int]:
        """The numbers that the contract of the graphs names."""
        planes = 2 * self.layers
        return {"planes": planes, "t2s_width": self.width, "tokens": self.tokens, "bert_width": self.bert_width}


def read_sizes(weights: Weights, config: Mapping[str, Any]) -> T2SSizes:
    """Sizes of a GPT from its arrays; only the number of heads comes from the config.

    Raises CheckpointError for another family or an impossible number of heads.
    """
    phonemes, width = weights.shape("ar_text_embedding.word_embeddings.weight", 2)
    if phonemes != V2_PHONEMES:
        family = "GPT-SoVITS v1" if phonemes == V1_PHONEMES else "an unknown family"
        raise CheckpointError(f"{weights.label}: {phonemes} phonemes, so {family}; v2's GPT has {V2_PHONEMES}")
    heads = config.get("model", {}).get("head") if isinstance(config.get("model"), Mapping) else None
    if not isinstance(heads, int) or heads < 1 or width % heads or width % 2:
        raise CheckpointError(f"{weights.label}: config model.head is {heads!r}, no divisor of the width {width}")
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


def write_prefill(g: Graph, weights: Weights, sizes: T2SSizes) -> None:
    """phoneme_ids [1, P], bert [1, P, bert], prompt_tokens [1, N], mask [T, T] -> logits, rows [2L, T, 1, W].

    T = P + N, and N may be 0. Row 2l is the keys of layer l, row 2l + 1 its values.
    """
    ports = Ports(g, graphs.T2S_PREFILL, sizes.declared)
    phoneme_ids, bert = ports.input(graphs.PHONEME_IDS), ports.input(graphs.BERT_ROWS)
    tokens, mask = ports.input(graphs.PROMPT_TOKENS), ports.input(graphs.MASK)
    x = concat(g, [_text(g, weights, sizes, phoneme_ids, bert), _audio_prompt(g, weights, sizes, tokens)], 1)
    rows = []
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            q, k, v = _projections(g, x, weights, sizes, index)
            mixed = attention(g, q, k, v, heads=sizes.heads, width=sizes.width, mask=mask)
            x = _after_attention(g, x, mixed, weights, sizes, index)
            rows += [reshape(g, plane, 1, -1, 1, sizes.width) for plane in (k, v)]
    last = reshape(g, cut(g, x, -1, FAR, 1), 1, sizes.width)
    ports.output(graphs.LOGITS, _logits(g, last, weights, sizes))
    ports.output(graphs.ROWS, concat(g, rows, 0))


def write_step(g: Graph, weights: Weights, sizes: T2SSizes) -> None:
    """token [B], position [B], mask [B, S], cache_0.. [S, B, W] each -> logits [B, tokens], rows [2L, B, W].

    `position` counts audio tokens, the prompt's included. Attention is one softmax over the masked scores of the cache
    and the score of the new row itself, so the cache is only read and never joined with anything.
    """
    ports = Ports(g, graphs.T2S_STEP, sizes.declared)
    token, position = ports.input(graphs.TOKEN), ports.input(graphs.POSITION)
    mask = unsqueeze(g, ports.input(graphs.MASK), 1, 2)
    cache = ports.cache()
    table = _sines("ar_audio_position.alpha", weights, sizes.width, sizes.audio_positions)
    x = add(
        g,
        g.op("Gather", g.constant(_embedding("audio", weights, sizes), "token_embedding"), token),
        g.op("Gather", g.constant(table, "positions"), position),
    )
    rows = []
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            q, k, v = _projections(g, x, weights, sizes, index)
            mixed = _cached_attention(g, (q, k, v), cache[2 * index], cache[2 * index + 1], mask, sizes)
            x = _after_attention(g, x, mixed, weights, sizes, index)
            rows += [unsqueeze(g, plane, 0) for plane in (k, v)]
    ports.output(graphs.LOGITS, _logits(g, x, weights, sizes))
    ports.output(graphs.ROWS, concat(g, rows, 0))


def _cached_attention(
    g: Graph, new: tuple[Value, Value, Value], keys: Value, values: Value, mask: Value, sizes: T2SSizes
) -> Value:
    """q, k, v [B, W] of the new row against keys and values [S, B, W] -> [B, W]."""
    head = sizes.width // sizes.heads
    q, k, v = (reshape(g, part, 0, sizes.heads, 1, head) for part in new)
    cached_k = transpose(g, reshape(g, keys, 0, 0, sizes.heads, head), 1, 2, 3, 0)
    cached_v = transpose(g, reshape(g, values, 0, 0, sizes.heads, head), 1, 2, 0, 3)
    scores = add(g, g.op("MatMul", q, cached_k), mask)
    own = g.op("MatMul", q, transpose(g, k, 0, 1, 3, 2))
    shares = g.op("Softmax", concat(g, [scores, own], 3), axis=-1)
    mixed = g.op("MatMul", cut(g, shares, 0, -1, 3), cached_v)
    mixed = add(g, mixed, g.op("Mul", cut(g, shares, -1, FAR, 3), v))
    return reshape(g, mixed, -1, sizes.width)


def _projections(g: Graph, x: Value, weights: Weights, sizes: T2SSizes, index: int) -> tuple[Value, Value, Value]:
    """Query (scaled by 1 / sqrt(head width)), key and value of x, each as wide as x."""
    width, name = sizes.width, f"h.layers.{index}.self_attn.in_proj"
    weight, bias = weights.take(f"{name}_weight", 3 * width, width), weights.take(f"{name}_bias", 3 * width)
    scale = np.float32((width // sizes.heads) ** -0.5)
    weight[:width] *= scale
    bias[:width] *= scale
    packed = linear(g, x, weight, bias)
    q, k, v = (cut(g, packed, part * width, (part + 1) * width, -1) for part in range(3))
    return q, k, v


def _after_attention(g: Graph, x: Value, mixed: Value, weights: Weights, sizes: T2SSizes, index: int) -> Value:
    """Output projection, residual, norm, feed-forward, residual, norm."""
    width, wide, name = sizes.width, sizes.feed_forward, f"h.layers.{index}"

    def norm(y: Value, which: str) -> Value:
        scale, bias = weights.take(f"{name}.{which}.weight", width), weights.take(f"{name}.{which}.bias", width)
        return layer_norm(g, y, scale, bias)

    def dense(y: Value, which: str, into: int, out: int) -> Value:
        weight, bias = weights.take(f"{name}.{which}.weight", out, into), weights.take(f"{name}.{which}.bias", out)
        return linear(g, y, weight, bias)

    x = norm(add(g, x, dense(mixed, "self_attn.out_proj", width, width)), "norm1")
    hidden = g.op("Relu", dense(x, "linear1", width, wide))
    return norm(add(g, x, dense(hidden, "linear2", wide, width)), "norm2")


def _text(g: Graph, weights: Weights, sizes: T2SSizes, phoneme_ids: Value, bert: Value) -> Value:
    """Phoneme embedding + projected BERT column + position -> [1, P, W]."""
    projected = linear(
        g,
        bert,
        weights.take("bert_proj.weight", sizes.width, sizes.bert_width),
        weights.take("bert_proj.bias", sizes.width),
    )
    table = g.constant(_sines("ar_text_position.alpha", weights, sizes.width, sizes.text_positions), "positions")
    positions = cut(g, table, 0, size(g, phoneme_ids, 1), 0)
    embedded = g.op("Gather", g.constant(_embedding("text", weights, sizes), "phoneme_embedding"), phoneme_ids)
    return add(g, embedded, projected, positions)


def _audio_prompt(g: Graph, weights: Weights, sizes: T2SSizes, tokens: Value) -> Value:
    """Token embedding + position from 0 -> [1, N, W]."""
    table = g.constant(_sines("ar_audio_position.alpha", weights, sizes.width, sizes.audio_positions), "positions")
    embedded = g.op("Gather", g.constant(_embedding("audio", weights, sizes), "token_embedding"), tokens)
    return add(g, embedded, cut(g, table, 0, size(g, tokens, 1), 0))


def _embedding(kind: str, weights: Weights, sizes: T2SSizes) -> FloatArray:
    rows = sizes.phonemes if kind == "text" else sizes.tokens
    return weights.take(f"ar_{kind}_embedding.word_embeddings.weight", rows, sizes.width)


def _logits(g: Graph, x: Value, weights: Weights, sizes: T2SSizes) -> Value:
    return linear(g, x, weights.take("ar_predict_layer.weight", sizes.tokens, sizes.width))


def _sines(alpha: str, weights: Weights, width: int, positions: int) -> FloatArray:
    """alpha x sine table [positions, width]: sin on even, cos on odd columns, frequency exp(-2i ln 10000 / width)."""
    step = np.exp(np.arange(0, width, 2, dtype=np.float32) * np.float32(-np.log(10000.0) / width))
    angle = np.arange(positions, dtype=np.float32)[:, None] * step
    table = np.empty((positions, width), np.float32)
    table[:, 0::2], table[:, 1::2] = np.sin(angle), np.cos(angle)
    return np.asarray(weights.take(alpha, 1) * table, np.float32)
