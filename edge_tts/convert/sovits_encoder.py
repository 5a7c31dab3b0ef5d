"""Writes SoVITS' text encoder: semantic tokens and phonemes to 50 Hz features. It knows nothing about latents or sound.

Three stacks of VITS encoder layers (Kim et al. 2021) with relative-position attention (Shaw et al. 2018), joined by the
cross attention of GPT-SoVITS.
"""

from __future__ import annotations

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import (
    add,
    attention,
    concat,
    conv,
    cut,
    ints,
    layer_norm,
    linear,
    merge_heads,
    reshape,
    size,
    split_heads,
    swap,
    transpose,
    unsqueeze,
    zeros,
)
from edge_tts.convert.ports import Ports
from edge_tts.convert.sovits import SovitsSizes, codebook

_CROSS = 512
_CROSS_HEADS = 4


def write_encoder(g: Graph, weights: Weights, sizes: SovitsSizes) -> None:
    """codes [1, N], phoneme_ids [1, P], ge [1, G, 1] -> features [1, hidden, 2N].

    The output is that of the third stack; speed is applied to it before the last 1x1 convolution (`flow`).
    """
    ports = Ports(g, graphs.ENCODER, sizes.declared)
    codes, phoneme_ids = ports.input(graphs.CODES), ports.input(graphs.PHONEME_IDS)
    ge = swap(g, ports.input(graphs.GE))
    hidden = sizes.hidden
    audio = _stack(g, _audio(g, codes, weights, sizes), "encoder_ssl", weights, sizes)
    embedding = weights.take("enc_p.text_embedding.weight", *weights.shape("enc_p.text_embedding.weight", 2))
    phonemes = g.op("Gather", g.constant(embedding, "phoneme_embedding"), phoneme_ids)
    text = _stack(g, phonemes, "encoder_text", weights, sizes)
    if sizes.pro:
        with g.scope("ge_to512"):
            weight = weights.take("ge_to512.weight", _CROSS, sizes.conditioning)
            ge = linear(g, ge, weight, weights.take("ge_to512.bias", _CROSS))
    with g.scope("mrte"):
        wide = _pointwise(g, audio, "mrte.c_pre", weights, hidden, _CROSS)
        query = wide
        memory = _pointwise(g, text, "mrte.text_pre", weights, hidden, _CROSS)
        mixed = _cross_attention(g, query, memory, weights)
        x = _pointwise(g, add(g, mixed, wide, ge), "mrte.c_post", weights, _CROSS, hidden)
    ports.output(graphs.FEATURES, swap(g, _stack(g, x, "encoder2", weights, sizes)))


def _audio(g: Graph, codes: Value, weights: Weights, sizes: SovitsSizes) -> Value:
    """Tokens to projected codebook rows, each twice -> [1, 2N, hidden]. The table itself is projected beforehand."""
    projection = weights.take("enc_p.ssl_proj.weight", sizes.hidden, sizes.ssl, 1)[:, :, 0]
    table = codebook(weights, sizes) @ projection.T + weights.take("enc_p.ssl_proj.bias", sizes.hidden)
    rows = unsqueeze(g, g.op("Gather", g.constant(table, "projected_codebook"), codes), 2)
    return reshape(g, concat(g, [rows, rows], 2), 1, -1, sizes.hidden)


