"""The contract for graphs: inputs and outputs of every network of every family, in one table.

Converter, TensorRT's profiles, runtime and golden phrases read it; a model set that breaks it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

from edge_tts.errors import ModelError

DType = Literal["float32", "float16", "int64", "int32", "int8"]
Family = Literal["v2", "v2Pro", "v2ProPlus", "starter"]

FAMILIES: tuple[str, ...] = get_args(Family)
PRO = ("v2Pro", "v2ProPlus")
"""The families with a speaker verification network."""

# Graphs, in files NAME.onnx.
T2S_PREFILL, T2S_STEP = "t2s_prefill", "t2s_step"
T2S, T2S_PROMPT = "t2s", "t2s_prompt"
ENCODER, FLOW, WAVE = "encoder", "flow", "wave"
ENCODER_TEXT, ENCODER_CODES = "encoder_text", "encoder_codes"
WAVE_STREAM = "wave_stream"
BERT, SSL, QUANTIZER, CONDITIONING, SPEAKER = "bert", "ssl", "quantizer", "conditioning", "speaker"

# Tensors.
PHONEME_IDS, BERT_ROWS, PROMPT_TOKENS, MASK = "phoneme_ids", "bert", "prompt_tokens", "mask"
TOKEN, POSITION, CACHE, LOGITS, ROWS = "token", "position", "cache_", "logits", "rows"
PAST, PRESENT, CACHED, TOTAL, PROMPT = "past_", "present_", "cached", "total", "prompt_"
CODES, GE, FEATURES, NOISE, NOISE_SCALE = "codes", "ge", "features", "noise", "noise_scale"
MEAN, LOG_SCALE, LATENT, AUDIO = "mean", "log_scale", "latent", "audio"
MEMORY = "memory"
MORE, KEPT, KEEPS = "more", "kept_", "keeps_"
TOKEN_IDS, HIDDEN = "token_ids", "hidden"
SAMPLES, SSL_FEATURES, SPECTROGRAM, FBANK = "wave", "ssl", "spectrogram", "fbank"
EMBEDDING, SPEAKER_EMBEDDING = "embedding", "speaker"

TEXT_POSITIONS, AUDIO_POSITIONS, BERT_POSITIONS = 512, 1280, 512
"""The fewest of any family; the v2 families have 1,024 and 2,048 of the first two."""
SPECTROGRAM_BINS, MEL_BANDS = 1025, 80
MOST_TOKENS = 1500
"""Upstream's limit of semantic tokens per piece, a minute."""
BUCKET = 64
"""Cache lengths are multiples of this, so that few shapes occur."""
MOST_ROWS = 8
"""Sequences that are decoded side by side, at most."""
LONGEST_PIECE = 80
"""Semantic tokens that are vocoded at once, at most."""
SLOWEST_SPEED = 0.25
_PROMPT_TOKENS = 265  # what the longest reference has: ten seconds, and upstream's 0.6 s of silence behind it
_JOIN_FRAMES = 6  # features at the end of a piece that wait for the next
_CACHE_POSITIONS = 2048


