"""The contract for graphs: what every network of every family takes and gives, in one table.

The converter declares inputs and outputs from it, TensorRT's profiles derive from it, the runtime feeds by its names,
a model set that says otherwise is refused, and the golden phrases compare the outputs it names. It imports no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, get_args

from edge_tts.errors import ModelError

DType = Literal["float32", "float16", "int64"]
Family = Literal["v2", "v2Pro", "v2ProPlus", "starter"]

FAMILIES: tuple[str, ...] = get_args(Family)
PRO = ("v2Pro", "v2ProPlus")
"""Families that hear a speaker verification network as well."""

# Names of graphs; the file is NAME.onnx.
T2S_PREFILL, T2S_STEP = "t2s_prefill", "t2s_step"
ENCODER, FLOW, WAVE = "encoder", "flow", "wave"
BERT, SSL, QUANTIZER, CONDITIONING, SPEAKER = "bert", "ssl", "quantizer", "conditioning", "speaker"

# Names of tensors.
PHONEME_IDS, BERT_ROWS, PROMPT_TOKENS, MASK = "phoneme_ids", "bert", "prompt_tokens", "mask"
TOKEN, POSITION, CACHE, LOGITS, ROWS = "token", "position", "cache_", "logits", "rows"
CODES, GE, FEATURES, NOISE, NOISE_SCALE = "codes", "ge", "features", "noise", "noise_scale"
MEAN, LOG_SCALE, LATENT, AUDIO = "mean", "log_scale", "latent", "audio"
TOKEN_IDS, HIDDEN = "token_ids", "hidden"
SAMPLES, SSL_FEATURES, SPECTROGRAM, FBANK = "wave", "ssl", "spectrogram", "fbank"
EMBEDDING, SPEAKER_EMBEDDING = "embedding", "speaker"

TEXT_POSITIONS, AUDIO_POSITIONS, BERT_POSITIONS = 512, 1280, 512
"""The fewest that any family has; the v2 families have 1,024 and 2,048 of the first two."""
SPECTROGRAM_BINS, MEL_BANDS = 1025, 80
MOST_TOKENS = 1500
"""Upstream's limit of semantic tokens per piece: a minute."""
BUCKET = 64
"""Cache lengths are rounded up to this, so that few different shapes occur."""
_PIECE_FRAMES = 1024  # of features or latents in one run, where a run needs only its surroundings
_CACHE_POSITIONS = 2048
_SLOWEST = 4  # times as many frames at the slowest speed


