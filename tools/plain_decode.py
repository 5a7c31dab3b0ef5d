"""The plain form of the SoVITS decoder: a whole utterance at once, which streaming is compared with."""

from __future__ import annotations

import numpy as np

from edge_tts.synthesis.interfaces import Latents, Vocoder
from edge_tts.synthesis.sovits import NOISE_SCALE, frames_at, sample_frames, spoken_frames
from edge_tts.values import FloatArray


def plain_decode(
    vocoder: Vocoder,
    features: FloatArray,
    conditioning: FloatArray,
    *,
    noise: FloatArray | None = None,
    noise_scale: float = NOISE_SCALE,
) -> tuple[FloatArray, Latents]:
    """Waveform and latents of features [1, width, frames] as `Vocoder.encode` gives them. No noise means zeros."""
    if noise is None:
        noise = np.zeros((1, vocoder.sizes.latent_width, features.shape[2]), np.float32)
    latents = vocoder.flow(features, conditioning, noise, noise_scale)
    return vocoder.wave(conditioning).push(latents.latent, last=True), latents


def change_speed(features: FloatArray, speed: float) -> FloatArray:
    """Interpolate features [1, width, frames] linearly along time to `spoken_frames`, half-pixel centres."""
    if speed == 1.0:
        return features
    count = spoken_frames(features.shape[2], speed)
    return sample_frames(features, frames_at(0, count, features.shape[2] / count))
