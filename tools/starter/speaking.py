"""Graphs that speak: `encoder`, `flow` and `wave` of the source-filter decoder. See `decoder` for what they mean."""

from __future__ import annotations

import math

import numpy as np

from edge_tts import graphs
from edge_tts.convert.builder import Graph, Value
from edge_tts.convert.layers import Conv, add, concat, conv_transpose, cut, ints, reshape, scalar, swap, transpose
from edge_tts.convert.ports import Ports

from .graphs import FAR, State, blocks, dense, framed, less, mul, norm, overlapped, pad, part, turns, windowed
from .shapes import BODY, BREATH_LEVEL, CENTRE_HZ, CODES, GE, HOP, LOWEST_HZ, RATE, SEEDS, SIZES, WIDTH, WINDOW

BINS = WINDOW // 2 + 1
DOUBLINGS = 14
"""The running sum spans 2 ** 14 half frames: 164 seconds."""


def _speaker(g: Graph, ports: Ports) -> Value:
    return reshape(g, ports.input(graphs.GE), 1, GE)


def _doubled(g: Graph, x: Value, state: State, name: str) -> Value:
    """Transposed convolution of [1, T, C] to twice the frames."""
    how = Conv(stride=2, padding=1)
    return swap(g, conv_transpose(g, swap(g, x), state[f"{name}.weight"], state[f"{name}.bias"], how))


def write_encoder(g: Graph, state: State) -> None:
    """codes [1, N], phoneme_ids [1, P], ge [1, G, 1] -> features [1, 192, 2N]; tokens look up their phonemes."""
    encoder = part(state, "encoder")
    ports = Ports(g, graphs.ENCODER, SIZES)
    codes = g.op("Min", ports.input(graphs.CODES), ints(g, CODES - 1))
    phonemes = ports.input(graphs.PHONEME_IDS)
    ge = _speaker(g, ports)
    x = _doubled(g, g.op("Gather", g.constant(encoder["code.weight"], "codes"), codes), encoder, "up")
    x = blocks(g, x, encoder, "first", 2, ge)
    text = g.op("Gather", g.constant(encoder["phoneme.weight"], "phonemes"), phonemes)
    text = blocks(g, text, encoder, "context", 2)
    keys = dense(g, text, encoder, "key")
    scores = g.op("MatMul", dense(g, x, encoder, "query"), swap(g, keys))
    shares = g.op("Softmax", mul(g, scores, encoder["key.weight"].shape[0] ** -0.5), axis=-1)
    x = add(g, x, g.op("MatMul", shares, dense(g, text, encoder, "value")))
    x = norm(g, blocks(g, x, encoder, "second", 3, ge), encoder, "norm")
    ports.output(graphs.FEATURES, swap(g, x))


def write_flow(g: Graph, state: State) -> None:
    """features [1, 192, F], ge, noise [1, 192, F], noise_scale [1] -> mean, log_scale, latent [1, 192, F].

    Only the seeds are random. The phase runs on from the first frame, so it needs all features from the start."""
    flow = part(state, "flow")
    ports = Ports(g, graphs.FLOW, SIZES)
    features = swap(g, ports.input(graphs.FEATURES))
    ge = _speaker(g, ports)
    noise, scale = ports.input(graphs.NOISE), ports.input(graphs.NOISE_SCALE)
    scrambled = g.op("MatMul", features, g.constant(flow["scramble"], "scramble"))
    seeds = mul(g, g.op("Sin", scrambled), 1.5)
    pitch = add(g, dense(g, features, flow, "pitch"), reshape(g, dense(g, ge, flow, "base"), 1, 1, 1))
    pitch = g.op("Exp", g.op("Add", mul(g, pitch, 0.3), scalar(g, math.log(CENTRE_HZ))))
    voiced = g.op("Greater", dense(g, features, flow, "voiced"), scalar(g, 0.0), dtype="bool")
    pitch = g.op("Where", voiced, pitch, scalar(g, 0.0), dtype="float32")
    turned = reshape(g, _running_phase(g, reshape(g, pitch, 1, -1)), 1, -1, 2)
    body = dense(g, features, flow, "body")
    mean = swap(g, concat(g, [seeds, mul(g, pitch, 0.01), turned, body], 2))
    spread = np.full((1, WIDTH, 1), -20, np.float32)
    spread[:, :SEEDS] = 0
    log_scale = g.op("Add", mul(g, mean, 0.0), g.constant(spread, "spread"))
    drawn = mul(g, mul(g, noise, g.op("Exp", log_scale)), scale)
    ports.output(graphs.MEAN, mean)
    ports.output(graphs.LOG_SCALE, log_scale)
    ports.output(graphs.LATENT, g.op("Add", mean, drawn))