def _cross_attention(g: Graph, query: Value, memory: Value, weights: Weights) -> Value:
    """Audio [1, T, 512] looks at text [1, P, 512]; four heads."""
    scale = (_CROSS // _CROSS_HEADS) ** -0.5
    name = "mrte.cross_attention.conv_"
    q = _pointwise(g, query, f"{name}q", weights, _CROSS, _CROSS, scale)
    k = _pointwise(g, memory, f"{name}k", weights, _CROSS, _CROSS)
    v = _pointwise(g, memory, f"{name}v", weights, _CROSS, _CROSS)
    mixed = attention(g, q, k, v, heads=_CROSS_HEADS, width=_CROSS)
    return _pointwise(g, mixed, f"{name}o", weights, _CROSS, _CROSS)


def _stack(g: Graph, x: Value, stack: str, weights: Weights, sizes: SovitsSizes) -> Value:
    """All layers of one encoder over x [1, T, hidden]: attention, norm, convolutional feed-forward, norm."""
    hidden = sizes.hidden
    for index in range(weights.count(f"enc_p.{stack}.norm_layers_1.{{}}.gamma")):
        with g.scope(f"{stack}.{index}"):
            y = _relative_attention(g, x, f"{stack}.attn_layers.{index}", weights, sizes)
            x = _norm(g, add(g, x, y), f"{stack}.norm_layers_1.{index}", weights, hidden)
            y = _feed_forward(g, x, f"{stack}.ffn_layers.{index}", weights, hidden)
            x = _norm(g, add(g, x, y), f"{stack}.norm_layers_2.{index}", weights, hidden)
    return x


def _norm(g: Graph, x: Value, name: str, weights: Weights, hidden: int) -> Value:
    return layer_norm(g, x, weights.take(f"enc_p.{name}.gamma", hidden), weights.take(f"enc_p.{name}.beta", hidden))


def _feed_forward(g: Graph, x: Value, name: str, weights: Weights, hidden: int) -> Value:
    """Two convolutions of equal padding with ReLU between, over x [1, T, hidden]."""
    wide, _, kernel = weights.shape(f"enc_p.{name}.conv_1.weight", 3)
    x = swap(g, x)
    for which, into, out in (("conv_1", hidden, wide), ("conv_2", wide, hidden)):
        weight = weights.take(f"enc_p.{name}.{which}.weight", out, into, kernel)
        x = conv(g, x, weight, weights.take(f"enc_p.{name}.{which}.bias", out), padding=kernel // 2)
        x = g.op("Relu", x) if which == "conv_1" else x
    return swap(g, x)


def _relative_attention(g: Graph, x: Value, name: str, weights: Weights, sizes: SovitsSizes) -> Value:
    """Self-attention over x [1, T, hidden] with learned keys and values for distances within the window."""
    hidden, heads = sizes.hidden, sizes.heads
    head = hidden // heads
    span = weights.shape(f"enc_p.{name}.emb_rel_k", 3)[1]
    q = split_heads(g, _pointwise(g, x, f"{name}.conv_q", weights, hidden, hidden, head**-0.5), heads, hidden)
    k = _pointwise(g, x, f"{name}.conv_k", weights, hidden, hidden)
    v = split_heads(g, _pointwise(g, x, f"{name}.conv_v", weights, hidden, hidden), heads, hidden)
    keys = transpose(g, reshape(g, k, 0, 0, heads, head), 0, 2, 3, 1)
    length = size(g, x, 1)
    near_keys, near_values = (weights.take(f"enc_p.{name}.emb_rel_{kind}", 1, span, head)[0] for kind in "kv")
    near = g.op("MatMul", q, g.constant(near_keys.T, "near_keys"))
    scores = add(g, g.op("MatMul", q, keys), _to_band(g, near, length, heads, span))
    shares = g.op("Softmax", scores, axis=-1)
    mixed = add(
        g,
        g.op("MatMul", shares, v),
        g.op("MatMul", _from_band(g, shares, length, heads, span), g.constant(near_values, "near_values")),
    )
    return _pointwise(g, merge_heads(g, mixed, hidden), f"{name}.conv_o", weights, hidden, hidden)


def _to_band(g: Graph, near: Value, length: Value, heads: int, span: int) -> Value:
    """[1, heads, T, span] by distance -> [1, heads, T, T] by position, zero outside the window.

    Row i must move i places to the right. Padded to width T + span and read again at width T + span - 1, each row
    begins one place later than the row before: a shear without index arithmetic.
    """
    one = ints(g, 1)
    narrow = g.op("Add", length, ints(g, span - 1))
    rest = zeros(g, concat(g, [one, ints(g, heads), length, length], 0))
    wide = concat(g, [near, rest], 3)
    flat = cut(g, reshape(g, wide, 1, heads, -1), 0, g.op("Mul", length, narrow), 2)
    sheared = g.op("Reshape", flat, concat(g, [one, ints(g, heads), length, narrow], 0))
    return cut(g, sheared, span // 2, g.op("Add", length, ints(g, span // 2)), 3)


def _from_band(g: Graph, shares: Value, length: Value, heads: int, span: int) -> Value:
    """[1, heads, T, T] by position -> [1, heads, T, span] by distance: the shear of `_to_band` undone."""
    margin = span // 2
    wide = g.op("Pad", shares, ints(g, 0, 0, 0, margin, 0, 0, 0, margin))
    rest = zeros(g, concat(g, [ints(g, 1, heads), length], 0))
    flat = concat(g, [reshape(g, wide, 1, heads, -1), rest], 2)
    shape = concat(g, [ints(g, 1, heads), length, g.op("Add", length, ints(g, span))], 0)
    return cut(g, g.op("Reshape", flat, shape), 0, span, 3)


def _pointwise(g: Graph, x: Value, name: str, weights: Weights, into: int, out: int, scale: float = 1.0) -> Value:
    """A 1x1 convolution of the checkpoint as a product over the last axis, its result times `scale`."""
    weight: FloatArray = weights.take(f"enc_p.{name}.weight", out, into, 1)[:, :, 0] * np.float32(scale)
    return linear(g, x, weight, weights.take(f"enc_p.{name}.bias", out) * np.float32(scale))
