"""TensorRT, or TensorRT-RTX where only that is there: engines built, judged by golden phrases, and timed."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_tts.doctor.speed import as_table, measure_speed, time_tokens
from edge_tts.engine.load import Backends, BuildRules, EngineLoader
from edge_tts.engine.tensorrt.build import BuildRequest, build
from edge_tts.engine.tensorrt.build_process import BuildCost
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.graphs import BUILT
from edge_tts.model_sets.activation import activate
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.runtime.telemetry import Telemetry
from edge_tts.values import ModelSet
from tools.gpu.machine import QUERY, ask_nvidia_smi
from tools.gpu.memory import open_device
from tools.gpu.report import WORK, Report, Skipped, figure_of
from tools.gpu.sets import full_set

MODULES = ("tensorrt", "tensorrt_rtx_bindings")
STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"
Open = Callable[[], tuple[Any, Cuda]]
Sets = Mapping[str, Callable[[], ModelSet]]


def run(report: Report, folder: Path, open_all: Open | None = None, sets: Sets | None = None) -> None:
    open_all = open_all or open_both
    trt, cuda = open_all()
    report.row("library", f"{getattr(trt, '__name__', 'TensorRT')} {trt.__version__}", f"GPU {cuda.capability()}")
    cuda.close()
    known = {"starter fp32": lambda: read_model_set(STARTER), "v2ProPlus fp16": lambda: full_set(folder, "fp16")}
    for name, model_of in (sets or known).items():
        with report.check(f"{name}: all engines are built, agree and speak"):
            _speak(report, folder, model_of(), name, open_all)


def open_both() -> tuple[Any, Cuda]:
    """A module that loads here and supports the device, and the device. Raises Skipped."""
    cuda, reasons = open_device(), []
    for name in MODULES:
        try:
            trt = importlib.import_module(name)
        except ImportError as error:
            reasons.append(str(error))
            continue
        reason = why_unsupported(trt, cuda.capability())
        if not reason:
            return trt, cuda
        reasons.append(f"{name}: {reason}")
    cuda.close()
    raise Skipped(f"no TensorRT for this machine: {'; '.join(reasons)}")


def why_unsupported(trt: Any, capability: str) -> str:
    """Why a library that names its GPUs, as TensorRT-RTX does, has none for this one; empty when it may have."""
    named = getattr(trt, "ComputeCapability", None)
    known = [name for name in named.__members__ if name.startswith("SM")] if named is not None else []
    if not known or f"SM{capability.replace('.', '')}" in known:
        return ""
    return f"it does not support compute capability {capability}, only {', '.join(known)}"


def _speak(report: Report, folder: Path, model: ModelSet, name: str, open_all: Open) -> None:
    rules = BuildRules(directory=folder / WORK / "engines")
    backends = Backends(open_device=open_all, build=_build_with(open_all))
    with EngineLoader(execution="tensorrt", rules=rules, backends=backends) as loader:
        for result in activate(model, loader, again=True):
            if result.latency_ms[0] > 0:
                verdict = "agrees" if result.agrees else "DISAGREES"
                times = f"{result.latency_ms[0]:.2f} ms against {result.reference_ms[0]:.2f} ms"
                report.row(f"{name}, {result.graph}", verdict, f"{times}; {result.summary}")
        for graph in BUILT:
            plan = loader.built(model.graph(graph))
            if plan is not None:
                report.row(
                    f"{name}, {graph}", f"{plan.path.stat().st_size / 1e6:.0f} MB, built in {plan.build_s:.0f} s"
                )
        page = measure_speed(model, loader, _telemetry, bandwidth=figure_of(folder, "memory", "bandwidth"))
        refused = [f"{choice.graph}: {choice.reason}" for choice in loader.choices if choice.reason]
    with EngineLoader(execution="tensorrt", rules=replace(rules, cuda_graphs=False), backends=backends) as loader:
        activate(model, loader)
        plain = time_tokens(model, loader, time.perf_counter)
    ratio = f"{plain[0] / page.token[0]:.2f} times as long as with them"
    report.row(f"{name}, ms per token without captured graphs", f"{plain[0]:.3g} ms", ratio)
    for line in as_table(page).splitlines()[2:]:
        what, measured, goal, peers = (cell.strip() for cell in line.strip("|").split("|"))
        others = [f"goal on an Orin {goal}" * bool(goal), f"peers on an Orin {peers}" * bool(peers)]
        report.row(f"{name}, {what}", measured, "; ".join(filter(None, others)))
    if page.floor:
        over = page.token[0] / page.floor
        report.row(f"{name}, token over the memory's floor", f"{over:.1f} x", f"floor {page.floor:.3f} ms")
        report.figure(f"{name} over floor", over)
    report.figure(f"{name} ms per token", page.token)
    report.figure(f"{name} first audio ms", page.first_audio)
    report.figure(f"{name} rtf", page.rtf)
    if refused:
        raise AssertionError("; ".join(refused))


def _build_with(open_all: Open) -> Callable[..., BuildCost]:
    """Builds in this process, which is ended with its part if it hangs."""

    def build_here(request: BuildRequest, **rest: Any) -> BuildCost:
        trt, cuda = open_all()
        cuda.close()
        began = time.monotonic()
        build(request, trt=trt, progress=rest["progress"])
        return BuildCost(seconds=time.monotonic() - began, peak_memory_mb=0.0)

    return build_here


def _telemetry() -> Telemetry:
    """A desktop GPU's sensors; nothing where there are none."""
    try:
        facts = ask_nvidia_smi(QUERY)
    except Skipped:
        return Telemetry()
    numbers = {name: _number(value) for name, value in facts.items()}
    return Telemetry(
        temperature_c=numbers.get("temperature.gpu"),
        power_w=numbers.get("power.draw"),
        gpu_clock_mhz=numbers.get("clocks.sm"),
        gpu_limit_mhz=numbers.get("clocks.max.sm"),
        memory_used_mb=numbers.get("memory.used"),
        memory_total_mb=numbers.get("memory.total"),
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
