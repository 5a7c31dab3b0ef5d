"""Writes ERes2NetV2 (Chen et al. 2024), the speaker verification of the v2Pro families.

GPT-SoVITS averages the fused map of the last stage over time; pooling and `seg_1` are not read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import Weights
from edge_tts.convert.layers import Conv, add, concat, conv, cut, reshape, scalar, swap, unsqueeze
from edge_tts.convert.module import Module
from edge_tts.convert.ports import Ports
from edge_tts.errors import CheckpointError

UNUSED = r"seg_|.*\.num_batches_tracked$"
_CEILING = 20.0
_EPSILON = np.float32(1e-5)
_STAGE_STRIDES = (1, 2, 2, 2)


@dataclass(frozen=True, slots=True)
class SpeakerSizes:
    """Channels of the first convolution, blocks per stage, channels of the last stage."""

    channels: int
    blocks: tuple[int, ...]
    fused: int

    @property
    def embedding(self) -> int:
        """Its width: channels times the mel bands that the strides leave."""
        return self.fused * graphs.MEL_BANDS // 8


def read_sizes(weights: Weights) -> SpeakerSizes:
    """Raises CheckpointError when it is another network."""
    blocks = tuple(weights.count(f"layer{stage}.{{}}.conv1.weight") for stage in range(1, 5))
    if not all(blocks):
        raise CheckpointError(f"{weights.label}: not an ERes2NetV2 (one of its four stages is missing)")
    return SpeakerSizes(
        channels=weights.shape("conv1.weight", 4)[0],
        blocks=blocks,
        fused=weights.shape("layer3_ds.weight", 4)[0],
    )


def write_speaker(net: Module, sizes: SpeakerSizes) -> None:
    """fbank [1, frames, 80] -> embedding [1, 20480]."""
    g = net.graph
    ports = Ports(g, graphs.SPEAKER, {"speaker_width": sizes.embedding})
    x = unsqueeze(g, swap(g, ports.input(graphs.FBANK)), 1)
    x = g.op("Relu", _conv_norm(net, ("conv1", "bn1"), x, (sizes.channels, 1, 3, 3)))
    channels, stages = sizes.channels, []
    for stage, blocks in enumerate(sizes.blocks, start=1):
        for index in range(blocks):
            with g.scope(f"layer{stage}.{index}"):
                stride = _STAGE_STRIDES[stage - 1] if index == 0 else 1
                x, channels = _block(net.child(f"layer{stage}.{index}"), x, channels, stride)
        stages.append((x, channels))
    third, width = stages[2]
    weight = net.take("layer3_ds.weight", sizes.fused, width, 3, 3)
    with g.scope("fuse34"):
        third = conv(g, third, weight, how=Conv(stride=2, padding=1))
        x = _fused(net.child("fuse34.local_att"), x, third, sizes.fused)
        mean = g.op("ReduceMean", x, axes=[3], keepdims=0)
    ports.output(graphs.EMBEDDING, reshape(g, mean, 1, -1))


def _block(net: Module, x: Value, channels: int, stride: int) -> tuple[Value, int]:
    """A Res2Net block over [1, C, mel, time], and its channels; each band gets the one before."""
    g, count = net.graph, net.count("convs.{}.weight")
    wide = net.shape("conv1.weight", 4)[0]
    if count == 0 or wide % count:
        raise CheckpointError(f"{net.weights.label}: {net.name[:-1]} has {count} bands for {wide} channels")
    band = wide // count
    y = _clipped(g, _conv_norm(net, ("conv1", "bn1"), x, (wide, channels, 1, 1), stride))
    bands: list[Value] = []
    for index in range(count):
        part = cut(g, y, index * band, (index + 1) * band, 1)
        fusion = net.child(f"fuse_models.{index - 1}.local_att")
        if bands and "0.weight" in fusion:
            part = _fused(fusion, bands[-1], part, band)
        elif bands:
            part = add(g, bands[-1], part)
        part = _conv_norm(net, (f"convs.{index}", f"bns.{index}"), part, (band, band, 3, 3))
        bands.append(_clipped(g, part))
    out = net.shape("conv3.weight", 4)[0]
    y = _conv_norm(net, ("conv3", "bn3"), concat(g, bands, 1), (out, wide, 1, 1))
    if "shortcut.0.weight" in net:
        x = _conv_norm(net, ("shortcut.0", "shortcut.1"), x, (out, channels, 1, 1), stride)
    return _clipped(g, add(g, y, x)), out


def _fused(net: Module, x: Value, y: Value, channels: int) -> Value:
    """Attentional fusion: x (1 + a) + y (1 - a), a being tanh of a small network of both."""
    g, inner = net.graph, net.shape("0.weight", 4)[0]
    z = _conv_norm(net, ("0", "1"), concat(g, [x, y], 1), (inner, 2 * channels, 1, 1))
    z = g.op("Mul", z, g.op("Sigmoid", z))
    share = g.op("Tanh", _conv_norm(net, ("3", "4"), z, (channels, inner, 1, 1)))
    one = scalar(g, 1.0)
    return add(g, g.op("Mul", x, g.op("Add", share, one)), g.op("Mul", y, g.op("Sub", one, share)))


def _clipped(g: Graph, x: Value) -> Value:
    """ReLU that ends at 20."""
    return g.op("Clip", x, scalar(g, 0.0), scalar(g, _CEILING))


def _conv_norm(
    net: Module, names: tuple[str, str], x: Value, shape: tuple[int, int, int, int], stride: int = 1
) -> Value:
    """A convolution and its batch norm (running statistics), folded into one."""
    name, norm = names
    out = shape[0]
    gain = net.take(f"{norm}.weight", out) / np.sqrt(net.take(f"{norm}.running_var", out) + _EPSILON)
    bias = net.take(f"{norm}.bias", out) - gain * net.take(f"{norm}.running_mean", out)
    if f"{name}.bias" in net:
        bias = bias + gain * net.take(f"{name}.bias", out)
    weight = net.take(f"{name}.weight", *shape) * gain[:, None, None, None]
    return conv(net.graph, x, weight, bias, Conv(stride=stride, padding=shape[2] // 2))