def _fraction(g: Graph, x: Value) -> Value:
    return less(g, x, g.op("Floor", x))


def _sung(g: Graph, pitch: Value) -> Value:
    """1 where there is a pitch (never below 0.4 in any unit used), else 0."""
    return g.op("Min", mul(g, pitch, 1000.0), scalar(g, 1.0))


def _following(g: Graph, pitch: Value) -> Value:
    """Pitch [1, T] at the end of each half frame: the next one's, or its own before silence."""
    after = concat(g, [cut(g, pitch, 1, FAR, 1), cut(g, pitch, -1, FAR, 1)], 1)
    sung = _sung(g, after)
    return add(g, mul(g, after, sung), mul(g, pitch, less(g, scalar(g, 1.0), sung)))


def _running_phase(g: Graph, pitch: Value) -> Value:
    """Phase in cycles at the start of each half frame of pitch [1, T]: a running sum by doubling, without CumSum."""
    turn = mul(g, add(g, pitch, _following(g, pitch)), HOP / RATE / 2)
    turn = _fraction(g, mul(g, turn, _sung(g, pitch)))
    total = turn
    for power in range(DOUBLINGS):
        step = 1 << power
        total = add(g, total, cut(g, pad(g, total, step, 0, 1, 2), 0, -step, 1))
    return _fraction(g, less(g, total, turn))


def write_wave(g: Graph, state: State) -> None:
    """latent [1, 192, F], ge [1, G, 1] -> audio [1, FRAME F] at `RATE`."""
    voice = part(state, "voice")
    ports = Ports(g, graphs.WAVE, SIZES)
    latent = ports.input(graphs.LATENT)
    ge = _speaker(g, ports)
    rows = swap(g, latent)
    seeds, pitch, phase, body = (
        cut(g, rows, start, stop, 2)
        for start, stop in ((0, SEEDS), (SEEDS, SEEDS + 2), (SEEDS + 2, SEEDS + 4), (SEEDS + 4, SEEDS + 4 + BODY))
    )
    pitch, phase = reshape(g, pitch, 1, -1), reshape(g, phase, 1, -1)
    tone, breath = _amplitudes(g, voice, body, pitch, ge)
    source = _spectrum(g, _pulses(g, mul(g, pitch, 100.0), phase))
    angle = reshape(g, g.op("MatMul", seeds, g.constant(voice["breath"], "breath")), 1, -1, BINS)
    loudness = mul(g, g.op("Exp", breath), BREATH_LEVEL)
    mixed = []
    for spectrum, phasor in zip(source, (g.op("Cos", angle), g.op("Sin", angle)), strict=True):
        mixed.append(add(g, mul(g, spectrum, g.op("Exp", tone)), mul(g, loudness, phasor)))
    wave = _synthesis(g, mixed[0], mixed[1])
    ports.output(graphs.AUDIO, wave)


