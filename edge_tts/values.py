"""The frozen values that travel through the appliance: past the edge there are no dicts and no JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_tts.graphs import AUDIO_POSITIONS, BERT_POSITIONS, TEXT_POSITIONS, SequenceLimits, flow_frames

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

Priority = Literal["alert", "normal", "low"]
Stage = Literal["accepted", "started", "first_audio", "done", "interrupted", "expired", "failed"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next semantic token is drawn. Names and defaults are those of GPT-SoVITS' api_v2."""

    top_k: int = 15
    top_p: float = 1.0
    temperature: float = 1.0
    repetition_penalty: float = 1.35
    seed: int | None = None
    """Same seed, text and voice: same speech. None draws a fresh one."""


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of one language inside a segment."""

    language: str
    """zh, en, ja, ko or yue."""
    text: str
    normalized: str
    phonemes: tuple[str, ...]
    word2ph: tuple[int, ...] | None
    """Phonemes per character of `normalized` (zh, yue); None where features are not aligned to characters."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text that is spoken in one breath: the unit of synthesis."""

    text: str
    runs: tuple[Run, ...]
    phoneme_ids: IntArray
    """int64 [phonemes], ids of the v2 symbol table."""
    pause_s: float | None = None
    """Silence after the segment when the text asks for one (SSML break); None leaves it to the request."""
    rate: float = 1.0
    """Speed relative to the request's (SSML prosody)."""

    @property
    def normalized(self) -> str:
        """The text as it is spoken."""
        return "".join(run.normalized for run in self.runs)

    @property
    def phonemes(self) -> tuple[str, ...]:
        """All phonemes of the runs in order."""
        return tuple(p for run in self.runs for p in run.phonemes)


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """The numbers of a model set that the host needs to feed its graphs."""

    tokens: int
    """Semantic tokens, the end token included."""
    bert_width: int
    conditioning_width: int
    latent_width: int
    samples_per_frame: int
    """Waveform samples per latent frame."""
    frames_per_token: int
    wave_halo_frames: int
    """Latent frames on each side that can influence a sample of the wave."""
    flow_halo_frames: int = 32
    """Feature frames on each side that can influence a latent frame (v2: 4 flows of 4 layers of kernel 5)."""
    speaker_width: int = 0
    """Width of the speaker embedding that the conditioning graph takes; 0 where it takes none."""
    text_positions: int = TEXT_POSITIONS
    """Phonemes that the GPT has positions for, those of the prompt included."""
    audio_positions: int = AUDIO_POSITIONS
    """Semantic tokens that the GPT has positions for, those of the prompt included."""
    bert_positions: int = BERT_POSITIONS
    """Characters that BERT has positions for, its two marks included."""

    @property
    def limits(self) -> SequenceLimits:
        """How long the sequences may be that the graphs are given."""
        return SequenceLimits(
            text_positions=self.text_positions,
            audio_positions=self.audio_positions,
            bert_positions=self.bert_positions,
            flow_frames=flow_frames(self.flow_halo_frames, self.frames_per_token),
        )


@dataclass(frozen=True, slots=True)
class ModelSet:
    """Files that were made together, as `manifest.json` describes them; checked before this value exists."""

    name: str
    version: str
    family: str
    """v2, v2Pro, v2ProPlus or starter."""
    precision: str
    directory: Path
    sample_rate: int
    languages: tuple[str, ...]
    licence: str
    sizes: ModelSizes
    default_voice: str | None
    voices: tuple[str, ...]
    files: Mapping[str, str]
    """File name relative to the directory -> sha256 in hex."""
    sampling: Sampling = field(default_factory=Sampling)
    """What to draw with when a request does not say."""
    max_tokens_per_phoneme: float | None = None
    """Ends a segment that babbles; None leaves only upstream's limit."""
    join_sentences: bool = True
    """Whether short sentences are decoded together. False: each alone, for networks that swallow one of several."""

    @property
    def most_phonemes(self) -> int:
        """Most phonemes of a voice's prompt and a piece of text together."""
        return self.sizes.limits.most_phonemes

    def graph(self, name: str) -> Path:
        """Where the graph of that name (`edge_tts.graphs`) lies."""
        return self.directory / f"{name}.onnx"


@dataclass(frozen=True, slots=True)
class Voice:
    """What the networks need to speak as somebody, for one model set."""

    id: str
    name: str
    language: str
    prompt_tokens: IntArray
    """int64 [tokens], 25 Hz semantic tokens of the reference; may be empty."""
    prompt_phoneme_ids: IntArray
    """int64 [phonemes] of the reference's transcript; empty when prompt_tokens is."""
    prompt_bert: FloatArray
    """float32 [phonemes, 1024]; zeros for languages without BERT features."""
    conditioning: FloatArray
    """float32 [1, conditioning width, 1]: the speaker vector `ge`."""
    builtin: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound as it was recorded."""

    samples: FloatArray
    """float32 [samples] or [samples, channels]."""
    sample_rate: int
    """Hz."""


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """A voice to be made, of recordings that were judged already."""

    id: str
    """The voice's."""
    name: str
    language: str
    """Of the transcript: zh, en, ..."""
    transcript: str
    """What is said in the first recording."""
    recordings: Sequence[Recording]
    """Of one speaker; the first one, 3 to 10 s long, is the prompt of the GPT."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A stretch of mono sound of one request."""

    samples: FloatArray
    """float32 [samples], within -1 to 1."""
    sample_rate: int
    """Hz."""
    request_id: str
    last: bool
    """True on the final chunk of the request; it may be empty."""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a request, told to whoever asked."""

    id: str
    stage: Stage
    ms: float
    """Milliseconds since the request was accepted."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Stage-specific JSON values: `error` and `message` for failed, `audio_s` and `rtf` for done."""
