"""Finds or builds the engines of a model set, runs the golden phrases on them and stores the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge_tts.config import EngineConfig
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import BuildRules, EngineLoader
from edge_tts.engine.tensorrt.build import BuildOptions, Progress
from edge_tts.engine.tensorrt.plan_cache import PlanVerdict
from edge_tts.errors import ModelError
from edge_tts.graphs import BUILT
from edge_tts.model_sets.golden import GPT, Agreement, Golden
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import ModelSet, Segment, Voice
from edge_tts.voices.builtin import BuiltinVoices

PHRASES = {"en": "The kettle has boiled, and the tea is ready.", "zh": "水已经烧开了，请慢慢用茶。"}


def open_loader(
    engine: EngineConfig,
    *,
    progress: Progress = lambda phase, step, of: None,
    waiting: Callable[[], None] = lambda: None,
) -> EngineLoader:
    """The configured loader, a context manager; `progress` and `waiting` as in `BuildRules`."""
    options = BuildOptions(
        batch=engine.rows, workspace_mb=engine.workspace_mb, optimization_level=engine.optimization_level
    )
    rules = BuildRules(
        directory=engine.cache_dir,
        options=options,
        limit_s=engine.build_limit_s,
        cuda_graphs=engine.cuda_graphs,
        progress=progress,
        waiting=waiting,
    )
    own = "auto" if engine.execution == "remote" else engine.execution  # what speaks while the other machine cannot
    return EngineLoader(execution=own, threads=engine.threads, rules=rules)


def activate(model: ModelSet, loader: EngineLoader, *, again: bool = False) -> list[Agreement]:
    """Find or build the engines of a set and judge those without a verdict, or all `again`. Returns what was judged."""
    paths = {name: model.graph(name) for name in BUILT if model.graph(name).is_file()}
    pending = {path.stem for path in loader.prepare(list(paths.values()), model.sizes.limits)}
    unjudged = {name for name, path in paths.items() if loader.built(path) is not None and (again or name in pending)}
    if unjudged & set(GPT):
        unjudged |= {name for name in GPT if loader.built(paths[name]) is not None}
    if not unjudged:
        return []
    results = compare(model, a_voice(model), paths, loader, unjudged)
    for result in results:
        if result.latency_ms[0] > 0:
            loader.judge(paths[result.graph], PlanVerdict(agrees=result.agrees, reason=result.summary))
    return results


def compare(
    model: ModelSet, voice: Voice, paths: Mapping[str, Path], loader: EngineLoader, candidates: Iterable[str]
) -> list[Agreement]:
    """Golden phrases through ONNX Runtime and, for the `candidates`, through their engines."""
    candidate: dict[str, Engine] = {}
    with ExitStack() as stack:
        graph = GraphLoader(model, stack, loader.reference)
        reference = {name: graph(name) for name in paths}
        graph = GraphLoader(model, stack, loader.candidate)
        for name in candidates:
            try:
                candidate[name] = graph(name)
            except ModelError as error:
                loader.refuse(paths[name], f"cannot be loaded: {error}")
        golden = Golden(model=model, voice=voice, reference=reference, candidate=candidate, rows=loader.rows)
        for segment in segments(model):
            golden.speak(segment)
        return golden.agreements()


def segments(model: ModelSet) -> list[Segment]:
    """The golden phrases in the set's languages."""
    front_end = TextFrontEnd()
    languages = [language for language in PHRASES if language in model.languages] or ["en"]
    return [segment for language in languages for segment in front_end.segments(PHRASES[language], language)]


def a_voice(model: ModelSet) -> Voice:
    """The set's own voice, or the neutral one."""
    builtin = BuiltinVoices(model)
    name = model.default_voice or next(iter(builtin.ids()), None)
    return builtin.load(name) if name is not None else neutral_voice(model)


def neutral_voice(model: ModelSet) -> Voice:
    """Random numbers of the right shapes, to compare engines of a set without a voice."""
    random = np.random.default_rng(7)
    return Voice(
        id="neutral",
        name="neutral",
        language="en",
        prompt_tokens=random.integers(0, model.sizes.tokens - 1, 50),
        prompt_phoneme_ids=random.integers(1, 300, 20),
        prompt_bert=np.zeros((20, model.sizes.bert_width), np.float32),
        conditioning=random.standard_normal((1, model.sizes.conditioning_width, 1)).astype(np.float32),
    )
