"""Chooses who runs each graph of a model set: TensorRT where an engine was built and judged here, else ONNX Runtime.

Nothing that goes wrong with TensorRT keeps the appliance from speaking: it ends in ONNX Runtime, a warning in the log,
and a `Placement` that says why. How engines are judged is the caller's; the loader only obeys the verdict.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from edge_tts.engine.contract import Engine
from edge_tts.engine.onnxruntime import CPU, CUDA, TENSORRT, OrtEngine, probe
from edge_tts.engine.tensorrt.build import BuildOptions, BuildRequest, Progress
from edge_tts.engine.tensorrt.build_process import build_in_child
from edge_tts.engine.tensorrt.cuda import Cuda
from edge_tts.engine.tensorrt.machine import this_machine
from edge_tts.engine.tensorrt.plan_cache import PlanCache, PlanVerdict, StoredPlan, read_plan, read_record
from edge_tts.engine.tensorrt.trt_engine import TrtEngine, load_tensorrt
from edge_tts.errors import ModelError
from edge_tts.graphs import BUILT, T2S_PREFILL, T2S_STEP, SequenceLimits

log = logging.getLogger(__name__)

Execution = Literal["auto", "cpu", "cuda", "tensorrt"]
"""Who shall compute: `auto` takes the best that proves itself here; the others ask for one and warn when it fails."""

_TOGETHER = (frozenset({T2S_PREFILL, T2S_STEP}),)
"""Graphs that share device memory: all of a group run on TensorRT, or none."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Who runs a graph, and why not what was asked for."""

    graph: str
    runs_on: str
    """`tensorrt`, or the ONNX Runtime provider."""
    reason: str = ""
    """Empty when it is what was asked for."""


@dataclass(frozen=True, slots=True)
class BuildRules:
    """How engines are built and where they are kept."""

    directory: Path
    options: BuildOptions = field(default_factory=BuildOptions)
    limit_s: float = 1800.0
    """A build of one engine that takes longer is ended."""
    cuda_graphs: bool = True


def _open_device() -> tuple[Any, Cuda]:
    return load_tensorrt(), Cuda()


def open_plan(path: Path, *, open_device: Callable[[], tuple[Any, Cuda]] = _open_device) -> TrtEngine:
    """One engine with a stream of its own. Raises `ModelError` for one that this device has not built and judged."""
    stored = read_record(path)
    data = read_plan(stored)
    if stored.verdict is None or not stored.verdict.agrees:
        raise ModelError(f"{path}: has not been found to agree with ONNX Runtime; `edge-ttsd doctor` compares it")
    trt, cuda = open_device()
    if not asdict(this_machine(trt, cuda)).items() <= stored.key.items():
        cuda.close()
        raise ModelError(f"{path}: built for another machine or by other versions; build it again")
    return TrtEngine(data, trt=trt, cuda=cuda, path=path, graphs=stored.graph == T2S_STEP, on_close=cuda.close)