@dataclass(frozen=True, slots=True)
class SequenceLimits:
    """The longest sequences of a set; by default the shortest of any family."""

    text_positions: int = TEXT_POSITIONS
    """Phonemes of prompt and piece together."""
    audio_positions: int = AUDIO_POSITIONS
    """Semantic tokens of prompt and piece together."""
    bert_positions: int = BERT_POSITIONS
    """Characters, BERT's two special tokens included."""
    flow_frames: int = 1024
    """Feature frames in one run of the flow."""
    wave_frames: int = 1024
    """Latent frames in one run of the wave."""

    @property
    def most_phonemes(self) -> int:
        """Of the prefill, prompt included."""
        return PHONEMES.within(self, 1).max

    @property
    def most_prompt_tokens(self) -> int:
        """Of the prefill."""
        return min(_PROMPT_TOKENS, self.audio_positions)

    @property
    def most_tokens(self) -> int:
        """Of one segment: the last one needs no position."""
        return min(MOST_TOKENS, self.audio_positions + 1)

    @property
    def cache_positions(self) -> int:
        """Of the decode cache: a multiple of `BUCKET`."""
        return min(-(-(self.text_positions + self.audio_positions) // BUCKET) * BUCKET, _CACHE_POSITIONS)


def piece_frames(halo: int, frames_per_token: int) -> int:
    """Most frames in one run of flow or wave: the longest piece at the slowest speed and `halo` frames on each side.

    Where the halo is longer than that (the starter's phase runs on), all frames of the longest segment.
    """
    piece = round((LONGEST_PIECE * frames_per_token + _JOIN_FRAMES) / SLOWEST_SPEED)
    whole = round(MOST_TOKENS * frames_per_token / SLOWEST_SPEED) + 1
    return piece + 2 * halo if halo <= piece else whole


@dataclass(frozen=True, slots=True)
class Range:
    """The sizes of an axis; an engine is tuned for `opt`."""

    min: int
    opt: int
    max: int


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis whose size varies."""

    name: str
    range: Range | None = None
    """None in outputs and graphs without an engine."""
    limit: str = ""
    """What of `SequenceLimits` bounds it, or `rows`: the decode batch."""
    parts: tuple[Axis, ...] = ()  # whose sizes add up to its own

    def within(self, limits: SequenceLimits, rows: int) -> Range:
        """The range in a set. Raises `ModelError` without one."""
        if self.parts:
            ranges = [part.within(limits, rows) for part in self.parts]
            return Range(*(sum(sizes) for sizes in zip(*((one.min, one.opt, one.max) for one in ranges), strict=True)))
        if self.range is None:
            raise ModelError(f"the axis {self.name} has no range")
        bound = rows if self.limit == "rows" else getattr(limits, self.limit) if self.limit else self.range.max
        high = min(self.range.max, bound)
        return Range(min(self.range.min, high), min(self.range.opt, high), high)


Dimension = int | str | Axis
"""A number, the name of a size of the set, or an axis that varies."""
ANY = "any"
"""A fixed size that no other depends on."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output."""

    name: str
    shape: tuple[Dimension, ...]
    dtype: DType = "float32"
    """In float32 and float16 sets, unless `cached`."""
    cached: bool = False
    """Stays on the device between runs, as float16 in a float16 set."""
    families: tuple[str, ...] = FAMILIES
    narrow: bool = False
    """May be int8, with scales in the graph."""
    optional: bool = False
    """A graph may do without."""
    repeated: str = ""
    """The size that counts inputs NAME0, NAME1, ...; empty for one input."""

    def dtype_in(self, *, half: bool) -> DType:
        return "float16" if half and self.cached else self.dtype


@dataclass(frozen=True, slots=True)
class GraphContract:
    """One graph."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    families: tuple[str, ...] = FAMILIES
    built: bool = False
    """Whether a TensorRT engine is built: not for enrolment."""

    def input(self, name: str) -> Tensor | None:
        return next((t for t in self.inputs if t.name == name or (t.repeated and name.startswith(t.name))), None)

    def output(self, name: str) -> Tensor | None:
        return next((t for t in self.outputs if t.name == name or (t.repeated and name.startswith(t.name))), None)


PHONEMES = Axis("P", Range(1, 96, 1024), "text_positions")
_PROMPT = Axis("N", Range(0, 128, _PROMPT_TOKENS), "audio_positions")
_BOTH = Axis("T", parts=(PHONEMES, _PROMPT))
_PIECE = Axis("P", Range(1, 48, 1024), "text_positions")
_ROWS = Axis("B", Range(1, 1, MOST_ROWS), "rows")
_BUCKETS = Axis("S", Range(BUCKET, 512, _CACHE_POSITIONS), "cache_positions")
_TOKENS = Axis("N", Range(1, 128, MOST_TOKENS), "most_tokens")
_FLOW_FRAMES = Axis("F", Range(1, 256, 1 << 16), "flow_frames")
_WAVE_FRAMES = Axis("F", Range(1, 256, 1 << 16), "wave_frames")
_CHARACTERS = Axis("n", Range(2, 32, 512), "bert_positions")
_ANY_FRAMES, _ANY_SAMPLES = Axis("F"), Axis("samples")

_GE = Tensor(GE, (1, "conditioning_width", 1))
_LATENT = (1, "latent_width", _FLOW_FRAMES)
_FLOW_FEATURES = Tensor(FEATURES, (1, "feature_width", _FLOW_FRAMES))

# Sizes, by family v2 | v2Pro | v2ProPlus | starter: conditioning_width 512 | 1024 | 1024 | 128, feature_width and
# latent_width 192, ssl_width 768 (starter 192), t2s_width 512 (starter 256), planes 2 x layers = 48 (starter 12),
# tokens 1025, bert_width 1024, speaker_width 0 | 20480 | 20480 | 0.
CONTRACTS: Mapping[str, GraphContract] = {
    T2S_PREFILL: GraphContract(
        inputs=(
            Tensor(PHONEME_IDS, (1, PHONEMES), "int64"),
            Tensor(BERT_ROWS, (1, PHONEMES, "bert_width")),
            Tensor(PROMPT_TOKENS, (1, _PROMPT), "int64"),
            Tensor(MASK, (_BOTH, _BOTH)),
        ),
        outputs=(Tensor(LOGITS, (1, "tokens")), Tensor(ROWS, ("planes", _BOTH, 1, "t2s_width"), cached=True)),
        built=True,
    ),
    T2S_STEP: GraphContract(
        inputs=(
            Tensor(TOKEN, (_ROWS,), "int64"),
            Tensor(POSITION, (_ROWS,), "int64"),
            Tensor(MASK, (_ROWS, _BUCKETS)),
            Tensor(CACHE, (_BUCKETS, _ROWS, "t2s_width"), cached=True, repeated="planes"),
        ),
        outputs=(Tensor(LOGITS, (_ROWS, "tokens")), Tensor(ROWS, ("planes", _ROWS, "t2s_width"), cached=True)),
        built=True,
    ),
    ENCODER: GraphContract(
        inputs=(Tensor(CODES, (1, _TOKENS), "int64"), Tensor(PHONEME_IDS, (1, _PIECE), "int64"), _GE),
        outputs=(Tensor(FEATURES, (1, "feature_width", _ANY_FRAMES)),),
        built=True,
    ),
    FLOW: GraphContract(
        inputs=(_FLOW_FEATURES, _GE, Tensor(NOISE, _LATENT), Tensor(NOISE_SCALE, (1,))),
        outputs=(Tensor(MEAN, _LATENT), Tensor(LOG_SCALE, _LATENT), Tensor(LATENT, _LATENT)),
        built=True,
    ),
    WAVE: GraphContract(
        inputs=(Tensor(LATENT, (1, "latent_width", _WAVE_FRAMES)), _GE),
        outputs=(Tensor(AUDIO, (1, _ANY_SAMPLES)),),
        built=True,
    ),
    BERT: GraphContract(
        inputs=(Tensor(TOKEN_IDS, (1, _CHARACTERS), "int64"),),
        outputs=(Tensor(HIDDEN, (1, _CHARACTERS, "bert_width")),),
        built=True,
    ),
    SSL: GraphContract(
        inputs=(Tensor(SAMPLES, (1, _ANY_SAMPLES)),),
        outputs=(Tensor(SSL_FEATURES, (1, "ssl_width", Axis("T"))),),
    ),
    QUANTIZER: GraphContract(
        inputs=(Tensor(SSL_FEATURES, (1, "ssl_width", Axis("T"))),),
        outputs=(Tensor(CODES, (1, Axis("N")), "int64"),),
    ),
    CONDITIONING: GraphContract(
        inputs=(
            Tensor(SPECTROGRAM, (1, SPECTROGRAM_BINS, _ANY_FRAMES)),
            Tensor(SPEAKER_EMBEDDING, (1, "speaker_width"), families=PRO),
        ),
        outputs=(_GE,),
    ),
    SPEAKER: GraphContract(
        inputs=(Tensor(FBANK, (1, Axis("frames"), MEL_BANDS)),),
        outputs=(Tensor(EMBEDDING, (1, "speaker_width")),),
        families=PRO,
    ),
}

_HEADS = ("heads", Axis("S"), "head_width")
CPU_CONTRACTS: Mapping[str, GraphContract] = {
    T2S: GraphContract(
        inputs=(
            *(replace(tensor, optional=True) for tensor in CONTRACTS[T2S_PREFILL].inputs),
            Tensor(TOKEN, (_ROWS,), "int64"),
            Tensor(POSITION, (_ROWS,), "int64"),
            Tensor(CACHED, (_ROWS,), "int32"),
            Tensor(TOTAL, (1,), "int32"),
            Tensor(PAST, (_ROWS, *_HEADS), narrow=True, repeated="planes"),
        ),
        outputs=(
            Tensor(LOGITS, (Axis("R"), "tokens")),
            Tensor(ROWS, ("planes", *_HEADS), narrow=True, optional=True),
            Tensor(PRESENT, (_ROWS, *_HEADS), narrow=True, repeated="planes"),
        ),
    ),
    T2S_PROMPT: GraphContract(
        inputs=CONTRACTS[T2S_PREFILL].inputs,
        outputs=(
            Tensor(LOGITS, (1, "tokens")),
            Tensor(PROMPT, (1, *_HEADS), narrow=True, repeated="planes"),
        ),
    ),
    ENCODER_TEXT: GraphContract(
        inputs=(Tensor(PHONEME_IDS, (1, _PIECE), "int64"),),
        outputs=(Tensor(MEMORY, (1, Axis("P"), Axis("M"))),),
    ),
    ENCODER_CODES: GraphContract(
        inputs=(Tensor(CODES, (1, _TOKENS), "int64"), Tensor(MEMORY, (1, Axis("P"), Axis("M"))), _GE),
        outputs=CONTRACTS[ENCODER].outputs,
    ),
    WAVE_STREAM: GraphContract(
        inputs=(
            *CONTRACTS[WAVE].inputs,
            Tensor(MORE, (1,), "int64"),
            Tensor(KEPT, (1, ANY, 1, Axis("K")), repeated="stages"),
        ),
        outputs=(*CONTRACTS[WAVE].outputs, Tensor(KEEPS, (1, ANY, 1, Axis("K")), repeated="stages")),
    ),
}
"""What only flavours for processors have: prefill and step in one graph, over a cache that grows in place; with weights
of 8 bits a prefill of its own, too; an encoder whose text is encoded once; a wave that goes on where it stopped."""

BUILT = tuple(name for name, contract in CONTRACTS.items() if contract.built)


def cache_input(plane: int) -> str:
    """The step's input of a plane: 2l has the keys of layer l, 2l + 1 its values."""
    return f"{CACHE}{plane}"


def past(plane: int) -> str:
    """The cache of a plane before a run of `T2S`: [B, heads, S, head width]."""
    return f"{PAST}{plane}"


def present(plane: int) -> str:
    """The same memory after it."""
    return f"{PRESENT}{plane}"


def prompt(plane: int) -> str:
    """What `T2S_PROMPT` gives for a plane of the cache: [1, heads, T, head width]."""
    return f"{PROMPT}{plane}"


def kept(stage: int) -> str:
    """What a stage of `WAVE_STREAM` kept of the run before: [1, channels, 1, samples]."""
    return f"{KEPT}{stage}"


def keeps(stage: int) -> str:
    """What it keeps for the next."""
    return f"{KEEPS}{stage}"


class Port(Protocol):
    """An input or output of a loaded graph; sizes given as text vary."""

    @property
    def shape(self) -> tuple[int | str, ...]: ...
    @property
    def dtype(self) -> Any: ...


class Ported(Protocol):
    """A loaded graph."""

    @property
    def inputs(self) -> Mapping[str, Port]: ...
    @property
    def outputs(self) -> Mapping[str, Port]: ...


def check(graph: str, actual: Ported, family: str, sizes: Mapping[str, int], *, half: bool) -> dict[str, int]:
    """Compare a graph with the contract of its family; additional outputs are accepted.

    Returns the `sizes` of the set with those that the graph adds, to check its other graphs with. Raises `ModelError`
    that names graph and tensor.
    """
    known, contract = dict(sizes), {**CONTRACTS, **CPU_CONTRACTS}[graph]
    for side, tensors, ports in (
        ("input", contract.inputs, actual.inputs),
        ("output", contract.outputs, actual.outputs),
    ):
        expected = [one for tensor in tensors if family in tensor.families for one in _each(tensor, ports, known)]
        for tensor in expected:
            dtype, port = tensor.dtype_in(half=half), ports.get(tensor.name)
            right = f"{dtype} {_shown(tensor.shape, known)}"
            if port is None and tensor.optional:
                continue
            if port is None:
                raise ModelError(f"{graph}: has no {side} {tensor.name} ({right}); it has {', '.join(ports)}")
            other = "int8" if tensor.narrow else dtype
            if port.dtype not in (dtype, other) or not _fits(tensor, port, known, exact=side == "input"):
                is_now = f"{port.dtype} {_shown(port.shape, known)}"
                raise ModelError(f"{graph}: its {side} {tensor.name} is {is_now}; right would be {right}")
        names = [tensor.name for tensor in expected]
        unknown = [name for name in ports if name not in names]
        if side == "input" and unknown:
            right = ", ".join(names)
            raise ModelError(f"{graph}: its input {unknown[0]} is fed by nobody; right would be {right}")
    return known


def _each(tensor: Tensor, ports: Mapping[str, Port], known: dict[str, int]) -> list[Tensor]:
    """The tensor, or all of a repeated one: as many as known, else as the graph has."""
    if not tensor.repeated:
        return [tensor]
    count = known.setdefault(tensor.repeated, sum(name.startswith(tensor.name) for name in ports))
    return [replace(tensor, name=f"{tensor.name}{index}", repeated="") for index in range(count)]


def _fits(tensor: Tensor, port: Port, known: dict[str, int], *, exact: bool) -> bool:
    """Whether the shape is right; adds new sizes to `known`. Unless `exact`, varying and fixed sizes match."""
    if len(port.shape) != len(tensor.shape):
        return False
    for right, size in zip(tensor.shape, port.shape, strict=True):
        if right == ANY:
            fits = isinstance(size, int)
        elif isinstance(right, Axis) or isinstance(size, str):
            fits = not exact or (isinstance(right, Axis) and isinstance(size, str))
        else:
            fits = size == (known.setdefault(right, size) if isinstance(right, str) else right)
        if not fits:
            return False
    return True


def _shown(shape: tuple[Dimension, ...], known: Mapping[str, int]) -> str:
    names = [size.name if isinstance(size, Axis) else str(known.get(str(size), size)) for size in shape]
    return f"[{', '.join(names)}]"
