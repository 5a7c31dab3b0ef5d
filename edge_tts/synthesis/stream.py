"""Vocode a segment while its tokens are decoded, in pieces that together have the length of the whole.

SoVITS' text encoder attends over all tokens, so a prefix gives other features than the whole. Each call encodes all
tokens so far and keeps a track of features:

    |<-- settled: never changes again -->|<-- blended from the last call to this one -->|<-- new -->|
                               ^ latents up to here: `_CONTEXT` frames before the settled end

The flow runs on a window with its receptive field, as if on the whole; its latents go to the wave once and for all.
Nothing is shifted in time: the length does not depend on the cuts.
"""

from __future__ import annotations

import numpy as np

from edge_tts.synthesis.interfaces import Vocoder
from edge_tts.synthesis.sovits import NOISE_SCALE, NoiseField, frames_at, sample_frames, spoken_frames
from edge_tts.values import FloatArray, IntArray

_UNSETTLED = 4  # frames at the end that the next call may change
_CONTEXT = 2  # settled frames that a latent needs on its right, besides those


class SegmentStream:
    """The waveform of one segment, piece by piece.

    `phoneme_ids` int64 [phonemes] without the prompt's, `conditioning` float32 [1, conditioning_width, 1].
    """

    def __init__(
        self,
        *,
        vocoder: Vocoder,
        phoneme_ids: IntArray,
        conditioning: FloatArray,
        noise: NoiseField,
        speed: float = 1.0,
    ) -> None:
        self._vocoder = vocoder
        self._phoneme_ids, self._conditioning = phoneme_ids, conditioning
        self._noise, self._speed = noise, speed
        self._track: FloatArray | None = None  # features so far
        self._settled = 0  # feature frames that never change again
        self._latents = 0  # spoken frames that the wave was given
        self._wave = vocoder.wave(conditioning)
        self._samples = 0  # returned so far

    @property
    def played_tokens(self) -> int:
        """Whole tokens whose sound was returned."""
        sizes = self._vocoder.sizes
        return int(self._samples // sizes.samples_per_frame * self._speed) // sizes.frames_per_token

    def render(self, codes: IntArray, *, last: bool) -> FloatArray:
        """The newly settled samples of all codes so far, int64 [tokens]; with `last` all that remain."""
        if len(codes) == 0:
            return np.zeros(0, np.float32)
        self._extend_track(self._vocoder.encode(codes, self._phoneme_ids, self._conditioning))
        assert self._track is not None
        available = self._track.shape[2]
        self._settled = available if last else max(self._settled, available - _UNSETTLED)
        end = spoken_frames(available, self._speed)
        stop = end if last else max(self._latents, int((self._settled - _CONTEXT) / self._speed))
        samples = self._wave.push(self._flow(stop, end), last=last)
        self._latents, self._samples = stop, self._samples + len(samples)
        return samples

    def _extend_track(self, features: FloatArray) -> None:
        """Replace what is not settled, blending where both calls have features."""
        if self._track is None:
            self._track = features
            return
        length, settled = self._track.shape[2], self._settled
        rising = ((np.arange(length - settled) + 0.5) / max(length - settled, 1)).astype(np.float32)
        blended = self._track[:, :, settled:] * (1 - rising) + features[:, :, settled:length] * rising
        self._track = np.concatenate([self._track[:, :, :settled], blended, features[:, :, length:]], axis=2)

    def _flow(self, stop: int, end: int) -> FloatArray:
        """The latents of spoken frames `_latents` to `stop`, of `end` so far."""
        assert self._track is not None
        sizes, window = self._vocoder.sizes, self._track
        if stop == self._latents:
            return np.zeros((1, sizes.latent_width, 0), np.float32)
        first, far = max(0, self._latents - sizes.flow_halo_frames), min(end, stop + sizes.flow_halo_frames)
        if self._speed != 1.0:
            window = sample_frames(window, frames_at(0, end, self._speed))
        noise = self._noise.frames(first, far)
        latents = self._vocoder.flow(window[:, :, first:far], self._conditioning, noise, NOISE_SCALE)
        return latents.latent[:, :, self._latents - first : stop - first]
