"""The protocols of a family of networks; the v2 family implements them in `t2s` and `sovits`.

Both have one owner and one thread; the caller closes their engines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_tts.values import FloatArray, IntArray, ModelSizes


@dataclass(frozen=True, slots=True)
class Prompt:
    """The input of a prefill."""

    phoneme_ids: IntArray
    """int64 [phonemes]: the reference's transcript, then the target text."""
    bert: FloatArray
    """float32 [phonemes, bert_width], zeros where a language has no BERT."""
    tokens: IntArray
    """int64 [tokens]: the reference's semantic tokens; may be empty."""


@dataclass(frozen=True, slots=True)
class Latents:
    """Output of the flow, each float32 [1, latent_width, frames]."""

    mean: FloatArray
    log_scale: FloatArray
    latent: FloatArray


class Decoder(Protocol):
    """Phonemes and prompt to semantic tokens, one sequence in each of `batch` rows."""

    @property
    def batch(self) -> int:
        """Rows at most; a step costs what those do that it is told of."""

    def room(self, row: int) -> int:
        """How many more tokens the row can be fed."""

    def start(self, row: int, prompt: Prompt) -> FloatArray:
        """Prefill a row. Returns logits float32 [tokens]. Raises `TextError` when the prompt does not fit."""

    def step(self, tokens: IntArray) -> FloatArray:
        """Feed the first rows one token each, int64 [rows]. Returns logits float32 [rows, tokens], undefined for unused
        rows."""

    def move(self, row: int, to: int) -> None:
        """The sequence of `row` goes on in `to`, in place of what was there; `row` is released."""

    def release(self, row: int) -> None: ...


class WaveStream(Protocol):
    """Latents to waveform, the next ones at a time: together the pieces are the waveform of the whole."""

    def push(self, latent: FloatArray, *, last: bool) -> FloatArray:
        """The samples that are settled with these latents [1, latent_width, frames], with `last` all: float32
        [samples_per_frame x settled frames]. The last latents given wait for those to their right."""


class Vocoder(Protocol):
    """Semantic tokens to waveform in three steps; speed and blending happen between the first two."""

    @property
    def sizes(self) -> ModelSizes: ...

    def encode(self, codes: IntArray, phoneme_ids: IntArray, conditioning: FloatArray) -> FloatArray:
        """Features float32 [1, feature_width, frames_per_token x tokens].

        `codes` int64 [tokens], `phoneme_ids` int64 [phonemes], `conditioning` float32 [1, conditioning_width, 1].
        """

    def flow(self, features: FloatArray, conditioning: FloatArray, noise: FloatArray, noise_scale: float) -> Latents:
        """`features` float32 [1, feature_width, frames]; `noise` float32 [1, latent_width, frames], standard normal."""

    def wave(self, conditioning: FloatArray) -> WaveStream:
        """The waveform of one segment, in pieces or at once."""
