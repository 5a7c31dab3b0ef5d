"""Semantic tokens to waveform: the SoVITS decoder, cut into encoder, flow and wave for streaming."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from edge_tts import graphs
from edge_tts.engine.contract import Array, Buffer, Engine
from edge_tts.synthesis.interfaces import Latents, WaveStream
from edge_tts.synthesis.wave_stream import open_wave
from edge_tts.values import FloatArray, IntArray, ModelSizes

NOISE_SCALE = 0.5  # upstream's default at inference
_NOISE_BLOCK = 64


class EncoderGraph(Protocol):
    """What runs the graph `ENCODER`, or does as if."""

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        """See `Engine.run`."""


class SplitEncoder:
    """The encoder in two graphs, of which the first, of the text, runs once while a sentence is streamed."""

    def __init__(self, text: Engine, codes: Engine) -> None:
        self._text, self._codes = text, codes
        self._memories: dict[bytes, Array] = {}

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        ids = np.asarray(feeds[graphs.PHONEME_IDS])
        key = ids.tobytes()
        memory = self._memories.pop(key, None)
        if memory is None:
            memory = self._text.run({graphs.PHONEME_IDS: ids})[graphs.MEMORY]
        self._memories[key] = memory  # the newest is the last
        while len(self._memories) > graphs.MOST_ROWS:
            del self._memories[next(iter(self._memories))]
        return self._codes.run({graphs.CODES: feeds[graphs.CODES], graphs.GE: feeds[graphs.GE], graphs.MEMORY: memory})


def open_encoder(engines: Mapping[str, Engine]) -> EncoderGraph:
    """By the graphs that there are."""
    if graphs.ENCODER_CODES in engines:
        return SplitEncoder(engines[graphs.ENCODER_TEXT], engines[graphs.ENCODER_CODES])
    return engines[graphs.ENCODER]


class Sovits:
    """The three graphs of the v2 family: a `Vocoder`."""

    def __init__(self, *, encoder: EncoderGraph, flow: Engine, wave: Engine, sizes: ModelSizes) -> None:
        self._encoder, self._flow, self._wave = encoder, flow, wave
        self.sizes = sizes

    def encode(self, codes: IntArray, phoneme_ids: IntArray, conditioning: FloatArray) -> FloatArray:
        results = self._encoder.run(
            {graphs.CODES: codes[None], graphs.PHONEME_IDS: phoneme_ids[None], graphs.GE: conditioning}
        )
        features: FloatArray = results[graphs.FEATURES]
        return features

    def flow(self, features: FloatArray, conditioning: FloatArray, noise: FloatArray, noise_scale: float) -> Latents:
        results = self._flow.run(
            {
                graphs.FEATURES: features,
                graphs.GE: conditioning,
                graphs.NOISE: noise,
                graphs.NOISE_SCALE: np.array([noise_scale], np.float32),
            }
        )
        mean, log_scale, latent = (results[name] for name in (graphs.MEAN, graphs.LOG_SCALE, graphs.LATENT))
        return Latents(mean=mean, log_scale=log_scale, latent=latent)

    def wave(self, conditioning: FloatArray) -> WaveStream:
        return open_wave(self._wave, conditioning, self.sizes)


def spoken_frames(frames: int, speed: float) -> int:
    """Latent frames of `frames` encoder frames."""
    return frames if speed == 1.0 else int(frames / speed) + 1


def frames_at(start: int, stop: int, step: float) -> FloatArray:
    """Float32 positions of spoken frames `start` to `stop` among encoder frames, `step` apart, half-pixel centres."""
    centres = np.arange(start, stop, dtype=np.float32) + np.float32(0.5)
    positions: FloatArray = centres * np.float32(step) - np.float32(0.5)
    return positions


def sample_frames(features: FloatArray, positions: FloatArray) -> FloatArray:
    """Interpolate features [1, width, frames] at positions float32 [n], clamped to the ends: [1, width, n]."""
    last = features.shape[2] - 1
    clamped = np.clip(positions, 0, last)
    left = clamped.astype(np.int64)
    right = np.minimum(left + 1, last)
    weight = (clamped - left).astype(np.float32)
    sampled: FloatArray = features[:, :, left] * (1 - weight) + features[:, :, right] * weight
    return sampled


def mean_conditioning(vectors: list[FloatArray]) -> FloatArray:
    """The conditioning [1, conditioning_width, 1] of several references."""
    mean: FloatArray = np.mean(np.stack(vectors), axis=0, dtype=np.float32)
    return mean


class NoiseField:
    """Standard normal noise by absolute frame, whatever the cuts of a segment."""

    def __init__(self, *, seed: int, width: int) -> None:
        self._seed, self._width = seed, width
        self._blocks: dict[int, FloatArray] = {}

    def frames(self, start: int, stop: int) -> FloatArray:
        """Noise float32 [1, width, stop - start]."""
        if stop <= start:
            return np.zeros((1, self._width, 0), np.float32)
        first, last = start // _NOISE_BLOCK, (stop - 1) // _NOISE_BLOCK
        joined = np.concatenate([self._block(index) for index in range(first, last + 1)], axis=1)
        offset = first * _NOISE_BLOCK
        return joined[None, :, start - offset : stop - offset]

    def _block(self, index: int) -> FloatArray:
        if index not in self._blocks:
            random = np.random.default_rng([self._seed, index])
            self._blocks[index] = random.standard_normal((self._width, _NOISE_BLOCK), np.float32)
        return self._blocks[index]
