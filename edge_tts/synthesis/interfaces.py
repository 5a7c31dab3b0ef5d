"""What the synthesizer asks of a family of networks: a `Decoder` and a `Vocoder`. The v2 family is `t2s` and `sovits`.

Both have one owner and one thread; their engines stay the caller's to close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_tts.values import FloatArray, IntArray, ModelSizes


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the GPT reads before it speaks."""

    phoneme_ids: IntArray
    """int64 [phonemes]: the reference's transcript, then the target text."""
    bert: FloatArray
    """float32 [phonemes, bert_width]: BERT features per phoneme, zeros where a language has none."""
    tokens: IntArray
    """int64 [tokens]: semantic tokens of the reference; may be empty."""


@dataclass(frozen=True, slots=True)
class Latents:
    """What the flow gives, each float32 [1, latent_width, frames]."""

    mean: FloatArray
    log_scale: FloatArray
    latent: FloatArray


class Decoder(Protocol):
    """Phonemes and a prompt to semantic tokens: up to `batch` sequences side by side, each in its own row."""

    @property
    def batch(self) -> int:
        """How many rows there are."""

    def room(self, row: int) -> int:
        """How many more tokens the row can be fed."""

    def start(self, row: int, prompt: Prompt) -> FloatArray:
        """Read a prompt into a row, replacing what was there. Returns the first logits, float32 [tokens].

        Raises `TextError` when the prompt does not fit.
        """

    def step(self, tokens: IntArray) -> FloatArray:
        """Feed one token to every row, int64 [batch]. Returns the next logits, float32 [batch, tokens].

        A row that is not in use takes any token; its logits mean nothing.
        """

    def release(self, row: int) -> None:
        """The row's sequence is over; it costs nothing until it is started again."""


class Vocoder(Protocol):
    """Semantic tokens to waveform, in three steps: speed and blending lie between the first and the second."""

    @property
    def sizes(self) -> ModelSizes:
        """Widths, frames per token, samples per frame, and how far a frame of flow and wave looks around."""

    def encode(self, codes: IntArray, phoneme_ids: IntArray, conditioning: FloatArray) -> FloatArray:
        """Features float32 [1, feature_width, frames_per_token x tokens] of all tokens given.

        `codes` int64 [tokens], `phoneme_ids` int64 [phonemes], `conditioning` float32 [1, conditioning_width, 1].
        """

    def flow(self, features: FloatArray, conditioning: FloatArray, noise: FloatArray, noise_scale: float) -> Latents:
        """Latents of features float32 [1, feature_width, frames].

        `noise` float32 [1, latent_width, frames], standard normal.
        """

    def wave(self, latent: FloatArray, conditioning: FloatArray) -> FloatArray:
        """Waveform float32 [samples_per_frame x frames] of a latent [1, latent_width, frames]."""
