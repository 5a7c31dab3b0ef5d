"""The frozen values that pass between rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edge_tts.graphs import AUDIO_POSITIONS, BERT_POSITIONS, TEXT_POSITIONS, SequenceLimits, piece_frames

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

Priority = Literal["alert", "normal", "low"]
Door = Literal["mqtt", "http", "wyoming", "hermes", "cli"]
"""A front door, or the command line."""
Fault = Literal["early_end", "loop", "silence"]
"""What may be wrong with a segment: it ends before its text does, repeats itself or finds no end, falls silent."""
Stage = Literal["accepted", "started", "first_audio", "done", "interrupted", "expired", "failed"]
CLOSING: frozenset[Stage] = frozenset({"done", "interrupted", "expired", "failed"})
"""The last report on a request has one of these stages."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a semantic token is drawn. Names and defaults are those of GPT-SoVITS' api_v2."""

    top_k: int = 15
    top_p: float = 1.0
    temperature: float = 1.0
    repetition_penalty: float = 1.35
    seed: int | None = None
    """Same seed, text and voice: same speech. None draws a new one."""


@dataclass(frozen=True, slots=True)
class Run:
    """Text of one language inside a segment."""

    language: str
    """zh, en, ja, ko or yue."""
    text: str
    normalized: str
    phonemes: tuple[str, ...]
    word2ph: tuple[int, ...] | None
    """Phonemes per character of `normalized` (zh, yue), else None."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The unit of synthesis."""

    text: str
    runs: tuple[Run, ...]
    phoneme_ids: IntArray
    """int64 [phonemes], ids of the v2 symbol table."""
    pause_s: float | None = None
    """Silence after the segment (SSML break); None: the request's."""
    rate: float = 1.0
    """Speed relative to the request's (SSML prosody)."""
    bleeped: int = 0
    """Phonemes of a word for which a tone stands; then there is nothing else."""

    @property
    def normalized(self) -> str:
        """As spoken."""
        return "".join(run.normalized for run in self.runs)

    @property
    def phonemes(self) -> tuple[str, ...]:
        return tuple(p for run in self.runs for p in run.phonemes)


@dataclass(frozen=True, slots=True)
class ModelSizes:
    """What the host needs to feed a model set's graphs."""

    tokens: int
    """Semantic tokens, including the end token."""
    bert_width: int
    conditioning_width: int
    latent_width: int
    samples_per_frame: int
    """Waveform samples per latent frame."""
    frames_per_token: int
    wave_halo_frames: int
    """Receptive field of the wave, in latent frames on each side."""
    flow_halo_frames: int = 32
    """Receptive field of the flow, in feature frames on each side (v2: 4 flows of 4 layers of kernel 5)."""
    speaker_width: int = 0
    """Of the speaker embedding that the conditioning graph takes; 0 for none."""
    text_positions: int = TEXT_POSITIONS
    """The GPT's positions for phonemes, including the prompt's."""
    audio_positions: int = AUDIO_POSITIONS
    """The GPT's positions for semantic tokens, including the prompt's."""
    bert_positions: int = BERT_POSITIONS
    """BERT's positions for characters, including [CLS] and [SEP]."""

    @property
    def limits(self) -> SequenceLimits:
        """Maximum lengths of the graphs' sequences."""
        return SequenceLimits(
            text_positions=self.text_positions,
            audio_positions=self.audio_positions,
            bert_positions=self.bert_positions,
            flow_frames=piece_frames(self.flow_halo_frames, self.frames_per_token),
            wave_frames=piece_frames(self.wave_halo_frames, self.frames_per_token),
        )


