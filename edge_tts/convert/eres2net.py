"""Writes ERes2NetV2, the speaker verification of the v2Pro families: a filterbank to one embedding.

After 3D-Speaker's ERes2NetV2 (Chen et al. 2024). GPT-SoVITS takes the fused map of the last stage averaged over time,
not the pooled and projected embedding, so pooling and `seg_1` are not read. Batch norm is folded into convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.checkpoint import FloatArray, Weights
from edge_tts.convert.layers import add, concat, conv, cut, reshape, scalar, swap, unsqueeze
from edge_tts.convert.ports import Ports
from edge_tts.errors import CheckpointError

UNUSED = r"seg_|.*\.num_batches_tracked$"
_CEILING = 20.0
_EPSILON = np.float32(1e-5)
_STAGE_STRIDES = (1, 2, 2, 2)


@dataclass(frozen=True, slots=True)
class SpeakerSizes:
    """What the arrays decide."""

    channels: int
    """Of the first convolution."""
    blocks: tuple[int, ...]
    """Per stage."""
    fused: int
    """Channels of the last stage."""

    @property
    def embedding(self) -> int:
        """Width of the embedding: the fused map over what the strides leave of the mel bands."""
        return self.fused * graphs.MEL_BANDS // 8


def read_sizes(weights: Weights) -> SpeakerSizes:
    """Sizes of an ERes2NetV2. Raises CheckpointError when it is another network."""
    blocks = tuple(weights.count(f"layer{stage}.{{}}.conv1.weight") for stage in range(1, 5))
    if not all(blocks):
        raise CheckpointError(f"{weights.label}: not an ERes2NetV2 (one of its four stages is missing)")
    return SpeakerSizes(
        channels=weights.shape("conv1.weight", 4)[0],
        blocks=blocks,
        fused=weights.shape("layer3_ds.weight", 4)[0],
    )


def write_speaker(g: Graph, weights: Weights, sizes: SpeakerSizes) -> None:
    """fbank [1, frames, 80] -> embedding [1, 20480]."""
    ports = Ports(g, graphs.SPEAKER, {"speaker_width": sizes.embedding})
    x = unsqueeze(g, swap(g, ports.input(graphs.FBANK)), 1)
    x = g.op("Relu", _conv_norm(g, x, "conv1", "bn1", weights, (sizes.channels, 1, 3, 3)))
    channels, stages = sizes.channels, []
    for stage, blocks in enumerate(sizes.blocks, start=1):
        for index in range(blocks):
            with g.scope(f"layer{stage}.{index}"):
                stride = _STAGE_STRIDES[stage - 1] if index == 0 else 1
                x, channels = _block(g, x, f"layer{stage}.{index}", weights, channels, stride)
        stages.append((x, channels))
    third, width = stages[2]
    weight = weights.take("layer3_ds.weight", sizes.fused, width, 3, 3)
    with g.scope("fuse34"):
        x = _fused(g, x, conv(g, third, weight, stride=2, padding=1), "fuse34", weights, sizes.fused)
        mean = g.op("ReduceMean", x, axes=[3], keepdims=0)
    ports.output(graphs.EMBEDDING, reshape(g, mean, 1, -1))


def _block(g: Graph, x: Value, name: str, weights: Weights, channels: int, stride: int) -> tuple[Value, int]:
    """One Res2Net block over [1, C, mel, time]: bands processed in a row, each fed with the one before."""
    parts = weights.count(f"{name}.convs.{{}}.weight")
    wide = weights.shape(f"{name}.conv1.weight", 4)[0]
    if parts == 0 or wide % parts:
        raise CheckpointError(f"{weights.label}: {name} has {parts} bands for {wide} channels")
    band = wide // parts
    y = _conv_norm(g, x, f"{name}.conv1", f"{name}.bn1", weights, (wide, channels, 1, 1), stride=stride)
    y = _clipped(g, y)
    done: list[Value] = []
    for part in range(parts):
        piece = cut(g, y, part * band, (part + 1) * band, 1)
        if done and f"{name}.fuse_models.{part - 1}.local_att.0.weight" in weights:
            piece = _fused(g, done[-1], piece, f"{name}.fuse_models.{part - 1}", weights, band)
        elif done:
            piece = add(g, done[-1], piece)
        piece = _conv_norm(g, piece, f"{name}.convs.{part}", f"{name}.bns.{part}", weights, (band, band, 3, 3))
        done.append(_clipped(g, piece))
    out = weights.shape(f"{name}.conv3.weight", 4)[0]
    y = _conv_norm(g, concat(g, done, 1), f"{name}.conv3", f"{name}.bn3", weights, (out, wide, 1, 1))
    if f"{name}.shortcut.0.weight" in weights:
        shape = (out, channels, 1, 1)
        x = _conv_norm(g, x, f"{name}.shortcut.0", f"{name}.shortcut.1", weights, shape, stride=stride)
    return _clipped(g, add(g, y, x)), out


def _fused(g: Graph, x: Value, y: Value, name: str, weights: Weights, channels: int) -> Value:
    """Attentional fusion of two maps of equal shape: x (1 + a) + y (1 - a) with a = tanh of a small network of both."""
    inner = weights.shape(f"{name}.local_att.0.weight", 4)[0]
    first, second = f"{name}.local_att.0", f"{name}.local_att.3"
    z = _conv_norm(g, concat(g, [x, y], 1), first, f"{name}.local_att.1", weights, (inner, 2 * channels, 1, 1))
    z = g.op("Mul", z, g.op("Sigmoid", z))
    z = _conv_norm(g, z, second, f"{name}.local_att.4", weights, (channels, inner, 1, 1))
    share = g.op("Tanh", z)
    one = scalar(g, 1.0)
    return add(g, g.op("Mul", x, g.op("Add", share, one)), g.op("Mul", y, g.op("Sub", one, share)))


def _clipped(g: Graph, x: Value) -> Value:
    """ReLU that ends at 20."""
    return g.op("Clip", x, scalar(g, 0.0), scalar(g, _CEILING))


def _conv_norm(
    g: Graph, x: Value, name: str, norm: str, weights: Weights, shape: tuple[int, int, int, int], stride: int = 1
) -> Value:
    """A convolution with its batch norm folded in (running statistics)."""
    out = shape[0]
    weight: FloatArray = weights.take(f"{name}.weight", *shape)
    variance = weights.take(f"{norm}.running_var", out)
    gain = weights.take(f"{norm}.weight", out) / np.sqrt(variance + _EPSILON)
    bias = weights.take(f"{norm}.bias", out) - gain * weights.take(f"{norm}.running_mean", out)
    if f"{name}.bias" in weights:
        bias = bias + gain * weights.take(f"{name}.bias", out)
    return conv(g, x, weight * gain[:, None, None, None], bias, stride=stride, padding=shape[2] // 2)
