"""Writes SoVITS' second half: encoder features to latents (`flow`) and latents to a waveform (`wave`).

The normalising flow of VITS with WaveNet couplings, run backwards, and a HiFi-GAN generator (Kong et al. 2020).
"""

from __future__ import annotations

import math

from edge_tts import graphs
from edge_tts.convert.builder import Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import (
    PLAIN,
    Conv,
    add,
    concat,
    conv,
    conv_transpose,
    cut,
    gated,
    reshape,
    scalar,
    weight_norm,
)
from edge_tts.convert.module import Module
from edge_tts.convert.ports import Ports
from edge_tts.convert.sovits import SovitsSizes
from edge_tts.errors import CheckpointError

SAMPLES_PER_FRAME = 640
_SLOPE = 0.1
_LAST_SLOPE = 0.01
"""The default of torch, which upstream leaves there."""


def write_flow(net: Module, sizes: SovitsSizes) -> None:
    """features [1, hidden, F], ge [1, G, 1], noise [1, C, F], noise_scale [1] -> mean, log_scale, latent [1, C, F].

    The flips of channels between couplings are folded into the weights: couplings alternate between the two halves,
    every second one with its channels reversed.
    """
    g, channels, half = net.graph, sizes.latent, sizes.latent // 2
    ports = Ports(g, graphs.FLOW, sizes.declared)
    features, ge = ports.input(graphs.FEATURES), ports.input(graphs.GE)
    noise, noise_scale = ports.input(graphs.NOISE), ports.input(graphs.NOISE_SCALE)
    both = net.conv("enc_p.proj", features, (2 * channels, sizes.hidden, 1))
    mean, log_scale = cut(g, both, 0, channels, 1), cut(g, both, channels, 2 * channels, 1)
    with g.scope("draw"):
        spread = g.op("Mul", g.op("Exp", log_scale), noise_scale)
        drawn = add(g, mean, g.op("Mul", noise, spread))
    first, second = cut(g, drawn, 0, half, 1), cut(g, drawn, half, channels, 1)
    for number in (6, 4, 2, 0):
        coupling = net.child(f"flow.flows.{number}")
        with g.scope(f"coupling{number}"):
            if number % 4:
                first = g.op("Sub", first, _coupling(coupling, second, ge, sizes, flipped=True))
            else:
                second = g.op("Sub", second, _coupling(coupling, first, ge, sizes, flipped=False))
    latent = concat(g, [first, second], 1)
    for name, value in ((graphs.MEAN, mean), (graphs.LOG_SCALE, log_scale), (graphs.LATENT, latent)):
        ports.output(name, value)


