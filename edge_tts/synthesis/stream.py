"""Vocode a segment while its tokens are decoded, in pieces that together have the length of the whole.

SoVITS' text encoder attends over all tokens, so a prefix gives other features than the whole. Each call encodes all
tokens so far and keeps a track of features:

    |<-- settled: never changes again -->|<-- blended from the last call to this one -->|<-- new -->|
                               ^ played up to here: `_CONTEXT` frames before the settled end

Flow and wave run on a window with a receptive-field halo, as if on the whole. The output ends `_CONTEXT` frames before
the settled end, so that the next call sees the same features around the join; the rest is cross-faded over `_FADE`
frames. Nothing is shifted in time: the length does not depend on the cuts.
"""

from __future__ import annotations

import numpy as np

from edge_tts.synthesis.interfaces import Vocoder
from edge_tts.synthesis.sovits import NOISE_SCALE, NoiseField, frames_at, sample_frames, spoken_frames
from edge_tts.values import FloatArray, IntArray

_UNSETTLED = 4  # frames at the end that the next call may change
_CONTEXT = 10  # settled frames that a join needs on its right
_FADE = 4  # frames of cross-fade after a join


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
        self._played = 0  # spoken frames returned so far
        self._tail: FloatArray = np.zeros(0, np.float32)  # samples after `_played`, for the next cross-fade

    @property
    def played_tokens(self) -> int:
        """Whole tokens whose sound was returned."""
        return int(self._played * self._speed) // self._vocoder.sizes.frames_per_token

    def render(self, codes: IntArray, *, last: bool) -> FloatArray:
        """The newly settled samples of all codes so far, int64 [tokens]; with `last` all that remain."""
        if len(codes) == 0:
            return np.zeros(0, np.float32)
        self._extend_track(self._vocoder.encode(codes, self._phoneme_ids, self._conditioning))
        assert self._track is not None
        available = self._track.shape[2]
        self._settled = available if last else max(self._settled, available - _UNSETTLED)
        end = spoken_frames(available, self._speed)
        stop = end if last else max(self._played, int((self._settled - _CONTEXT) / self._speed))
        if stop == self._played:
            return np.zeros(0, np.float32)
        samples = _cross_fade(self._tail, self._render(stop, min(end, stop + _FADE), end))
        count = (stop - self._played) * self._vocoder.sizes.samples_per_frame
        self._tail, self._played = samples[count:], stop
        return samples[:count]

    def _extend_track(self, features: FloatArray) -> None:
        """Replace what is not settled, blending where both calls have features."""
        if self._track is None:
            self._track = features
            return
        length, settled = self._track.shape[2], self._settled
        rising = ((np.arange(length - settled) + 0.5) / max(length - settled, 1)).astype(np.float32)
        blended = self._track[:, :, settled:] * (1 - rising) + features[:, :, settled:length] * rising
        self._track = np.concatenate([self._track[:, :, :settled], blended, features[:, :, length:]], axis=2)

    def _render(self, stop: int, needed: int, end: int) -> FloatArray:
        """Waveform of spoken frames `_played` to `needed`, of `end` so far."""
        assert self._track is not None
        sizes = self._vocoder.sizes
        wave_start = max(0, self._played - sizes.wave_halo_frames)
        flow_start = max(0, wave_start - sizes.flow_halo_frames)
        flow_end = min(end, needed + sizes.wave_halo_frames + sizes.flow_halo_frames)
        wave_end = min(end, needed + sizes.wave_halo_frames)
        window = self._track
        if self._speed != 1.0:
            window = sample_frames(window, frames_at(0, end, self._speed))
        noise = self._noise.frames(flow_start, flow_end)
        latents = self._vocoder.flow(window[:, :, flow_start:flow_end], self._conditioning, noise, NOISE_SCALE)
        latent = latents.latent[:, :, wave_start - flow_start : wave_end - flow_start]
        audio = self._vocoder.wave(latent, self._conditioning)
        first = (self._played - wave_start) * sizes.samples_per_frame
        return audio[first : first + (needed - self._played) * sizes.samples_per_frame]


def _cross_fade(old: FloatArray, new: FloatArray) -> FloatArray:
    """Raised cosine; the weights sum to one."""
    count = min(len(old), len(new))
    if count == 0:
        return new
    rising = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count, dtype=np.float32) + 0.5) / count)).astype(np.float32)
    faded: FloatArray = new.copy()
    faded[:count] = old[:count] * (1 - rising) + new[:count] * rising
    return faded