def load_engine(path: Path, *, threads: int = 0) -> Engine:
    """One network: `.onnx` on ONNX Runtime, `.plan` on TensorRT.

    `threads` bounds the cores one inference may use; 0 leaves it to the runtime.
    Raises `ModelError` when the file is missing, damaged or of an unknown kind, and for a `.plan` that this device has
    not built and judged itself.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such model file")
    if path.suffix == ".onnx":
        return OrtEngine(path, threads=threads)
    if path.suffix == ".plan":
        return open_plan(path)
    raise ModelError(f"{path}: cannot tell what runs a '{path.suffix}' file; expected .onnx or .plan")


class EngineLoader:
    """Loads the graphs of a model set. One owner, one thread, a context manager: it owns the CUDA stream they share.

    Leave the block after the engines are closed.
    """

    def __init__(
        self,
        *,
        execution: Execution = "auto",
        threads: int = 0,
        rules: BuildRules | None = None,
        open_device: Callable[[], tuple[Any, Cuda]] = _open_device,
        build: Callable[..., Any] = build_in_child,
        prove: Callable[[str], str] = probe,
        progress: Progress = lambda phase, step, of: None,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """`waiting` is called about twice a second while an engine is built; without `rules` TensorRT is not used."""
        self._execution, self._threads, self._rules = execution, threads, rules
        self._open_device, self._build, self._prove = open_device, build, prove
        self._progress, self._waiting = progress, waiting
        self._choices: dict[str, Placement] = {}
        self._plans: dict[Path, StoredPlan] = {}
        self._refused: dict[Path, str] = {}
        self._opened: dict[Path, Engine] = {}  # opened with another of its group, not asked for yet
        self._trt: Any = None
        self._cuda: Cuda | None = None
        self._cache: PlanCache | None = None
        self._provider, self._no_tensorrt = CPU, ""

    def __enter__(self) -> EngineLoader:
        if self._execution in ("auto", "tensorrt") and self._rules is not None:
            try:
                self._trt, self._cuda = self._open_device()
                self._cache = PlanCache(directory=self._rules.directory, machine=this_machine(self._trt, self._cuda))
            except ModelError as error:
                self._no_tensorrt = str(error)
        if self._cache is None and self._execution != "cpu":
            self._provider = self._best_provider()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for engine in self._opened.values():
            engine.close()
        if self._cuda is not None:
            self._cuda.close()

    @property
    def choices(self) -> tuple[Placement, ...]:
        """What was loaded so far."""
        return tuple(self._choices.values())

    @property
    def unavailable(self) -> str:
        """Why TensorRT cannot be used at all; empty when it can, or was not asked for."""
        return self._no_tensorrt

    @property
    def device_memory(self) -> tuple[int, int] | None:
        """Free and total bytes of device memory, where there is a device."""
        return self._cuda.memory() if self._cuda is not None else None

    def prepare(
        self, paths: Sequence[Path], limits: SequenceLimits | None = None, *, again: bool = False
    ) -> tuple[Path, ...]:
        """Find or build the engines of these graphs, or build all `again`; returns those that have to be judged.

        `limits` are those of their model set; without them engines are built for the shortest sequences of any family.
        """
        for path in paths:
            if self._cache is not None and path.stem in BUILT and path not in self._refused:
                try:
                    self._plans[path] = self._find_or_build(path, self._cache, limits or SequenceLimits(), again)
                except (ModelError, OSError) as error:  # OSError: the folder is full or not ours
                    self.refuse(path, f"no engine: {error}")
        for path, plan in self._plans.items():
            if plan.verdict is not None and not plan.verdict.agrees:
                self.refuse(path, f"refused after comparison: {plan.verdict.reason}")
        return tuple(path for path in paths if path in self._plans and self._plans[path].verdict is None)

    def built(self, path: Path) -> StoredPlan | None:
        """What `prepare` found for a graph, whatever its verdict."""
        return self._plans.get(path)

    def candidate(self, path: Path) -> Engine:
        """The TensorRT engine of a prepared graph, whatever its verdict: for the judge. Raises `ModelError`."""
        plan = self._plans.get(path)
        if plan is None or self._cuda is None or self._rules is None:
            raise ModelError(f"{path}: {self._refused.get(path) or self._no_tensorrt or 'not prepared'}")
        data, graphs = read_plan(plan), self._rules.cuda_graphs and path.stem == T2S_STEP
        return TrtEngine(data, trt=self._trt, cuda=self._cuda, path=plan.path, graphs=graphs)

    def reference(self, path: Path) -> Engine:
        """The graph on ONNX Runtime's CPU provider, which judges the others."""
        return OrtEngine(path, threads=self._threads)

    def judge(self, path: Path, verdict: PlanVerdict) -> None:
        """Write down the verdict on a prepared graph; one that disagrees is not loaded again."""
        if self._cache is not None and path in self._plans:
            self._plans[path] = self._cache.judge(self._plans[path], verdict)
            if verdict.agrees:
                self._refused.pop(path, None)
            else:
                self.refuse(path, f"refused after comparison: {verdict.reason}")

    def refuse(self, path: Path, reason: str) -> None:
        """Do without the engine of this graph for as long as this loader lives."""
        self._refused[path] = reason
        log.warning("%s: TensorRT is not used: %s", path.stem, reason)

    def load(self, path: Path) -> Engine:
        """The graph on what may run it. Raises `ModelError` when not even ONNX Runtime can."""
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
        """Open the engines of a group, all or none."""
        try:
            for member in members:
                self._opened[member] = self.candidate(member)
        except ModelError as error:
            for member in members:
                self.refuse(member, f"cannot be loaded: {error}")
                if member in self._opened:
                    self._opened.pop(member).close()

    def _on_ort(self, path: Path, members: list[Path]) -> Engine:
        engine = OrtEngine(path, threads=self._threads, provider=self._provider)
        reason = ""
        if path.stem in BUILT and (self._execution == "tensorrt" or self._cache is not None):
            refused = [self._refused[member] for member in members if member in self._refused]
            reason = self._no_tensorrt or (refused[0] if refused else "no judged engine")
        elif self._execution == "cuda" and self._provider != CUDA:
            reason = self._prove(CUDA)
        if reason:
            log.warning("%s runs on %s instead of %s: %s", path.stem, self._provider, self._execution, reason)
        self._choices[path.stem] = Placement(path.stem, self._provider, reason)
        return engine

    def _find_or_build(self, path: Path, cache: PlanCache, limits: SequenceLimits, again: bool) -> StoredPlan:
        assert self._rules is not None
        options = replace(self._rules.options, limits=limits)
        known = None if again else self._plans.get(path) or cache.find(path, options)
        if known is not None:
            return known
        place, _ = cache.place(path, options)
        log.warning("%s: building its TensorRT engine; this takes minutes and is done once", path.stem)
        request = BuildRequest(
            graph=path.stem,
            onnx=str(path),
            plan=str(place),
            timing_cache=str(cache.directory / "timings"),
            options=options,
        )
        cost = self._build(request, limit_s=self._rules.limit_s, progress=self._progress, waiting=self._waiting)
        log.info("%s: built in %.0f s; memory fell by %.0f MB", path.stem, cost.seconds, cost.peak_memory_mb)
        return cache.add(path, options, build_s=cost.seconds, peak_memory_mb=cost.peak_memory_mb)

    def _best_provider(self) -> str:
        """ONNX Runtime's provider for this execution: the first that proves itself."""
        wanted = {"auto": (CUDA,), "cuda": (CUDA,), "tensorrt": (TENSORRT, CUDA)}[self._execution]
        return next((provider for provider in wanted if not self._prove(provider)), CPU)
