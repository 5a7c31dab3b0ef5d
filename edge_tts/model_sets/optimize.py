"""Makes and judges a flavour of a model set; `flavour` runs it as a child process, which imports the converter.

The command is `python -m edge_tts.model_sets.optimize SET CACHE_DIR THREADS FLAVOUR`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from edge_tts import graphs
from edge_tts.convert.cpu_flavour import Int8, write_cpu_flavour
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import ModelError
from edge_tts.graphs import ENCODER, ENCODER_CODES, ENCODER_TEXT, T2S, T2S_PREFILL, T2S_PROMPT, WAVE, WAVE_STREAM
from edge_tts.limited_process import limit_memory
from edge_tts.model_folder import INT8_FLAVOUR
from edge_tts.model_sets.activation import a_voice, segments
from edge_tts.model_sets.flavour import SPEAKING, FlavourCache, Verdict
from edge_tts.model_sets.golden import GPT, Agreement, Golden
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.model_sets.proving import memory_for
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.interfaces import Prompt
from edge_tts.synthesis.t2s import prefill_feeds
from edge_tts.values import FloatArray, ModelSet

_TOO_SLOW, _NOTHING_MS = 3.0, 10.0
"""Times the plain graph's, and milliseconds that do not matter: a kernel that is missing here."""
_CALIBRATION_TOKENS, _CALIBRATION_MARGIN = 250, np.float32(1.25)
_INT8_RMS = 0.03
"""Relative rms error that 8 bits may have; 0.011 was measured at full size."""


def optimize(model: ModelSet, cache: FlavourCache, threads: int) -> None:
    """Raises ModelError for a set that has no such flavour, and OSError."""

    int8 = cache.kind == INT8_FLAVOUR

    def make(folder: Path) -> Mapping[str, Verdict]:
        home = cache.home(model)
        if home is not None:
            return judge(model, home, threads)
        verdicts: Mapping[str, Verdict] = {}
        for how in _ways(cache_ranges(model, threads)) if int8 else [None]:
            for tried in folder.iterdir():
                tried.unlink()
            write_cpu_flavour(model.directory, folder, how)
            verdicts = judge(model, folder, threads, int8=int8)
            if verdicts[T2S].agrees:
                break
        return verdicts

    cache.add(model, make)


def _ways(ranges: FloatArray) -> list[Int8]:
    """From the fastest on: an older runtime knows no cache in 8 bits, and a set may not bear a prefill of its own."""
    return [Int8(cache, prompt) for cache in (ranges, None) for prompt in (True, False)]


def cache_ranges(model: ModelSet, threads: int) -> FloatArray:
    """What the keys and values of the set may reach, float32 [planes, t2s_width]: the largest over the golden phrases,
    behind the prompt of its voice and behind random tokens with random features, and a margin."""
    voice, random = a_voice(model), np.random.default_rng(5)
    others = random.integers(0, model.sizes.tokens - 1, _CALIBRATION_TOKENS)
    with ExitStack() as stack:
        prefill = GraphLoader(model, stack, partial(load_engine, threads=threads))(T2S_PREFILL)
        largest: list[FloatArray] = []
        for segment in segments(model):
            ids = np.concatenate([voice.prompt_phoneme_ids, segment.phoneme_ids])
            bert = random.standard_normal((len(ids), model.sizes.bert_width)).astype(np.float32)
            for features, tokens in ((0 * bert, voice.prompt_tokens), (bert, others)):
                prompt = Prompt(phoneme_ids=ids, bert=features, tokens=tokens)
                largest.append(np.abs(prefill.run(prefill_feeds(prompt))[graphs.ROWS]).max(axis=(1, 2)))
    ranges: FloatArray = _CALIBRATION_MARGIN * np.max(largest, axis=0)
    return ranges


def judge(model: ModelSet, home: Path, threads: int, *, int8: bool = False) -> dict[str, Verdict]:
    """Golden phrases through the plain graphs and those in `home`; a graph that cannot be loaded here is refused."""
    paths = {path.stem: path for path in sorted(home.glob("*.onnx"))}
    refused: dict[str, Verdict] = {}
    with ExitStack() as stack:
        load = partial(load_engine, threads=threads)
        plain, other = GraphLoader(model, stack, load), GraphLoader(replace(model, replaced=paths), stack, load)
        reference = {name: plain(name) for name in SPEAKING}
        candidate: dict[str, Engine] = {}
        for name in paths:
            try:
                candidate[name] = other(name)
            except ModelError as error:
                refused[name] = Verdict(agrees=False, reason=str(error), ms=0.0, plain_ms=0.0)
        if T2S_PROMPT in refused and T2S in candidate:  # a step without its prefill
            del candidate[T2S]
            refused[T2S] = refused[T2S_PROMPT]
        golden = Golden(
            model=model,
            voice=a_voice(model),
            reference=reference,
            candidate=candidate,
            clock=time.process_time,
            rows=2,
        )
        for segment in segments(model)[:1]:
            golden.speak(segment)
        found = {result.graph: result for result in golden.agreements()}
    return {**refused, **{name: _verdict([found[one] for one in _judged_as(name)], int8) for name in candidate}}


def _judged_as(name: str) -> Iterable[str]:
    """The plain graphs that a graph stands for."""
    whole = {T2S: GPT, T2S_PROMPT: (T2S_PREFILL,), WAVE_STREAM: (WAVE,)}
    return whole.get(name, (ENCODER,) if name in (ENCODER_TEXT, ENCODER_CODES) else (name,))


def _verdict(results: list[Agreement], int8: bool) -> Verdict:
    """Of one graph, as its worst part has it; the times are of the last, for the GPT a step."""
    near = int8 and all(
        result.finite and result.graph in GPT and result.relative_rms <= _INT8_RMS for result in results
    )
    agrees = near or all(result.agrees for result in results)
    slow = any(result.latency_ms[0] > max(_NOTHING_MS, _TOO_SLOW * result.reference_ms[0]) for result in results)
    worst = max(results, key=lambda result: (not result.agrees, result.relative_rms))
    return Verdict(
        agrees=agrees and not slow,
        reason=f"{worst.summary}{', slower than the plain graph' if slow else ''}",
        ms=results[-1].latency_ms[0],
        plain_ms=results[-1].reference_ms[0],
    )


def main(directory: str, cache_dir: str, threads: str, kind: str) -> int:
    """Exit status 1, and one line on standard error, when it cannot be made."""
    try:
        model = read_model_set(Path(directory))
        verify_model_set(model)  # what is made counts for these checksums, also later
        limit_memory(memory_for(model))  # it may bring graphs of its own
        optimize(model, FlavourCache(Path(cache_dir), kind), int(threads))
    except (ModelError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
