"""Writes SoVITS' text encoder: semantic tokens and phonemes to 50 Hz features.

Three stacks of VITS encoder layers (Kim et al. 2021) with relative-position attention (Shaw et al. 2018), joined by
cross attention.
"""

from __future__ import annotations

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.layers import Conv, Heads, add, attention, concat, cut, ints, reshape, size, swap, unsqueeze
from edge_tts.convert.module import Module
from edge_tts.convert.ports import Ports
from edge_tts.convert.sovits import SovitsSizes, codebook

_CROSS = 512
_CROSS_HEADS = Heads(4, _CROSS)


def write_encoder(net: Module, sizes: SovitsSizes) -> None:
    """codes [1, N], phoneme_ids [1, P], ge [1, G, 1] -> features [1, hidden, 2N].

    Speed is applied to them before the last 1x1 convolution, which is in `flow`.
    """
    g, hidden, encoder = net.graph, sizes.hidden, net.child("enc_p")
    ports = Ports(g, graphs.ENCODER, sizes.declared)
    codes, phoneme_ids = ports.input(graphs.CODES), ports.input(graphs.PHONEME_IDS)
    ge = swap(g, ports.input(graphs.GE))
    audio = _stack(encoder, _audio(net, codes, sizes), "encoder_ssl", sizes)
    embedding = encoder.take("text_embedding.weight", *encoder.shape("text_embedding.weight", 2))
    phonemes = g.op("Gather", g.constant(embedding, "phoneme_embedding"), phoneme_ids)
    text = _stack(encoder, phonemes, "encoder_text", sizes)
    if sizes.pro:
        with g.scope("ge_to512"):
            ge = net.linear("ge_to512", ge, (_CROSS, sizes.conditioning))
    with g.scope("mrte"):
        mrte = encoder.child("mrte")
        wide = mrte.linear("c_pre", audio, (_CROSS, hidden, 1))
        memory = mrte.linear("text_pre", text, (_CROSS, hidden, 1))
        mixed = _cross_attention(mrte.child("cross_attention"), wide, memory)
        x = mrte.linear("c_post", add(g, mixed, wide, ge), (hidden, _CROSS, 1))
    ports.output(graphs.FEATURES, swap(g, _stack(encoder, x, "encoder2", sizes)))


def _audio(net: Module, codes: Value, sizes: SovitsSizes) -> Value:
    """Projected codebook rows, each twice -> [1, 2N, hidden]."""
    g = net.graph
    projection = net.take("enc_p.ssl_proj.weight", sizes.hidden, sizes.ssl, 1)[:, :, 0]
    table = codebook(net, sizes) @ projection.T + net.take("enc_p.ssl_proj.bias", sizes.hidden)
    rows = unsqueeze(g, g.op("Gather", g.constant(table, "projected_codebook"), codes), 2)
    return reshape(g, concat(g, [rows, rows], 2), 0, -1, sizes.hidden)


def _cross_attention(net: Module, query: Value, memory: Value) -> Value:
    """Audio [1, T, 512] over text [1, P, 512]."""
    square = (_CROSS, _CROSS, 1)
    q = net.linear("conv_q", query, square, _CROSS_HEADS.scale)
    k, v = net.linear("conv_k", memory, square), net.linear("conv_v", memory, square)
    return net.linear("conv_o", attention(net.graph, (q, k, v), _CROSS_HEADS), square)


def _stack(encoder: Module, x: Value, stack: str, sizes: SovitsSizes) -> Value:
    """x [1, T, hidden] -> same."""
    g, hidden, net = encoder.graph, sizes.hidden, encoder.child(stack)
    for index in range(net.count("norm_layers_1.{}.gamma")):
        with g.scope(f"{stack}.{index}"):
            y = _relative_attention(net.child(f"attn_layers.{index}"), x, Heads(sizes.heads, hidden))
            x = net.layer_norm(f"norm_layers_1.{index}", add(g, x, y), hidden)
            y = _feed_forward(net.child(f"ffn_layers.{index}"), x, hidden)
            x = net.layer_norm(f"norm_layers_2.{index}", add(g, x, y), hidden)
    return x


def _feed_forward(net: Module, x: Value, hidden: int) -> Value:
    """x [1, T, hidden] -> same."""
    g = net.graph
    wide, _, kernel = net.shape("conv_1.weight", 3)
    how = Conv(padding=kernel // 2)
    x = g.op("Relu", net.conv("conv_1", swap(g, x), (wide, hidden, kernel), how))
    return swap(g, net.conv("conv_2", x, (hidden, wide, kernel), how))


def _relative_attention(net: Module, x: Value, heads: Heads) -> Value:
    """Self-attention over x [1, T, hidden] with learned keys and values of near distances."""
    g, square = net.graph, (heads.width, heads.width, 1)
    span = net.shape("emb_rel_k", 3)[1]
    q = heads.split(g, net.linear("conv_q", x, square, heads.scale))
    k = net.linear("conv_k", x, square)
    v = heads.split(g, net.linear("conv_v", x, square))
    keys, length = heads.keys(g, k), size(g, x, 1)
    near_keys, near_values = (net.take(f"emb_rel_{kind}", 1, span, heads.each)[0] for kind in "kv")
    near = g.op("MatMul", q, g.constant(near_keys.T, "near_keys"))
    scores = add(g, g.op("MatMul", q, keys), _to_band(g, near, length, heads.count, span))
    shares = g.op("Softmax", scores, axis=-1)
    far = g.op("MatMul", shares, v)
    band = _from_band(g, shares, length, heads.count, span)
    mixed = add(g, far, g.op("MatMul", band, g.constant(near_values, "near_values")))
    return net.linear("conv_o", heads.merge(g, mixed), square)


def _to_band(g: Graph, near: Value, length: Value, heads: int, span: int) -> Value:
    """[1, heads, T, span] by distance -> [1, heads, T, T] by position, zero outside the window.

    Row i moves i places to the right: rows padded to width T + span are read at width T + span - 1.
    """
    narrow = g.op("Add", length, ints(g, span - 1))
    rest = _zeros(g, concat(g, [size(g, near, 0), ints(g, heads), length, length], 0))
    wide = concat(g, [near, rest], 3)
    flat = cut(g, reshape(g, wide, 0, heads, -1), 0, g.op("Mul", length, narrow), 2)
    sheared = g.op("Reshape", flat, concat(g, [ints(g, 0, heads), length, narrow], 0))
    return cut(g, sheared, span // 2, g.op("Add", length, ints(g, span // 2)), 3)


def _zeros(g: Graph, shape: Value) -> Value:
    return g.op("Expand", g.constant(np.zeros(1, np.float32), "zero"), shape)


def _from_band(g: Graph, shares: Value, length: Value, heads: int, span: int) -> Value:
    """[1, heads, T, T] by position -> [1, heads, T, span] by distance: `_to_band` reversed."""
    margin = span // 2
    wide = g.op("Pad", shares, ints(g, 0, 0, 0, margin, 0, 0, 0, margin))
    rest = _zeros(g, concat(g, [size(g, shares, 0), ints(g, heads), length], 0))
    flat = concat(g, [reshape(g, wide, 0, heads, -1), rest], 2)
    shape = concat(g, [ints(g, 0, heads), length, g.op("Add", length, ints(g, span))], 0)
    return cut(g, g.op("Reshape", flat, shape), 0, span, 3)
