"""How fast a model set is here, against the least that its bytes allow, and what streaming costs in time and fidelity.

All figures of one run are taken side by side, so that their ratios hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from edge_tts.engine.load import load_engine
from edge_tts.errors import EdgeTTSError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.sovits import NoiseField, Sovits
from edge_tts.synthesis.stream import SegmentStream
from edge_tts.synthesis.t2s import SemanticDecoder
from edge_tts.values import FloatArray, IntArray, ModelSet, Voice
from edge_tts.voices.builtin import BuiltinVoices

from .flavour_speed import compare_flavours
from .judging.compare import log_spectral_distance
from .plain_decode import plain_decode

TOKENS_PER_SECOND = 25
PHONEMES = 40
FIRST_PIECE, LATER_PIECES = 16, 40


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    note: str = ""


def main() -> int:
    arguments = _arguments()
    try:
        model = read_model_set(arguments.set)
        if arguments.flavours:
            for line in compare_flavours(model, arguments.threads):
                print(line)
            return 0
        with ExitStack() as stack:
            figures = measure(model, stack, seconds=arguments.seconds, threads=arguments.threads)
    except EdgeTTSError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps({figure.name: figure.value for figure in figures}))
    else:
        for figure in figures:
            print(f"{figure.name:34} {figure.value:10.3f} {figure.unit:8} {figure.note}")
    return 0


def measure(model: ModelSet, stack: ExitStack, *, seconds: float, threads: int) -> list[Figure]:
    """All figures for an utterance of that many seconds."""
    engines = {}
    for name in ("t2s_prefill", "t2s_step", "encoder", "flow", "wave"):
        engines[name] = load_engine(model.graph(name), threads=threads)
        stack.callback(engines[name].close)
    voice = _voice(model)
    decoder = SemanticDecoder(prefill=engines["t2s_prefill"], step=engines["t2s_step"], limits=model.sizes.limits)
    sovits = Sovits(encoder=engines["encoder"], flow=engines["flow"], wave=engines["wave"], sizes=model.sizes)
    codes, phonemes = _utterance(model, voice, round(seconds * TOKENS_PER_SECOND))
    return [*_thinking(model, decoder, voice, codes), *_singing(model, sovits, voice, codes, phonemes)]


def _thinking(model: ModelSet, decoder: Decoder, voice: Voice, codes: IntArray) -> list[Figure]:
    """The GPT: reading the prompt, one step, and the step against the time its weights take to be read once."""
    phonemes = np.arange(PHONEMES, dtype=np.int64) % 50 + 1
    prompt = Prompt(
        phoneme_ids=np.concatenate([voice.prompt_phoneme_ids, phonemes]),
        bert=np.zeros((len(voice.prompt_phoneme_ids) + PHONEMES, model.sizes.bert_width), np.float32),
        tokens=voice.prompt_tokens,
    )
    prefill = _typical(lambda: decoder.start(0, prompt), 5)
    steps = []
    for code in codes:
        began = time.perf_counter()
        decoder.step(np.array([code]))
        steps.append(time.perf_counter() - began)
    step, size = median(steps), model.graph("t2s_step").stat().st_size
    floor = size / _bandwidth()
    return [
        Figure("prefill", 1e3 * prefill, "ms", f"{len(prompt.phoneme_ids)} phonemes, {len(prompt.tokens)} tokens"),
        Figure("step", 1e3 * step, "ms", "median, one token is 40 ms of speech"),
        Figure("step_floor", 1e3 * floor, "ms", f"{size / 1e6:.0f} MB of weights read once at the measured bandwidth"),
        Figure("step_over_floor", step / floor, "x"),
        Figure("thinking_rtf", step * TOKENS_PER_SECOND, "x", "step time over speech time"),
    ]


def _singing(model: ModelSet, sovits: Sovits, voice: Voice, codes: IntArray, phonemes: IntArray) -> list[Figure]:
    """The decoder at once and in pieces: time, and how far the pieces are from the whole."""
    noise = NoiseField(seed=1, width=model.sizes.latent_width)
    field = noise.frames(0, len(codes) * model.sizes.frames_per_token)

    def at_once() -> FloatArray:
        features = sovits.encode(codes, phonemes, voice.conditioning)
        return plain_decode(sovits, features, voice.conditioning, noise=field)[0]

    def in_pieces() -> tuple[FloatArray, float]:
        song = SegmentStream(vocoder=sovits, phoneme_ids=phonemes, conditioning=voice.conditioning, noise=noise)
        began = time.perf_counter()
        pieces = [song.render(codes[:FIRST_PIECE], last=False)]
        first = time.perf_counter() - began
        for count in range(FIRST_PIECE + LATER_PIECES, len(codes), LATER_PIECES):
            pieces.append(song.render(codes[:count], last=False))
        return np.concatenate([*pieces, song.render(codes, last=True)]), first

    whole, (pieces, first) = at_once(), in_pieces()
    seconds = len(whole) / model.sample_rate
    rest = float(np.sqrt(np.mean(np.square(pieces - whole)) / np.mean(np.square(whole))))
    return [
        Figure("singing_rtf", _typical(at_once, 3) / seconds, "x", f"{seconds:.1f} s of sound at once"),
        Figure("singing_in_pieces_rtf", _typical(in_pieces, 3) / seconds, "x"),
        Figure("first_piece", 1e3 * first, "ms", f"{FIRST_PIECE} tokens"),
        Figure("pieces_to_whole_rms", rest, "x", "rms of the difference over rms of the whole"),
        Figure("pieces_to_whole_lsd", log_spectral_distance(whole, pieces), "dB", "log-spectral distance"),
    ]


def _utterance(model: ModelSet, voice: Voice, tokens: int) -> tuple[IntArray, IntArray]:
    """Tokens and their phonemes: what the voice says in its reference, else arbitrary ones."""
    if len(voice.prompt_tokens) > FIRST_PIECE + LATER_PIECES and model.voices:
        return voice.prompt_tokens[:tokens], voice.prompt_phoneme_ids
    codes = np.random.default_rng(1).integers(0, model.sizes.tokens - 1, tokens)
    return codes, np.arange(tokens, dtype=np.int64) % 50 + 1


def _voice(model: ModelSet) -> Voice:
    """The set's default voice, or silence in its shape where it has none."""
    if model.voices:
        return BuiltinVoices(model).load(model.default_voice or model.voices[0])
    return Voice(
        id="none",
        name="none",
        language="en",
        prompt_tokens=np.arange(100, dtype=np.int64),
        prompt_phoneme_ids=np.arange(1, 51, dtype=np.int64),
        prompt_bert=np.zeros((50, model.sizes.bert_width), np.float32),
        conditioning=np.zeros((1, model.sizes.conditioning_width, 1), np.float32),
    )


def _bandwidth() -> float:
    """Bytes per second of a matrix-vector product too large for any cache but the largest."""
    matrix = np.ones((8192, 8192), np.float32)
    vector = np.ones(8192, np.float32)
    return matrix.nbytes / _typical(lambda: matrix @ vector, 5)


def _typical(work: Callable[[], object], times: int) -> float:
    """Median seconds of a call, after one to warm up."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument(
        "set", type=Path, nargs="?", default=Path("models/starter"), help="model set (default: starter)"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="length of the utterance (default: 8)")
    parser.add_argument("--threads", type=int, default=0, help="cores per inference (default: the runtime's choice)")
    parser.add_argument("--flavours", action="store_true", help="compare the flavours of the set instead")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