@dataclass(frozen=True, slots=True)
class ModelSet:
    """A checked `manifest.json`: files that were made together."""

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
    """Relative file name -> sha256 in hex."""
    sampling: Sampling = field(default_factory=Sampling)
    """Defaults for a request."""
    min_tokens_per_phoneme: float = 0.0
    """No segment ends before."""
    max_tokens_per_phoneme: float | None = None
    """Ends a segment that babbles; None: only upstream's limit."""
    longest_run: int | None = None
    """Tokens in a row that may be equal; for networks that stay in a silence. None: as many as the guard lets pass."""
    join_sentences: bool = True
    """Whether short sentences are decoded together; False for networks that swallow one of several."""
    close_clauses: bool = False
    """Whether a segment that was cut at a comma is decoded with a full stop; for networks that babble behind one."""
    own_prompts: bool = True
    """Whether an enrolled voice speaks behind its own recording; False for networks that understand their built-in
    voices alone: it has its own timbre and the manner of the nearest of those."""
    words_limit: float = 0.9
    """The highest score of a consent's words (`recordings/spoken_words.py`) by the features of the set."""
    eight_bits: bool = True
    """Whether the flavour `int8w` may run; False for a GPT that says more words wrong with weights of 8 bits."""
    flavours: tuple[str, ...] = ("plain",)
    """`plain`, and `cpu` for a set that brings its graphs for processors."""
    replaced: Mapping[str, Path] = field(default_factory=dict)
    """Graph -> its file of another flavour, where that runs instead of the plain one."""

    @property
    def most_phonemes(self) -> int:
        """Of a voice's prompt and a piece of text together."""
        return self.sizes.limits.most_phonemes

    def graph(self, name: str) -> Path:
        """The file of a graph of `edge_tts.graphs`."""
        return self.replaced.get(name, self.directory / f"{name}.onnx")


@dataclass(frozen=True, slots=True)
class Voice:
    """The features of a voice for one model set."""

    id: str
    name: str
    language: str
    prompt_tokens: IntArray
    """int64 [tokens], 25 Hz semantic tokens of the reference; may be empty."""
    prompt_phoneme_ids: IntArray
    """int64 [phonemes] of its transcript; empty when prompt_tokens is."""
    prompt_bert: FloatArray
    """float32 [phonemes, 1024]; zeros for languages without BERT features."""
    conditioning: FloatArray
    """float32 [1, conditioning width, 1]: the speaker vector `ge`."""
    builtin: bool = False


@dataclass(frozen=True, slots=True)
class Recording:
    samples: FloatArray
    """float32 [samples] or [samples, channels]."""
    sample_rate: int
    """Hz."""


@dataclass(frozen=True, slots=True)
class EncodeRequest:
    """A voice to make from accepted recordings."""

    id: str
    """Of the voice."""
    name: str
    language: str
    """Of the transcript: zh, en, ..."""
    transcript: str
    """Of the first recording."""
    recordings: Sequence[Recording]
    """Of one speaker; the first, 3 to 10 s long, is the prompt; a shorter one has that of a built-in voice."""


@dataclass(frozen=True, slots=True)
class GuardCounts:
    """How often the guard had to act in a request."""

    segments: int = 0
    """That the request has."""
    retried: int = 0
    """Segments that were decoded again."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Segments that stayed wrong, by their `Fault`."""

    def details(self) -> dict[str, Any]:
        """For a report; empty when all is well."""
        retried = {"retried": self.retried} if self.retried else {}
        return {**retried, "guard": dict(self.faults)} if self.faults else retried


@dataclass(frozen=True, slots=True)
class AudioChunk:
    samples: FloatArray
    """float32 [samples], mono, within -1 to 1."""
    sample_rate: int
    """Hz."""
    request_id: str
    last: bool
    """The final chunk, which may be empty."""
    warnings: tuple[str, ...] = ()
    """What a person should know of the request, with the final chunk: a sentence each."""
    guard: GuardCounts = GuardCounts()
    """Of the whole request, with the final chunk."""
    cached: bool = False
    """Rendered for an earlier request."""
    levelled: bool = False
    """At its loudness already: spoken by another machine."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something, as far as the front door knows."""

    door: Door
    name: str = ""
    """Lower case: `front_doors.message.caller_name`. Empty where none is known."""
    address: str = ""
    """IP address, where the front door sees it."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.door, self.name, self.address) if part)


@dataclass(frozen=True, slots=True)
class Report:
    """One stage of a request."""

    id: str
    stage: Stage
    ms: float
    """Milliseconds since the request was accepted."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: `error` and `message` for failed, `audio_s`, `rtf` and `guard` for done."""
    caller: str = ""
    """`Caller` in words; for the log, not published."""

    def as_published(self) -> dict[str, Any]:
        return {"id": self.id, "stage": self.stage, "ms": self.ms, "details": dict(self.details)}