def _amplitudes(g: Graph, voice: State, body: Value, pitch: Value, ge: Value) -> tuple[Value, Value]:
    """Log amplitudes [1, T, bins] of tone and breath."""
    column = reshape(g, pitch, 1, -1, 1)
    hints = concat(g, [g.op("Log", g.op("Max", column, scalar(g, 0.5))), _sung(g, column)], 2)
    x = add(g, _doubled(g, body, voice, "up"), dense(g, hints, voice, "tone"))
    x = dense(g, norm(g, blocks(g, x, voice, "blocks", 3, ge), voice, "norm"), voice, "out")
    x = g.op("Max", g.op("Min", x, scalar(g, 3.0)), scalar(g, -12.0))
    return cut(g, x, 0, BINS, 2), cut(g, x, BINS, 2 * BINS, 2)


def _pulses(g: Graph, pitch: Value, phase: Value) -> Value:
    """Band-limited pulse train [1, HOP T] from pitch in Hz and phase in cycles [1, T]: Dirichlet's kernel."""
    step = g.constant(np.arange(HOP, dtype=np.float32) / HOP, "step")
    square = g.constant((np.arange(HOP, dtype=np.float32) / HOP) ** 2 / 2, "square")
    slope = reshape(g, less(g, _following(g, pitch), pitch), 1, -1, 1)
    pitch, phase = reshape(g, pitch, 1, -1, 1), reshape(g, phase, 1, -1, 1)
    hertz = add(g, pitch, mul(g, slope, step))
    turned = add(g, phase, mul(g, add(g, mul(g, pitch, step), mul(g, slope, square)), HOP / RATE))
    angle = mul(g, _fraction(g, turned), 2 * math.pi)
    harmonics = g.op("Floor", g.op("Div", scalar(g, 0.49 * RATE), g.op("Max", hertz, scalar(g, LOWEST_HZ))))
    below = g.op("Sin", mul(g, angle, 0.5))
    close = g.op("Less", g.op("Abs", below), scalar(g, 1e-3), dtype="bool")
    above = g.op("Sin", mul(g, g.op("Add", harmonics, scalar(g, 0.5)), angle))
    kernel = g.op("Div", above, g.op("Where", close, scalar(g, 1.0), below, dtype="float32"))
    peak = g.op("Add", mul(g, harmonics, 2.0), scalar(g, 1.0))
    kernel = less(g, g.op("Where", close, peak, kernel, dtype="float32"), 1.0)
    level = g.op("Div", _sung(g, pitch), g.op("Sqrt", mul(g, harmonics, 2.0)))
    return reshape(g, mul(g, kernel, level), 1, -1)


def _spectrum(g: Graph, source: Value) -> tuple[Value, Value]:
    """Real and imaginary part [1, T, bins] of the windowed source [1, HOP T]."""
    margin = (WINDOW - HOP) // 2
    frames = framed(g, pad(g, source, margin, margin, 1, 2), HOP)
    cosine, sine = turns(g, BINS, WINDOW)
    real = g.op("MatMul", frames, transpose(g, windowed(g, cosine, WINDOW), 1, 0))
    imaginary = g.op("MatMul", frames, transpose(g, windowed(g, sine, WINDOW, -1.0), 1, 0))
    return real, imaginary


def _synthesis(g: Graph, real: Value, imaginary: Value) -> Value:
    """Spectra [1, T, bins] -> wave [1, HOP T]: inverse transform, overlap-add."""
    weight = np.full((BINS, 1), 2 / WINDOW / 1.5, np.float32)
    weight[[0, -1]] /= 2
    cosine, sine = turns(g, BINS, WINDOW)
    frames = []
    for spectrum, basis, sign in ((real, cosine, 1.0), (imaginary, sine, -1.0)):
        rows = g.op("Mul", windowed(g, basis, WINDOW, sign), g.constant(weight, "weight"))
        frames.append(g.op("MatMul", spectrum, rows))
    margin = (WINDOW - HOP) // 2
    return cut(g, overlapped(g, add(g, *frames), HOP), margin, -margin, 1)
