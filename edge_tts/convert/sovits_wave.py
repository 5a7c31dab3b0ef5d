"""Writes SoVITS' second half: encoder features to latents (`flow`) and latents to sound (`wave`).

Normalising flow of VITS with WaveNet couplings, run backwards, and a HiFi-GAN generator (Kong et al. 2020), both told
the speaker by ge. It knows nothing about text.
"""

from __future__ import annotations

import math

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import add, concat, conv, conv_transpose, cut, gated, scalar
from edge_tts.convert.ports import Ports
from edge_tts.convert.sovits import SovitsSizes
from edge_tts.errors import CheckpointError

SAMPLES_PER_FRAME = 640
_SLOPE = 0.1
_LAST_SLOPE = 0.01
"""Upstream's generator leaves the slope of its last leaky ReLU at the framework's default."""


def write_flow(g: Graph, weights: Weights, sizes: SovitsSizes) -> None:
    """features [1, hidden, F], ge [1, G, 1], noise [1, C, F], noise_scale [1] -> mean, log_scale, latent [1, C, F].

    The flow flips its channels between couplings. An even number of flips is none, so the flips are folded into the
    weights: couplings alternate between the two halves, every second one with its channels reversed.
    """
    channels, half = sizes.latent, sizes.latent // 2
    ports = Ports(g, graphs.FLOW, sizes.declared)
    features, ge = ports.input(graphs.FEATURES), ports.input(graphs.GE)
    noise, noise_scale = ports.input(graphs.NOISE), ports.input(graphs.NOISE_SCALE)
    weight = weights.take("enc_p.proj.weight", 2 * channels, sizes.hidden, 1)
    both = conv(g, features, weight, weights.take("enc_p.proj.bias", 2 * channels))
    mean, log_scale = cut(g, both, 0, channels, 1), cut(g, both, channels, 2 * channels, 1)
    with g.scope("draw"):
        spread = g.op("Mul", g.op("Exp", log_scale), noise_scale)
        drawn = add(g, mean, g.op("Mul", noise, spread))
    first, second = cut(g, drawn, 0, half, 1), cut(g, drawn, half, channels, 1)
    for number in (6, 4, 2, 0):
        with g.scope(f"coupling{number}"):
            if number % 4:
                first = g.op("Sub", first, _coupling(g, second, ge, number, weights, sizes, flipped=True))
            else:
                second = g.op("Sub", second, _coupling(g, first, ge, number, weights, sizes, flipped=False))
    latent = concat(g, [first, second], 1)
    ports.output(graphs.MEAN, mean)
    ports.output(graphs.LOG_SCALE, log_scale)
    ports.output(graphs.LATENT, latent)


