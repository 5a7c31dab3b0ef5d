"""Places each graph of a model set: on TensorRT where an engine was built and judged here, else on ONNX Runtime.

Every failure of TensorRT falls back to ONNX Runtime, with a warning and a reason. The caller judges the engines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edge_tts.engine.contract import Engine
from edge_tts.engine.onnxruntime import CPU, CUDA, TENSORRT, VERSION, OrtEngine, probe
from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest, Progress
from edge_tts.engine.tensorrt.build_process import BuildCost, build_in_child
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.machine import this_machine
from edge_tts.engine.tensorrt.plan_cache import PlanCache, PlanVerdict, StoredPlan, read_plan
from edge_tts.engine.tensorrt.trt_engine import TrtEngine, load_tensorrt
from edge_tts.errors import ModelError
from edge_tts.graphs import BUILT, CPU_CONTRACTS, T2S_PREFILL, T2S_STEP, SequenceLimits

log = logging.getLogger(__name__)

Execution = Literal["auto", "cpu", "cuda", "tensorrt"]
"""`auto` takes the best that works here; the others fall back with a warning."""

_TOGETHER = (frozenset({T2S_PREFILL, T2S_STEP}),)
"""Graphs that share the decode cache run on TensorRT together or not at all."""


@dataclass(frozen=True, slots=True)
class Placement:
    graph: str
    runs_on: str
    """`tensorrt`, or the ONNX Runtime provider."""
    reason: str = ""
    """Why it fell back, or empty."""


@dataclass(frozen=True, slots=True)
class BuildRules:
    """How engines are built and where they are cached."""

    directory: Path
    options: BuildOptions = field(default_factory=BuildOptions)
    limit_s: float = 1800.0
    """Time-out of one build."""
    cuda_graphs: bool = True
    progress: Progress = lambda phase, step, of: None
    waiting: Callable[[], None] = lambda: None
    """Called about twice a second during a build; may raise to end it."""


def _open_device() -> tuple[Any, Cuda]:
    return load_tensorrt(), Cuda()


@dataclass(frozen=True, slots=True)
class Backends:
    """How the loader reaches what may be missing here; tests pass fakes."""

    open_device: Callable[[], tuple[Any, Cuda]] = _open_device
    """TensorRT's module and a device; raises `ModelError`."""
    build: Callable[..., BuildCost] = build_in_child
    probe: Callable[[str], str] = probe
    """Why an ONNX Runtime provider cannot be used; empty when it can."""