@dataclass(frozen=True, slots=True)
class SequenceLimits:
    """How long the sequences may be that a set's networks read. By default as short as in any family."""

    text_positions: int = TEXT_POSITIONS
    """Most phonemes of prompt and piece together: rows of the GPT's table of positions."""
    audio_positions: int = AUDIO_POSITIONS
    """Most semantic tokens of prompt and piece together."""
    bert_positions: int = BERT_POSITIONS
    """Most characters that BERT reads at once, its two marks included."""
    flow_frames: int = _PIECE_FRAMES
    """Most feature frames that one run of the flow reads."""

    @property
    def most_phonemes(self) -> int:
        """Most phonemes that the GPT is given: what an engine is built for, within the set's positions."""
        return PHONEMES.within(self, 1).max

    @property
    def cache_positions(self) -> int:
        """Most rows of the decode cache: a multiple of `BUCKET`."""
        return min(-(-(self.text_positions + self.audio_positions) // BUCKET) * BUCKET, _CACHE_POSITIONS)


def flow_frames(halo: int, frames_per_token: int) -> int:
    """Most frames in one run of a flow whose latents depend on `halo` frames around: all of a piece where that is far.

    The starter's phase runs on from the first frame."""
    return _PIECE_FRAMES if 4 * halo <= _PIECE_FRAMES else MOST_TOKENS * frames_per_token * _SLOWEST


@dataclass(frozen=True, slots=True)
class Range:
    """The sizes one axis may have; an engine is tuned for `opt`."""

    min: int
    opt: int
    max: int


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis whose size varies from run to run."""

    name: str
    """As ONNX files call it."""
    range: Range | None = None
    """None: any size, in graphs that no engine is built for and in outputs."""
    limit: str = ""
    """The field of `SequenceLimits` that bounds it, or `rows`: how many sequences decode side by side."""
    parts: tuple[Axis, ...] = ()
    """The axes whose sizes add up to its own."""

    def within(self, limits: SequenceLimits, rows: int) -> Range:
        """The range of a set with these limits. Raises `ModelError` for an axis without one."""
        if self.parts:
            ranges = [part.within(limits, rows) for part in self.parts]
            return Range(*(sum(getattr(one, end) for one in ranges) for end in ("min", "opt", "max")))
        if self.range is None:
            raise ModelError(f"the axis {self.name} has no range")
        bound = rows if self.limit == "rows" else getattr(limits, self.limit) if self.limit else self.range.max
        high = min(self.range.max, bound)
        return Range(min(self.range.min, high), min(self.range.opt, high), high)


Dimension = int | str | Axis
"""A number, a size of the set by the name that the manifest gives it, or an axis that varies."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output."""

    name: str
    shape: tuple[Dimension, ...]
    dtype: DType = "float32"
    """Whatever the precision of the set, unless it is `cached`."""
    cached: bool = False
    """Stays on the device between two runs: float16 in a float16 set."""
    families: tuple[str, ...] = FAMILIES
    """Those whose graph has it."""
    repeated: str = ""
    """The size that counts the inputs NAME0, NAME1, ...; empty for a single one."""

    def dtype_in(self, *, half: bool) -> DType:
        """Element type in a float32 or float16 set."""
        return "float16" if half and self.cached else self.dtype


@dataclass(frozen=True, slots=True)
class GraphContract:
    """One graph."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    families: tuple[str, ...] = FAMILIES
    """Those that may have it."""
    built: bool = False
    """Whether it becomes a TensorRT engine; what only enrolment runs stays with ONNX Runtime."""

    def input(self, name: str) -> Tensor | None:
        """The input of that name."""
        return next((t for t in self.inputs if t.name == name or (t.repeated and name.startswith(t.name))), None)

    def output(self, name: str) -> Tensor | None:
        """The output of that name."""
        return next((t for t in self.outputs if t.name == name), None)


PHONEMES = Axis("P", Range(1, 96, 1024), "text_positions")
_PROMPT = Axis("N", Range(0, 128, 512), "audio_positions")
_BOTH = Axis("T", parts=(PHONEMES, _PROMPT))
_PIECE = Axis("P", Range(1, 48, 1024), "text_positions")
_ROWS = Axis("B", Range(1, 1, 1024), "rows")
BUCKETS = Axis("S", Range(BUCKET, 512, _CACHE_POSITIONS), "cache_positions")
"""Cache lengths of the decode step; the decoder asks for multiples of `BUCKET`."""
_TOKENS = Axis("N", Range(1, 128, MOST_TOKENS))
_FLOW_FRAMES = Axis("F", Range(1, 256, 1 << 16), "flow_frames")
_WAVE_FRAMES = Axis("F", Range(1, 256, _PIECE_FRAMES))
_CHARACTERS = Axis("n", Range(2, 32, 512), "bert_positions")
_ANY_FRAMES, _ANY_SAMPLES = Axis("F"), Axis("samples")

_GE = Tensor(GE, (1, "conditioning_width", 1))
_LATENT = (1, "latent_width", _FLOW_FRAMES)

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
        outputs=(
            Tensor(LOGITS, (1, "tokens")),
            Tensor(ROWS, ("planes", _BOTH, 1, "t2s_width"), cached=True),
        ),
        built=True,
    ),
    T2S_STEP: GraphContract(
        inputs=(
            Tensor(TOKEN, (_ROWS,), "int64"),
            Tensor(POSITION, (_ROWS,), "int64"),
            Tensor(MASK, (_ROWS, BUCKETS)),
            Tensor(CACHE, (BUCKETS, _ROWS, "t2s_width"), cached=True, repeated="planes"),
        ),
        outputs=(
            Tensor(LOGITS, (_ROWS, "tokens")),
            Tensor(ROWS, ("planes", _ROWS, "t2s_width"), cached=True),
        ),
        built=True,
    ),
    ENCODER: GraphContract(
        inputs=(Tensor(CODES, (1, _TOKENS), "int64"), Tensor(PHONEME_IDS, (1, _PIECE), "int64"), _GE),
        outputs=(Tensor(FEATURES, (1, "feature_width", _ANY_FRAMES)),),
        built=True,
    ),
    FLOW: GraphContract(
        inputs=(
            Tensor(FEATURES, (1, "feature_width", _FLOW_FRAMES)),
            _GE,
            Tensor(NOISE, _LATENT),
            Tensor(NOISE_SCALE, (1,)),
        ),
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
"""Graph -> what it takes and gives."""

BUILT = tuple(name for name, contract in CONTRACTS.items() if contract.built)
"""Names of the graphs that become TensorRT engines."""


def cache_input(plane: int) -> str:
    """The step's input for a plane of the cache: 2l holds the keys of layer l, 2l + 1 its values."""
    return f"{CACHE}{plane}"


class Port(Protocol):
    """An input or output as a graph has it; text in the shape is a size that varies."""

    @property
    def shape(self) -> tuple[int | str, ...]: ...
    @property
    def dtype(self) -> Any: ...


class Ported(Protocol):
    """A graph as it was found."""

    @property
    def inputs(self) -> Mapping[str, Port]: ...
    @property
    def outputs(self) -> Mapping[str, Port]: ...


def check(graph: str, found: Ported, family: str, sizes: Mapping[str, int], *, half: bool) -> dict[str, int]:
    """Compare a graph with the contract of its family; outputs that nobody asks for are no fault.

    `sizes` are known numbers of the set; what they lack is taken from the graph. Returns both together, to check the
    set's other graphs with. Raises `ModelError` that names graph and tensor, what it is and what would be right.
    """
    known, contract = dict(sizes), CONTRACTS[graph]
    for side, tensors, ports in (
        ("input", contract.inputs, found.inputs),
        ("output", contract.outputs, found.outputs),
    ):
        wanted = [one for tensor in tensors if family in tensor.families for one in _each(tensor, ports, known)]
        for tensor in wanted:
            right = f"{tensor.dtype_in(half=half)} {_shown(tensor.shape, known)}"
            port = ports.get(tensor.name)
            if port is None:
                raise ModelError(f"{graph}: has no {side} {tensor.name} ({right}); it has {', '.join(ports)}")
            if port.dtype != tensor.dtype_in(half=half) or not _fits(tensor, port, known, exact=side == "input"):
                is_now = f"{port.dtype} {_shown(port.shape, known)}"
                raise ModelError(f"{graph}: its {side} {tensor.name} is {is_now}; right would be {right}")
        strangers = [name for name in ports if name not in {tensor.name for tensor in wanted}]
        if side == "input" and strangers:
            right = ", ".join(tensor.name for tensor in wanted)
            raise ModelError(f"{graph}: its input {strangers[0]} is fed by nobody; right would be {right}")
    return known


def _each(tensor: Tensor, ports: Mapping[str, Port], known: dict[str, int]) -> list[Tensor]:
    """The tensor, or all that it stands for: as many as is known, else as are there."""
    if not tensor.repeated:
        return [tensor]
    count = known.setdefault(tensor.repeated, sum(name.startswith(tensor.name) for name in ports))
    return [replace(tensor, name=f"{tensor.name}{index}", repeated="") for index in range(count)]


def _fits(tensor: Tensor, port: Port, known: dict[str, int], *, exact: bool) -> bool:
    """Whether the shape is right; sizes that were not known are from here on. Unless `exact`, what varies may."""
    if len(port.shape) != len(tensor.shape):
        return False
    for wanted, size in zip(tensor.shape, port.shape, strict=True):
        varies = isinstance(size, str)
        if isinstance(wanted, Axis):
            if exact and not varies:
                return False
        elif varies:
            if exact:
                return False
        elif size != (known.setdefault(wanted, int(size)) if isinstance(wanted, str) else wanted):
            return False
    return True


def _shown(shape: tuple[Dimension, ...], known: Mapping[str, int]) -> str:
    names = [size.name if isinstance(size, Axis) else str(known.get(str(size), size)) for size in shape]
    return f"[{', '.join(names)}]"