def write_wave(net: Module, sizes: SovitsSizes) -> None:
    """latent [1, C, F], ge [1, G, 1] -> audio [1, 640 F], within -1 to 1."""
    rates = sizes.upsample_rates
    if math.prod(rates) != SAMPLES_PER_FRAME:
        raise CheckpointError(f"{net.weights.label}: upsample_rates {list(rates)} do not make 640 samples")
    g, net = net.graph, net.child("dec")
    ports = Ports(g, graphs.WAVE, sizes.declared)
    latent, ge = ports.input(graphs.LATENT), ports.input(graphs.GE)
    width = net.shape("conv_pre.weight", 3)[0]
    x = net.conv("conv_pre", latent, (width, sizes.latent, 7), Conv(padding=3))
    x = add(g, x, net.conv("cond", ge, (width, sizes.conditioning, 1)))
    for stage, rate in enumerate(rates):
        with g.scope(f"stage{stage}"):
            kernel = net.shape(f"ups.{stage}.weight_v", 3)[2]
            weight = _weight(net, f"ups.{stage}", width, width // 2, kernel)
            x = g.op("LeakyRelu", x, alpha=_SLOPE)
            width //= 2
            how = Conv(stride=rate, padding=(kernel - rate) // 2)
            x = conv_transpose(g, x, weight, net.take(f"ups.{stage}.bias", width), how)
            first = stage * len(sizes.block_dilations)
            blocks = [
                _residual_block(net.child(f"resblocks.{number}"), x, width, dilations)
                for number, dilations in enumerate(sizes.block_dilations, start=first)
            ]
            x = g.op("Mul", add(g, *blocks), scalar(g, 1 / len(blocks)))
    x = g.op("LeakyRelu", x, alpha=_LAST_SLOPE)
    x = g.op("Tanh", conv(g, x, net.take("conv_post.weight", 1, width, 7), how=Conv(padding=3)))
    ports.output(graphs.AUDIO, reshape(g, x, 0, -1))


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
        reach = 0
        for number, dilations in enumerate(sizes.block_dilations, start=stage * len(sizes.block_dilations)):
            half = weights.shape(f"dec.resblocks.{number}.convs1.0.weight_v", 3)[2] // 2
            reach = max(reach, sum(half * (dilation + 1) for dilation in dilations))
        padding = (kernel - rate) // 2
        first = -((kernel - 1 - padding - (first - reach)) // rate)
        last = (last + reach + padding) // rate
    return max(origin - (first - 3), last + 3 - origin)


def _coupling(net: Module, x: Value, ge: Value, sizes: SovitsSizes, *, flipped: bool) -> Value:
    """What x [1, C/2, F] makes one coupling subtract from the other half."""
    g, hidden, half, order = net.graph, sizes.hidden, sizes.latent // 2, -1 if flipped else 1
    weight = net.take("pre.weight", hidden, half, 1)[:, ::order]
    x = conv(g, x, weight, net.take("pre.bias", hidden))
    x = _wavenet(net.child("enc"), x, ge, sizes)
    weight = net.take("post.weight", half, hidden, 1)[::order]
    return conv(g, x, weight, net.take("post.bias", half)[::order])


def _wavenet(net: Module, x: Value, ge: Value, sizes: SovitsSizes) -> Value:
    """Gated convolutions with skip connections (van den Oord et al. 2016) over x [1, hidden, F]."""
    g, hidden, wide = net.graph, sizes.hidden, 2 * sizes.hidden
    layers = net.count("in_layers.{}.weight_v")
    speaker = _conv(net, "cond_layer", ge, (layers * wide, sizes.conditioning, 1))
    skips: list[Value] = []
    for layer in range(layers):
        kernel = net.shape(f"in_layers.{layer}.weight_v", 3)[2]
        y = _conv(net, f"in_layers.{layer}", x, (wide, hidden, kernel), Conv(padding=kernel // 2))
        y = add(g, y, cut(g, speaker, layer * wide, (layer + 1) * wide, 1))
        y = gated(g, y, hidden, "Tanh")
        last = layer == layers - 1
        y = _conv(net, f"res_skip_layers.{layer}", y, (hidden if last else wide, hidden, 1))
        if last:
            return add(g, *skips, y)
        x = add(g, x, cut(g, y, 0, hidden, 1))
        skips.append(cut(g, y, hidden, wide, 1))
    raise CheckpointError(f"{net.weights.label}: the parameter {net.name}in_layers.0.weight_v is missing")


def _residual_block(net: Module, x: Value, width: int, dilations: tuple[int, ...]) -> Value:
    """x [1, width, T] -> same."""
    kernel = net.shape("convs1.0.weight_v", 3)[2]
    for step, dilation in enumerate(dilations):
        y = x
        for part, spread in (("convs1", dilation), ("convs2", 1)):
            y = net.graph.op("LeakyRelu", y, alpha=_SLOPE)
            how = Conv(dilation=spread, padding=spread * (kernel - 1) // 2)
            y = _conv(net, f"{part}.{step}", y, (width, width, kernel), how)
        x = add(net.graph, x, y)
    return x


def _conv(net: Module, name: str, x: Value, shape: tuple[int, ...], how: Conv = PLAIN) -> Value:
    """As `Module.conv`, weight-normalised."""
    return conv(net.graph, x, _weight(net, name, *shape), net.take(f"{name}.bias", shape[0]), how)


def _weight(net: Module, name: str, *shape: int) -> FloatArray:
    gain = net.take(f"{name}.weight_g", shape[0], *[1] * (len(shape) - 1))
    return weight_norm(gain, net.take(f"{name}.weight_v", *shape), axes=tuple(range(1, len(shape))))
