"""A decoder that says what the test wants, and a vocoder whose sound tells which tokens were vocoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge_tts.synthesis.interfaces import Latents, Prompt
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.text.reader import Reader
from edge_tts.text.symbols import to_ids
from edge_tts.values import AudioChunk, FloatArray, IntArray, ModelSet, Run, Segment

from .stage import MODEL, hurried
from .toys import WIDTH

TOKENS = 400
END = TOKENS - 1
QUIET = range(200, 300)
SIZES = replace(MODEL.sizes, tokens=TOKENS, wave_halo_frames=0, flow_halo_frames=0, text_positions=200)
PACED = replace(MODEL, sizes=SIZES, min_tokens_per_phoneme=2.0, max_tokens_per_phoneme=8.0)
"""Ten phonemes take 20 to 96 tokens."""

Script = Sequence[int]
"""Tokens; END wants to end. Behind them it wants to end for ever."""


class ScriptedDecoder:
    """Says the first script after the first prefill, and so on, the last one ever after. Where the end is refused the
    next best token is one that occurs in no script and never twice in a row."""

    batch = 1

    def __init__(self, *scripts: Script) -> None:
        self._scripts, self._script = list(scripts), scripts[0]
        self._at = 0
        self.prompts: list[Prompt] = []
        self.fed: list[list[int]] = []  # a list of tokens a prefill
        self.released = 0

    def room(self, row: int) -> int:
        return 2000

    def start(self, row: int, prompt: Prompt) -> FloatArray:
        self._script = self._scripts[min(len(self.prompts), len(self._scripts) - 1)]
        self.prompts.append(prompt)
        self.fed.append([])
        self._at = 0
        return self._logits()

    def step(self, tokens: IntArray) -> FloatArray:
        self._at += 1
        self.fed[-1].append(int(tokens[0]))
        return self._logits()[None]

    def release(self, row: int) -> None:
        self.released += 1

    def _logits(self) -> FloatArray:
        logits = np.zeros(TOKENS, np.float32)
        logits[300 + self._at % 90] = 4
        logits[self._script[self._at] if self._at < len(self._script) else END] = 9
        return logits


class TellingVocoder:
    """A token's sound is its number / 1000; those of `QUIET` are silent."""

    sizes = SIZES

    def encode(self, codes: IntArray, phoneme_ids: IntArray, conditioning: FloatArray) -> FloatArray:
        loud = np.where(np.isin(codes, QUIET), 0, codes)
        frames = np.repeat(loud, SIZES.frames_per_token).astype(np.float32)
        return np.broadcast_to(frames, (1, WIDTH, len(frames))).copy()

    def flow(self, features: FloatArray, conditioning: FloatArray, noise: FloatArray, noise_scale: float) -> Latents:
        return Latents(mean=features, log_scale=features, latent=features)

    def wave(self, conditioning: FloatArray) -> TellingWave:
        return TellingWave()


class TellingWave:
    """Depends on nothing to the left or right."""

    def push(self, latent: FloatArray, *, last: bool) -> FloatArray:
        return np.repeat(latent[0, 0] / 1000, SIZES.samples_per_frame).astype(np.float32)


class PhonemeFrontEnd:
    """A text is its phonemes, blanks between them; `|` separates segments."""

    def read_by(self, reader: Reader) -> PhonemeFrontEnd:
        return self

    def segments(self, text: str, language: str, **options: Any) -> list[Segment]:
        return [self._segment(part.split()) for part in text.split("|")]

    def _segment(self, phonemes: list[str]) -> Segment:
        text = " ".join(phonemes)
        return Segment(text, (Run("en", text, text, tuple(phonemes), None),), to_ids(phonemes))


def synthesizer(decoder: ScriptedDecoder, *, model: ModelSet = PACED) -> Synthesizer:
    return Synthesizer(
        model=model, front_end=PhonemeFrontEnd(), decoder=decoder, vocoder=TellingVocoder(), clock=hurried()
    )


def tokens_in(chunks: list[AudioChunk]) -> list[int]:
    """The tokens that were heard, silence included."""
    per_token = SIZES.samples_per_frame * SIZES.frames_per_token
    wave = np.concatenate([chunk.samples for chunk in chunks])
    return [round(1000 * float(sample)) for sample in wave[per_token // 2 :: per_token]]