def write_wave(g: Graph, weights: Weights, sizes: SovitsSizes) -> None:
    """latent [1, C, F], ge [1, G, 1] -> audio [1, 640 F], within -1 to 1."""
    if math.prod(sizes.upsample_rates) != SAMPLES_PER_FRAME:
        raise CheckpointError(f"{weights.label}: upsample_rates {list(sizes.upsample_rates)} do not make 640 samples")
    ports = Ports(g, graphs.WAVE, sizes.declared)
    latent, ge = ports.input(graphs.LATENT), ports.input(graphs.GE)
    width = weights.shape("dec.conv_pre.weight", 3)[0]
    before = weights.take("dec.conv_pre.weight", width, sizes.latent, 7)
    told = weights.take("dec.cond.weight", width, sizes.conditioning, 1)
    x = add(
        g,
        conv(g, latent, before, weights.take("dec.conv_pre.bias", width), padding=3),
        conv(g, ge, told, weights.take("dec.cond.bias", width)),
    )
    for stage, rate in enumerate(sizes.upsample_rates):
        with g.scope(f"stage{stage}"):
            kernel = weights.shape(f"dec.ups.{stage}.weight_v", 3)[2]
            weight = _normalized(weights, f"dec.ups.{stage}", width, width // 2, kernel)
            x = g.op("LeakyRelu", x, alpha=_SLOPE)
            width //= 2
            bias = weights.take(f"dec.ups.{stage}.bias", width)
            x = conv_transpose(g, x, weight, bias, stride=rate, padding=(kernel - rate) // 2)
            x = _mean_of_blocks(g, x, stage, width, weights, sizes)
    after = weights.take("dec.conv_post.weight", 1, width, 7)
    x = g.op("Tanh", conv(g, g.op("LeakyRelu", x, alpha=_LAST_SLOPE), after, padding=3))
    ports.output(graphs.AUDIO, g.op("Reshape", x, g.constant(np.array([1, -1]))))


def flow_halo_frames(weights: Weights) -> int:
    """Frames on either side of a frame that its latent depends on."""
    reach = 0
    for number in (0, 2, 4, 6):
        name = f"flow.flows.{number}.enc.in_layers.{{}}.weight_v"
        reach += sum(weights.shape(name.format(i), 3)[2] // 2 for i in range(weights.count(name)))
    return reach


def wave_halo_frames(weights: Weights, sizes: SovitsSizes) -> int:
    """Latent frames on either side of a frame that its 640 samples depend on."""
    origin = 1 << 20  # far from zero, so that integer division rounds the same way everywhere
    first, last = origin * SAMPLES_PER_FRAME - 3, (origin + 1) * SAMPLES_PER_FRAME - 1 + 3
    for stage in reversed(range(len(sizes.upsample_rates))):
        rate, kernel = sizes.upsample_rates[stage], weights.shape(f"dec.ups.{stage}.weight_v", 3)[2]
        reach = max(
            sum((_block_kernel(weights, stage, block, sizes) // 2) * (dilation + 1) for dilation in dilations)
            for block, dilations in enumerate(sizes.block_dilations)
        )
        padding = (kernel - rate) // 2
        first = -((kernel - 1 - padding - (first - reach)) // rate)
        last = (last + reach + padding) // rate
    return max(origin - (first - 3), last + 3 - origin)


def _coupling(
    g: Graph, x: Value, ge: Value, number: int, weights: Weights, sizes: SovitsSizes, *, flipped: bool
) -> Value:
    """What one coupling subtracts from the other half: 1x1, WaveNet, 1x1 of x [1, C/2, F]."""
    name, hidden, half = f"flow.flows.{number}", sizes.hidden, sizes.latent // 2
    order = -1 if flipped else 1
    into = weights.take(f"{name}.pre.weight", hidden, half, 1)[:, ::order]
    x = conv(g, x, into, weights.take(f"{name}.pre.bias", hidden))
    x = _wavenet(g, x, ge, f"{name}.enc", weights, sizes)
    out = weights.take(f"{name}.post.weight", half, hidden, 1)[::order]
    return conv(g, x, out, weights.take(f"{name}.post.bias", half)[::order])


def _wavenet(g: Graph, x: Value, ge: Value, name: str, weights: Weights, sizes: SovitsSizes) -> Value:
    """Gated convolutions with skip connections (van den Oord et al. 2016) over x [1, hidden, F], dilation 1."""
    hidden, wide = sizes.hidden, 2 * sizes.hidden
    layers = weights.count(f"{name}.in_layers.{{}}.weight_v")
    told = _normalized(weights, f"{name}.cond_layer", layers * wide, sizes.conditioning, 1)
    speaker = conv(g, ge, told, weights.take(f"{name}.cond_layer.bias", layers * wide))
    skips: list[Value] = []
    for layer in range(layers):
        kernel = weights.shape(f"{name}.in_layers.{layer}.weight_v", 3)[2]
        weight = _normalized(weights, f"{name}.in_layers.{layer}", wide, hidden, kernel)
        y = conv(g, x, weight, weights.take(f"{name}.in_layers.{layer}.bias", wide), padding=kernel // 2)
        y = add(g, y, cut(g, speaker, layer * wide, (layer + 1) * wide, 1))
        y = gated(g, y, axis=1, half=hidden, squash="Tanh")
        last = layer == layers - 1
        out = hidden if last else wide
        weight = _normalized(weights, f"{name}.res_skip_layers.{layer}", out, hidden, 1)
        y = conv(g, y, weight, weights.take(f"{name}.res_skip_layers.{layer}.bias", out))
        if last:
            return add(g, *skips, y)
        x = add(g, x, cut(g, y, 0, hidden, 1))
        skips.append(cut(g, y, hidden, wide, 1))
    raise CheckpointError(f"{weights.label}: the parameter {name}.in_layers.0.weight_v is missing")


def _mean_of_blocks(g: Graph, x: Value, stage: int, width: int, weights: Weights, sizes: SovitsSizes) -> Value:
    """The mean of the stage's residual blocks, each with its own kernel, over x [1, width, T]."""
    count = len(sizes.block_dilations)
    results = []
    for block, dilations in enumerate(sizes.block_dilations):
        kernel = _block_kernel(weights, stage, block, sizes)
        y = x
        for step, dilation in enumerate(dilations):
            name = f"dec.resblocks.{stage * count + block}"
            z = y
            for part, spread in (("convs1", dilation), ("convs2", 1)):
                weight = _normalized(weights, f"{name}.{part}.{step}", width, width, kernel)
                bias = weights.take(f"{name}.{part}.{step}.bias", width)
                z = g.op("LeakyRelu", z, alpha=_SLOPE)
                z = conv(g, z, weight, bias, dilation=spread, padding=spread * (kernel - 1) // 2)
            y = add(g, y, z)
        results.append(y)
    return g.op("Mul", add(g, *results), scalar(g, 1 / count))


def _block_kernel(weights: Weights, stage: int, block: int, sizes: SovitsSizes) -> int:
    number = stage * len(sizes.block_dilations) + block
    return weights.shape(f"dec.resblocks.{number}.convs1.0.weight_v", 3)[2]


def _normalized(weights: Weights, name: str, *shape: int) -> FloatArray:
    """Weight normalisation (Salimans & Kingma 2016) undone: g v / |v|, the norm over all axes but the first."""
    direction = weights.take(f"{name}.weight_v", *shape)
    length = np.sqrt(np.square(direction).sum(axis=tuple(range(1, len(shape))), keepdims=True))
    gain = weights.take(f"{name}.weight_g", shape[0], *[1] * (len(shape) - 1))
    return np.asarray(gain * direction / np.maximum(length, np.float32(1e-30)), np.float32)
