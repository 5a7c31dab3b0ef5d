"""Writes CN-HuBERT: a 16 kHz wave to SSL features at 50 Hz. It does not know what becomes of them.

HuBERT base (Hsu et al. 2021): seven strided convolutions, a convolutional position embedding, post-norm transformer.
Both key layouts of its weight-normalised convolution are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import add, attention, conv, cut, gelu, layer_norm, linear, swap
from edge_tts.convert.ports import Ports
from edge_tts.errors import CheckpointError

UNUSED = r"(hubert\.)?masked_spec_embed$"


@dataclass(frozen=True, slots=True)
class HubertSizes:
    """What config.json and the arrays decide."""

    width: int
    feed_forward: int
    heads: int
    layers: int
    strides: tuple[int, ...]
    position_groups: int
    epsilon: float


def read_sizes(weights: Weights, config: Mapping[str, Any]) -> HubertSizes:
    """Sizes of a HuBERT of the base kind. Raises CheckpointError for other kinds (stable layer norm, biases)."""
    kind = (config.get("do_stable_layer_norm", False), config.get("feat_extract_norm"), config.get("conv_bias", False))
    if kind != (False, "group", False) or config.get("hidden_act") != "gelu":
        raise CheckpointError(f"{weights.label}: not a HuBERT of the base kind; chinese-hubert-base is supported")
    width = weights.shape("encoder.layer_norm.weight", 1)[0]
    try:
        heads, groups = int(config["num_attention_heads"]), int(config["num_conv_pos_embedding_groups"])
        strides = tuple(int(stride) for stride in config["conv_stride"])
        epsilon = float(config.get("layer_norm_eps", 1e-5))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{weights.label}: config.json lacks a usable value: {error!r}") from error
    if heads < 1 or groups < 1 or width % heads or width % groups or min(strides, default=0) < 1:
        raise CheckpointError(f"{weights.label}: config.json does not fit the width {width}")
    return HubertSizes(
        width=width,
        feed_forward=weights.shape("encoder.layers.0.feed_forward.intermediate_dense.weight", 2)[0],
        heads=heads,
        layers=weights.count("encoder.layers.{}.layer_norm.weight"),
        strides=strides,
        position_groups=groups,
        epsilon=epsilon,
    )


def write_hubert(g: Graph, weights: Weights, sizes: HubertSizes) -> None:
    """wave [1, samples] at 16 kHz, not normalised -> ssl [1, width, T]: the last hidden state."""
    ports = Ports(g, graphs.SSL, {"ssl_width": sizes.width})
    x = swap(g, _features(g, ports.input(graphs.SAMPLES), weights, sizes))
    with g.scope("projection"):
        channels = weights.shape("feature_projection.layer_norm.weight", 1)[0]
        x = _norm(g, x, "feature_projection.layer_norm", weights, channels, sizes.epsilon)
        x = _dense(g, x, "feature_projection.projection", weights, channels, sizes.width)
    x = add(g, x, _positions(g, x, weights, sizes))
    x = _norm(g, x, "encoder.layer_norm", weights, sizes.width, sizes.epsilon)
    for index in range(sizes.layers):
        with g.scope(f"layer{index}"):
            x = _layer(g, x, f"encoder.layers.{index}", weights, sizes)
    ports.output(graphs.SSL_FEATURES, swap(g, x))


def _features(g: Graph, wave: Value, weights: Weights, sizes: HubertSizes) -> Value:
    """The strided convolutions -> [1, channels, T]; the first is normalised per channel over time."""
    x = g.op("Unsqueeze", wave, g.constant(np.array([1])))
    channels = 1
    for index, stride in enumerate(sizes.strides):
        with g.scope(f"conv{index}"):
            name = f"feature_extractor.conv_layers.{index}"
            out, _, kernel = weights.shape(f"{name}.conv.weight", 3)
            x = conv(g, x, weights.take(f"{name}.conv.weight", out, channels, kernel), stride=stride)
            channels = out
            if index == 0:
                scale = g.constant(weights.take(f"{name}.layer_norm.weight", out), "scale")
                bias = g.constant(weights.take(f"{name}.layer_norm.bias", out), "bias")
                x = g.op("InstanceNormalization", x, scale, bias, epsilon=1e-5)
            x = gelu(g, x)
    return x


def _positions(g: Graph, x: Value, weights: Weights, sizes: HubertSizes) -> Value:
    """Grouped convolution over time of x [1, T, width]; an even kernel gives one frame too many, which is dropped."""
    with g.scope("positions"):
        weight = _position_weight(weights, sizes)
        kernel = weight.shape[2]
        bias = weights.take("encoder.pos_conv_embed.conv.bias", sizes.width)
        y = conv(g, swap(g, x), weight, bias, padding=kernel // 2, groups=sizes.position_groups)
        if kernel % 2 == 0:
            y = cut(g, y, 0, -1, 2)
        return swap(g, gelu(g, y))


def _position_weight(weights: Weights, sizes: HubertSizes) -> FloatArray:
    """Weight normalisation undone; here the norm is over the channels, one for each tap of the kernel."""
    name = "encoder.pos_conv_embed.conv"
    gain, direction = f"{name}.weight_g", f"{name}.weight_v"
    if gain not in weights:
        gain, direction = (f"{name}.parametrizations.weight.original{part}" for part in (0, 1))
    kernel = weights.shape(direction, 3)[2]
    v = weights.take(direction, sizes.width, sizes.width // sizes.position_groups, kernel)
    length = np.sqrt(np.square(v).sum(axis=(0, 1), keepdims=True))
    return np.asarray(weights.take(gain, 1, 1, kernel) * v / np.maximum(length, np.float32(1e-30)), np.float32)


def _layer(g: Graph, x: Value, name: str, weights: Weights, sizes: HubertSizes) -> Value:
    """Self-attention, norm, feed-forward with GELU, norm; both with residual."""
    width, wide = sizes.width, sizes.feed_forward
    scale = (width // sizes.heads) ** -0.5
    q = _dense(g, x, f"{name}.attention.q_proj", weights, width, width, scale)
    k = _dense(g, x, f"{name}.attention.k_proj", weights, width, width)
    v = _dense(g, x, f"{name}.attention.v_proj", weights, width, width)
    mixed = attention(g, q, k, v, heads=sizes.heads, width=width)
    x = add(g, x, _dense(g, mixed, f"{name}.attention.out_proj", weights, width, width))
    x = _norm(g, x, f"{name}.layer_norm", weights, width, sizes.epsilon)
    hidden = gelu(g, _dense(g, x, f"{name}.feed_forward.intermediate_dense", weights, width, wide))
    x = add(g, x, _dense(g, hidden, f"{name}.feed_forward.output_dense", weights, wide, width))
    return _norm(g, x, f"{name}.final_layer_norm", weights, width, sizes.epsilon)


def _dense(g: Graph, x: Value, name: str, weights: Weights, into: int, out: int, scale: float = 1.0) -> Value:
    factor = np.float32(scale)
    weight, bias = weights.take(f"{name}.weight", out, into), weights.take(f"{name}.bias", out)
    return linear(g, x, weight * factor, bias * factor)


def _norm(g: Graph, x: Value, name: str, weights: Weights, width: int, epsilon: float) -> Value:
    return layer_norm(g, x, weights.take(f"{name}.weight", width), weights.take(f"{name}.bias", width), epsilon)
