"""How fast and how far from the plain graphs a set's flavours are: processor time in alternating rounds, and errors."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from edge_tts import graphs
from edge_tts.convert.cpu_flavour import write_cpu_flavour
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.model_sets.flavour import SPEAKING
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.t2s_fused import make_decoder
from edge_tts.values import FloatArray, ModelSet

ROUNDS = 5
PHONEMES, PROMPT_TOKENS, STEPS, FRAMES = 150, 125, 40, 250
FLAVOURS = ("plain", "cpu", "int8w")


@dataclass
class Timed:
    """One part of one flavour: what each round took, and the last results."""

    seconds: list[float] = field(default_factory=list)
    result: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))

    def run(self, work: Callable[[], FloatArray], times: int = 1) -> None:
        began = time.process_time()
        self.result = work()
        self.seconds.append((time.process_time() - began) / times)


def compare_flavours(model: ModelSet, threads: int) -> Iterator[str]:
    """A line for each part and flavour. The GPT is fed the same tokens; every round takes all flavours in turn."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        engines = {flavour: _load(model, flavour, Path(name), stack, threads) for flavour in FLAVOURS}
        decoders = {name: make_decoder(found, model.sizes.limits) for name, found in engines.items()}
        parts: dict[str, Mapping[str, Timed]] = {
            part: {flavour: Timed() for flavour in FLAVOURS} for part in ("prefill", "step", "flow", "wave")
        }
        for number in range(ROUNDS):
            for flavour in FLAVOURS if number % 2 == 0 else FLAVOURS[::-1]:
                _decode(decoders[flavour], model, parts["prefill"][flavour], parts["step"][flavour])
                parts["flow"][flavour].run(partial(_flow, engines[flavour][graphs.FLOW]))
                latent = parts["flow"]["plain"].result
                parts["wave"][flavour].run(partial(_wave, engines[flavour][graphs.WAVE], latent))
        for part, timed in parts.items():
            yield from (_line(part, flavour, timed[flavour], timed["plain"]) for flavour in FLAVOURS)


def _load(model: ModelSet, flavour: str, folder: Path, stack: ExitStack, threads: int) -> dict[str, Engine]:
    paths: dict[str, Path] = {}
    if flavour != "plain":
        home = folder / flavour
        home.mkdir()
        write_cpu_flavour(model.directory, home, int8=flavour == "int8w")
        paths = {path.stem: path for path in home.glob("*.onnx")}
    load = GraphLoader(model, stack, lambda path: load_engine(paths.get(path.stem, path), threads=threads))
    if graphs.T2S not in paths:
        return {name: load(name) for name in SPEAKING}
    return {name: load(name) for name in (graphs.T2S, graphs.ENCODER, graphs.FLOW, graphs.WAVE)}


def _decode(decoder: Decoder, model: ModelSet, prefill: Timed, step: Timed) -> None:
    random = np.random.default_rng(1)
    prompt = Prompt(
        phoneme_ids=random.integers(1, 300, PHONEMES),
        bert=np.zeros((PHONEMES, model.sizes.bert_width), np.float32),
        tokens=random.integers(0, model.sizes.tokens - 1, PROMPT_TOKENS),
    )
    said = random.integers(0, model.sizes.tokens - 1, (STEPS, 1))
    prefill.run(lambda: decoder.start(0, prompt)[None])
    step.run(lambda: np.concatenate([decoder.step(token) for token in said]), STEPS)
    decoder.release(0)


def _flow(engine: Engine) -> FloatArray:
    result: FloatArray = engine.run({name: _some(engine, name) for name in engine.inputs})[graphs.LATENT]
    return result


def _wave(engine: Engine, latent: FloatArray) -> FloatArray:
    result: FloatArray = engine.run({graphs.LATENT: latent, graphs.GE: _some(engine, graphs.GE)})[graphs.AUDIO]
    return result


def _some(engine: Engine, name: str) -> FloatArray:
    """Small random numbers for an input, as many frames as 5 s have."""
    shape = [FRAMES if isinstance(size, str) else size for size in engine.inputs[name].shape]
    values: FloatArray = 0.1 * np.random.default_rng(2).standard_normal(shape, np.float32)
    return values


def _line(part: str, flavour: str, found: Timed, plain: Timed) -> str:
    ratio = median(first / second for first, second in zip(plain.seconds, found.seconds, strict=True))
    error = np.sqrt(np.mean(np.square(found.result - plain.result)) / np.mean(np.square(plain.result)))
    best = found.result.argmax(-1) == plain.result.argmax(-1)
    agree = f"   likeliest token equal in {best.mean():.0%}" if part == "step" else ""
    return f"{part:8} {flavour:6} {1e3 * median(found.seconds):9.2f} ms {ratio:6.2f} x   error {error:.1e}{agree}"
