"""Latents to waveform in pieces, over a graph that sees a window or over one that goes on where it stopped."""

from __future__ import annotations

import numpy as np

from edge_tts import graphs
from edge_tts.engine.contract import Array, Engine
from edge_tts.synthesis.interfaces import WaveStream
from edge_tts.values import FloatArray, ModelSizes


class WindowedWave:
    """A `WaveStream` over the graph `WAVE`: each piece with its receptive field, which is computed anew."""

    def __init__(self, engine: Engine, conditioning: FloatArray, sizes: ModelSizes) -> None:
        self._engine, self._conditioning, self._sizes = engine, conditioning, sizes
        self._window: FloatArray = np.zeros((1, sizes.latent_width, 0), np.float32)
        self._settled = 0  # frames of the window whose samples were returned

    def push(self, latent: FloatArray, *, last: bool) -> FloatArray:
        halo, frame = self._sizes.wave_halo_frames, self._sizes.samples_per_frame
        window = np.concatenate([self._window, latent], axis=2)
        begin, end = self._settled, window.shape[2] - (0 if last else halo)
        self._window = window
        if end <= begin:
            return np.zeros(0, np.float32)
        audio: FloatArray = self._engine.run({graphs.LATENT: window, graphs.GE: self._conditioning})[graphs.AUDIO][0]
        kept = max(0, end - halo)
        self._window, self._settled = window[:, :, kept:], end - kept
        return audio[begin * frame : end * frame]


class KeptWave:
    """A `WaveStream` over the graph `WAVE_STREAM`, whose stages keep the end of their input."""

    def __init__(self, engine: Engine, conditioning: FloatArray, sizes: ModelSizes) -> None:
        self._engine, self._conditioning = engine, conditioning
        self._kept = nothing_kept(engine)
        self._waiting: FloatArray = np.zeros((1, sizes.latent_width, 0), np.float32)
        self._fewest = sizes.wave_halo_frames + 2  # with these every stage has something to do

    def push(self, latent: FloatArray, *, last: bool) -> FloatArray:
        latent = np.concatenate([self._waiting, latent], axis=2)
        if not last and latent.shape[2] < self._fewest:
            self._waiting = latent
            return np.zeros(0, np.float32)
        self._waiting, self._fewest = latent[:, :, :0], 1
        feeds: dict[str, Array] = {graphs.LATENT: latent, graphs.GE: self._conditioning}
        results = self._engine.run({**feeds, graphs.MORE: np.array([not last], np.int64), **self._kept})
        self._kept = {graphs.kept(stage): results[graphs.keeps(stage)] for stage in range(len(self._kept))}
        audio: FloatArray = results[graphs.AUDIO][0]
        return audio


def nothing_kept(engine: Engine) -> dict[str, Array]:
    """What the stages of `WAVE_STREAM` keep before the first run."""
    kept = {name: spec for name, spec in engine.inputs.items() if name.startswith(graphs.KEPT)}
    return {name: np.zeros((1, int(spec.shape[1]), 1, 0), np.float32) for name, spec in kept.items()}


def open_wave(engine: Engine, conditioning: FloatArray, sizes: ModelSizes) -> WaveStream:
    """By the inputs of the graph."""
    kind = KeptWave if graphs.MORE in engine.inputs else WindowedWave
    return kind(engine, conditioning, sizes)