def load_engine(path: Path, *, threads: int = 0) -> Engine:
    """An ONNX file on ONNX Runtime's CPU provider, with so many threads or (0) as the runtime chooses.

    Raises `ModelError` when the file is missing or damaged.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    return OrtEngine(path, threads=threads)


class EngineLoader:
    """Loads the graphs of a model set. One owner, one thread; a context manager that owns the CUDA stream they share.

    Close the engines before leaving the block.
    """

    def __init__(
        self,
        *,
        execution: Execution = "auto",
        threads: int = 0,
        rules: BuildRules | None = None,
        backends: Backends = Backends(),
    ) -> None:
        """Without `rules` TensorRT is not used."""
        self._execution, self._threads, self._rules, self._backends = execution, threads, rules, backends
        self._choices: dict[str, Placement] = {}
        self._plans: dict[Path, StoredPlan] = {}
        self._refused: dict[Path, str] = {}
        self._opened: dict[Path, Engine] = {}  # opened with another of its group, not loaded yet
        self._trt: Any = None
        self._cuda: Cuda | None = None
        self._cache: PlanCache | None = None
        self._provider, self._no_tensorrt = CPU, ""
        self._versions: tuple[str, ...] = (f"onnxruntime {VERSION}",)

    def __enter__(self) -> EngineLoader:
        if self._execution in ("auto", "tensorrt") and self._rules is not None:
            try:
                self._trt, self._cuda = self._backends.open_device()
                machine = this_machine(self._trt, self._cuda)
                self._cache = PlanCache(directory=self._rules.directory, machine=machine)
                gpu = f"CUDA {machine.cuda}, compute capability {machine.capability}"
                self._versions += (f"TensorRT {machine.tensorrt}", gpu)
            except ModelError as error:
                self._no_tensorrt = str(error)
        if self._cache is None and self._execution != "cpu":
            self._provider = self._best_provider()
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self._opened.values():
            engine.close()
        if self._cuda is not None:
            self._cuda.close()

    @property
    def choices(self) -> tuple[Placement, ...]:
        return tuple(self._choices.values())

    @property
    def rows(self) -> int:
        """Sequences that engines decode side by side."""
        return 1 if self._rules is None else self._rules.options.batch

    @property
    def on_processor(self) -> bool:
        """Whether ONNX Runtime's CPU provider runs all graphs."""
        return self._cache is None and self._provider == CPU

    @property
    def unavailable(self) -> str:
        """Why TensorRT cannot be used, or empty."""
        return self._no_tensorrt

    @property
    def versions(self) -> tuple[str, ...]:
        """The runtimes here, and what the GPU can."""
        return self._versions

    @property
    def device_memory(self) -> tuple[int, int] | None:
        """Free and total bytes."""
        return self._cuda.memory() if self._cuda is not None else None

    def prepare(
        self, paths: Sequence[Path], limits: SequenceLimits | None = None, *, again: bool = False
    ) -> tuple[Path, ...]:
        """Find or build the engines of graphs, or build all `again`; returns the graphs whose engine has no verdict."""
        for path in paths:
            if self._cache is not None and path.stem in BUILT and path not in self._refused:
                try:
                    self._plans[path] = self._find_or_build(path, self._cache, limits or SequenceLimits(), again)
                except (ModelError, OSError) as error:  # OSError: the folder is full or not writable
                    self.refuse(path, f"no engine: {error}")
        for path, plan in self._plans.items():
            if plan.verdict is not None and not plan.verdict.agrees:
                self.refuse(path, f"refused after comparison: {plan.verdict.reason}")
        return tuple(path for path in paths if path in self._plans and self._plans[path].verdict is None)

    def built(self, path: Path) -> StoredPlan | None:
        """The engine of a prepared graph, whatever its verdict."""
        return self._plans.get(path)

    def candidate(self, path: Path) -> Engine:
        """The loaded engine of a prepared graph, whatever its verdict. Raises `ModelError`."""
        plan = self._plans.get(path)
        if plan is None or self._cuda is None or self._rules is None:
            raise ModelError(f"{path}: {self._refused.get(path) or self._no_tensorrt or 'not prepared'}")
        data, graphs = read_plan(plan), self._rules.cuda_graphs and path.stem == T2S_STEP
        return TrtEngine(data, trt=self._trt, cuda=self._cuda, path=plan.path, graphs=graphs)

    def reference(self, path: Path) -> Engine:
        return OrtEngine(path, threads=self._threads)

    def judge(self, path: Path, verdict: PlanVerdict) -> None:
        """Store the verdict on the engine of a graph; one that disagrees is not loaded again."""
        if self._cache is not None and path in self._plans:
            self._plans[path] = self._cache.judge(self._plans[path], verdict)
            if verdict.agrees:
                self._refused.pop(path, None)
            else:
                self.refuse(path, f"refused after comparison: {verdict.reason}")

    def refuse(self, path: Path, reason: str) -> None:
        """Do not use the engine of this graph in this loader."""
        self._refused[path] = reason
        log.warning("%s: TensorRT is not used: %s", path.stem, reason)

    def load(self, path: Path) -> Engine:
        """The graph where it may run. Raises `ModelError` when not even ONNX Runtime can."""
        group = next((names for names in _TOGETHER if path.stem in names), frozenset({path.stem}))
        members = [path.with_name(f"{name}{path.suffix}") for name in sorted(group)]
        if path not in self._opened and all(self._accepted(member) for member in members):
            self._open(members)
        if path in self._opened:
            self._choices[path.stem] = Placement(path.stem, "tensorrt")
            return self._opened.pop(path)
        return self._on_ort(path, members)

    def _accepted(self, path: Path) -> bool:
        plan = self._plans.get(path)
        return plan is not None and path not in self._refused and plan.verdict is not None and plan.verdict.agrees

    def _open(self, members: list[Path]) -> None:
        try:
            for member in members:
                self._opened[member] = self.candidate(member)
        except ModelError as error:  # all of a group or none
            for member in members:
                self.refuse(member, f"cannot be loaded: {error}")
                if member in self._opened:
                    self._opened.pop(member).close()

    def _on_ort(self, path: Path, members: list[Path]) -> Engine:
        engine = OrtEngine(path, threads=self._threads, provider=self._provider)
        reason = ""
        if path.stem in (*BUILT, *CPU_CONTRACTS) and (self._execution == "tensorrt" or self._cache is not None):
            refused = [self._refused[member] for member in members if member in self._refused]
            reason = self._no_tensorrt or (refused[0] if refused else "no judged engine")
        elif self._execution == "cuda" and self._provider != CUDA:
            reason = self._backends.probe(CUDA)
        if reason:
            log.warning("%s runs on %s instead of %s: %s", path.stem, self._provider, self._execution, reason)
        self._choices[path.stem] = Placement(path.stem, self._provider, reason)
        return engine

    def _find_or_build(self, path: Path, cache: PlanCache, limits: SequenceLimits, again: bool) -> StoredPlan:
        rules = self._rules
        assert rules is not None
        rows = rules.options.batch if path.stem == T2S_STEP else 1  # else a change of it builds every graph anew
        options = replace(rules.options, limits=limits, batch=rows)
        stored = None if again else self._plans.get(path) or cache.find(path, options)
        if stored is not None:
            return stored
        place, _ = cache.place(path, options)
        log.warning("%s: building its TensorRT engine; this takes minutes and is done once", path.stem)
        request = BuildRequest(
            graph=path.stem,
            onnx=str(path),
            plan=str(place),
            timing_cache=str(cache.directory / "timings"),
            options=options,
        )
        build = self._backends.build
        cost = build(request, limit_s=rules.limit_s, progress=rules.progress, waiting=rules.waiting)
        log.info("%s: built in %.0f s; memory fell by %.0f MB", path.stem, cost.seconds, cost.peak_memory_mb)
        return cache.add(path, options, build_s=cost.seconds, peak_memory_mb=cost.peak_memory_mb)

    def _best_provider(self) -> str:
        providers = (TENSORRT, CUDA) if self._execution == "tensorrt" else (CUDA,)
        return next((provider for provider in providers if not self._backends.probe(provider)), CPU)
