"""Graphs that listen: `ssl` and `quantizer` (recording -> tokens), `conditioning` (spectrogram -> speaker vector)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_tts import graphs
from edge_tts.convert.builder import Graph
from edge_tts.convert.layers import Conv, add, concat, cut, gelu, reshape, size, swap, transpose
from edge_tts.convert.ports import Ports

from .graphs import (
    State,
    along,
    blocks,
    dense,
    framed,
    less,
    log_mel,
    mul,
    norm,
    pad,
    part,
    speech_level,
    turns,
    windowed,
)

WINDOW, HOP = 640, 160


def write_ssl(g: Graph, state: State, filters: npt.NDArray[np.float32], depth: int) -> None:
    """wave [1, n] at 16 kHz -> ssl [1, width, n // 320]: log-mel and ConvNeXt blocks."""
    ports = Ports(g, graphs.SSL, {"ssl_width": int(state["norm.weight"].shape[0])})
    wave = ports.input(graphs.SAMPLES)
    padded = pad(g, wave, (WINDOW - HOP) // 2, (WINDOW - HOP) // 2, 1, 2)
    hop = g.constant(np.array([HOP]), "hop")
    whole = g.op("Mul", g.op("Div", size(g, padded, 1), hop), hop)
    frames = framed(g, cut(g, padded, 0, whole, 1), HOP)
    parts = []
    for basis in turns(g, WINDOW // 2 + 1, WINDOW):
        projected = g.op("MatMul", frames, transpose(g, windowed(g, basis, WINDOW), 1, 0))
        parts.append(g.op("Mul", projected, projected))
    magnitude = g.op("Sqrt", add(g, *parts))
    mel = log_mel(g, magnitude, filters, 1e-4)
    x = along(g, less(g, mel, speech_level(g, mel)), state, "entry", Conv(stride=2, padding=3))
    x = norm(g, blocks(g, x, state, "encoder", depth), state, "norm")
    ports.output(graphs.SSL_FEATURES, swap(g, x))


def write_quantizer(g: Graph, state: State, levels: tuple[int, ...]) -> None:
    """ssl [1, width, T] -> codes int64 [1, T // 2] by finite scalar quantisation."""
    ports = Ports(g, graphs.QUANTIZER, {"ssl_width": int(state["norm.weight"].shape[0])})
    ssl = ports.input(graphs.SSL_FEATURES)
    x = along(g, swap(g, ssl), state, "down", Conv(stride=2, padding=1))
    x = dense(g, gelu(g, norm(g, x, state, "squeeze.0")), state, "squeeze.2")
    steps = np.array(levels, np.float32) - 1
    bases = np.concatenate([[1], np.cumprod(levels[:-1])]).astype(np.float32)
    rounded = g.op("Round", g.op("Mul", g.op("Sigmoid", x), g.constant(steps, "steps")))
    weighted = g.op("Mul", rounded, g.constant(bases, "bases"))
    codes = g.op("ReduceSum", weighted, g.constant(np.array([2]), "axes"), keepdims=0)
    ports.output(graphs.CODES, g.op("Cast", codes, dtype="int64", to=7))


def write_conditioning(g: Graph, state: State, filters: npt.NDArray[np.float32], depth: int) -> None:
    """spectrogram [1, 1025, F] -> ge [1, G, 1]; only the bins below 8 kHz are heard."""
    style = part(state, "style")
    ports = Ports(g, graphs.CONDITIONING, {"conditioning_width": int(style["out.weight"].shape[0])})
    spectrogram = ports.input(graphs.SPECTROGRAM)
    magnitude = swap(g, cut(g, spectrogram, 0, filters.shape[1], 1))
    mel = log_mel(g, magnitude, filters, 1e-3)
    level = g.op("ReduceMean", speech_level(g, mel), axes=[2], keepdims=1)
    x = blocks(g, along(g, less(g, mel, level), style, "entry", Conv(padding=2)), style, "blocks", depth)
    mean = g.op("ReduceMean", x, axes=[1], keepdims=1)
    around = less(g, x, mean)
    spread = g.op("Sqrt", g.op("ReduceMean", mul(g, around, around), axes=[1], keepdims=1))
    pooled = reshape(g, concat(g, [mean, spread], 2), 1, -1)
    ge = dense(g, norm(g, pooled, style, "norm"), style, "out")
    ports.output(graphs.GE, reshape(g, ge, 1, -1, 1))
