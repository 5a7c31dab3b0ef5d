"""Writes CN-HuBERT (Hsu et al. 2021): a 16 kHz wave to SSL features at 50 Hz.

Seven strided convolutions, a convolutional position embedding, a post-norm transformer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import Conv, Heads, add, attention, conv, cut, gelu, swap, weight_norm
from edge_tts.convert.module import Module
from edge_tts.convert.network_config import NetworkConfig
from edge_tts.convert.ports import Ports
from edge_tts.errors import CheckpointError

UNUSED = r"(hubert\.)?masked_spec_embed$"


@dataclass(frozen=True, slots=True)
class HubertSizes:
    """Sizes of the network."""

    width: int
    feed_forward: int
    heads: int
    layers: int
    strides: tuple[int, ...]
    position_groups: int
    epsilon: float


def read_sizes(weights: Weights, config: NetworkConfig) -> HubertSizes:
    """Raises CheckpointError for HuBERTs of other kinds than base (stable layer norm, biases)."""
    values = config.values
    kind = (values.get("do_stable_layer_norm", False), values.get("feat_extract_norm"), values.get("conv_bias", False))
    if kind != (False, "group", False) or values.get("hidden_act") != "gelu":
        raise CheckpointError(f"{weights.label}: not a HuBERT of the base kind; chinese-hubert-base is supported")
    width = weights.shape("encoder.layer_norm.weight", 1)[0]
    heads, groups = config.whole("num_attention_heads"), config.whole("num_conv_pos_embedding_groups")
    if width % heads or width % groups:
        raise CheckpointError(f"{weights.label}: config.json does not fit the width {width}")
    return HubertSizes(
        width=width,
        feed_forward=weights.shape("encoder.layers.0.feed_forward.intermediate_dense.weight", 2)[0],
        heads=heads,
        layers=weights.count("encoder.layers.{}.layer_norm.weight"),
        strides=config.wholes("conv_stride"),
        position_groups=groups,
        epsilon=config.share("layer_norm_eps", 1e-5),
    )


def write_hubert(net: Module, sizes: HubertSizes) -> None:
    """wave [1, samples] at 16 kHz, not normalised -> ssl [1, width, T]: the last hidden state."""
    g, width = net.graph, sizes.width
    ports = Ports(g, graphs.SSL, {"ssl_width": width})
    x = swap(g, _features(net.child("feature_extractor"), ports.input(graphs.SAMPLES), sizes))
    with g.scope("projection"):
        projection = net.child("feature_projection")
        channels = projection.shape("layer_norm.weight", 1)[0]
        x = projection.layer_norm("layer_norm", x, channels, sizes.epsilon)
        x = projection.linear("projection", x, (width, channels))
    encoder = net.child("encoder")
    x = add(g, x, _positions(encoder.child("pos_conv_embed.conv"), x, sizes))
    x = encoder.layer_norm("layer_norm", x, width, sizes.epsilon)
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            x = _layer(encoder.child(f"layers.{index}"), x, sizes)
    ports.output(graphs.SSL_FEATURES, swap(g, x))


def _features(net: Module, wave: Value, sizes: HubertSizes) -> Value:
    """-> [1, channels, T]; the first convolution is normalised per channel over time."""
    g = net.graph
    x = g.op("Unsqueeze", wave, g.constant(np.array([1])))
    channels = 1
    for index, stride in enumerate(sizes.strides):
        with g.scope(f"conv{index}"):
            layer = net.child(f"conv_layers.{index}")
            out, _, kernel = layer.shape("conv.weight", 3)
            x = conv(g, x, layer.take("conv.weight", out, channels, kernel), how=Conv(stride=stride))
            channels = out
            if index == 0:
                scale = g.constant(layer.take("layer_norm.weight", out), "scale")
                bias = g.constant(layer.take("layer_norm.bias", out), "bias")
                x = g.op("InstanceNormalization", x, scale, bias, epsilon=1e-5)
            x = gelu(g, x)
    return x


def _positions(net: Module, x: Value, sizes: HubertSizes) -> Value:
    """x [1, T, width] -> same; the surplus frame of an even kernel is dropped."""
    g, weight = net.graph, _position_weight(net, sizes)
    kernel = weight.shape[2]
    how = Conv(padding=kernel // 2, groups=sizes.position_groups)
    with g.scope("positions"):
        y = conv(g, swap(g, x), weight, net.take("bias", sizes.width), how)
        if kernel % 2 == 0:
            y = cut(g, y, 0, -1, 2)
        return swap(g, gelu(g, y))


def _position_weight(net: Module, sizes: HubertSizes) -> FloatArray:
    """Normalised over the channels; newer checkpoints have other names for the two parts."""
    gain, direction = "weight_g", "weight_v"
    if gain not in net:
        gain, direction = "parametrizations.weight.original0", "parametrizations.weight.original1"
    kernel = net.shape(direction, 3)[2]
    v = net.take(direction, sizes.width, sizes.width // sizes.position_groups, kernel)
    return weight_norm(net.take(gain, 1, 1, kernel), v, axes=(0, 1))


def _layer(net: Module, x: Value, sizes: HubertSizes) -> Value:
    g, width, wide, heads = net.graph, sizes.width, sizes.feed_forward, Heads(sizes.heads, sizes.width)
    q = net.linear("attention.q_proj", x, (width, width), heads.scale)
    k = net.linear("attention.k_proj", x, (width, width))
    v = net.linear("attention.v_proj", x, (width, width))
    x = add(g, x, net.linear("attention.out_proj", attention(g, (q, k, v), heads), (width, width)))
    x = net.layer_norm("layer_norm", x, width, sizes.epsilon)
    hidden = gelu(g, net.linear("feed_forward.intermediate_dense", x, (wide, width)))
    x = add(g, x, net.linear("feed_forward.output_dense", hidden, (width, wide)))
    return net.layer_norm("final_layer_norm", x, width, sizes.epsilon)
