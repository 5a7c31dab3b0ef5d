"""ONNX Runtime's CUDA provider over the float16 graphs, against the float32 graphs on the processor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from edge_tts.engine.onnxruntime import CPU, CUDA, OrtEngine, probe
from edge_tts.graphs import BUILT
from edge_tts.model_sets.activation import a_voice, segments
from edge_tts.model_sets.golden import Golden
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.values import ModelSet
from tools.gpu.report import Report, Skipped
from tools.gpu.sets import full_set

Probe = Callable[[str], str]


def run(report: Report, folder: Path, ask: Probe = probe) -> None:
    reason = ask(CUDA)
    if reason:
        raise Skipped(f"ONNX Runtime has no GPU here: {reason}")
    compare(report, full_set(folder, "fp32"), full_set(folder, "fp16"), CUDA)


def compare(report: Report, plain: ModelSet, half: ModelSet, provider: str) -> None:
    """Golden phrases through both sets: range, NaN, error and time of each graph, within the limits of float16."""
    with ExitStack() as stack:
        load = GraphLoader(plain, stack, lambda path: OrtEngine(path, provider=CPU))
        reference = {name: load(name) for name in BUILT if plain.graph(name).is_file()}
        load = GraphLoader(half, stack, lambda path: OrtEngine(path, provider=provider))
        candidate = {name: load(name) for name in reference}
        golden = Golden(model=half, voice=a_voice(half), reference=reference, candidate=candidate)
        for segment in segments(half):
            golden.speak(segment)
        results = golden.agreements()
    for result in results:
        times = f"{result.latency_ms[0]:.2f} ms against {result.reference_ms[0]:.2f} ms; {result.summary}"
        report.row(result.graph, "agrees" if result.agrees else "DISAGREES", times)
        report.figure(result.graph, {"ms": result.latency_ms, "relative_rms": result.relative_rms})
    if not all(result.agrees for result in results):
        report.status = "failed"
