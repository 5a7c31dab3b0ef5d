"""Which graphs a set runs on the processor: a flavour made and judged here once, else the plain ones.

What was made lies in `engine.cache_dir`, in a folder named after its key: another set, version of ONNX Runtime or
processor finds none and makes its own. Whatever goes wrong costs the flavour and not the speech.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge_tts.config import EngineConfig
from edge_tts.durable.folders import make_folder
from edge_tts.durable.fsync import sync_folder
from edge_tts.durable.hashes import sha256_of, sha256_of_each
from edge_tts.engine.load import EngineLoader
from edge_tts.engine.onnxruntime import VERSION
from edge_tts.errors import ModelError
from edge_tts.graphs import ENCODER, FLOW, T2S, T2S_PREFILL, T2S_STEP, WAVE
from edge_tts.limited_process import FRUGAL
from edge_tts.model_folder import CPU_FLAVOUR, INT8_FLAVOUR
from edge_tts.synthesis.synthesizer import encoder_of, gpt_of, wave_of
from edge_tts.values import ModelSet

log = logging.getLogger(__name__)

SPEAKING = (T2S_PREFILL, T2S_STEP, ENCODER, FLOW, WAVE)
COMMAND = (sys.executable, "-m", "edge_tts.model_sets.optimize")
FORMAT = 6
"""Incremented when the same set gives other graphs, or they are judged by other rules."""
_RECORD = "flavour.json"
_KEPT = 3  # of the current model set, the previous one, and one under trial
_TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison of one graph with the plain one, here. Times are those of the processor, whatever else it does."""

    agrees: bool
    reason: str
    ms: float
    plain_ms: float


@dataclass(frozen=True, slots=True)
class Flavour:
    """A made flavour: where it lies, and what is thought of its graphs."""

    folder: Path
    verdicts: Mapping[str, Verdict]

    def applied(self, model: ModelSet) -> ModelSet:
        """The set with the graphs that agree."""
        paths = {name: self.folder / f"{name}.onnx" for name, verdict in self.verdicts.items() if verdict.agrees}
        return replace(model, replaced=paths)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What lies beside the graphs: what is thought of them, and the sha256 of each file."""

    verdicts: Mapping[str, Verdict]
    files: Mapping[str, str]


class FlavourCache:
    """What was made on one machine in one directory, of the flavour `cpu` or `int8w`."""

    def __init__(self, directory: Path, kind: str = CPU_FLAVOUR) -> None:
        self._directory, self.kind = directory, kind

    def home(self, model: ModelSet) -> Path | None:
        """The folder of the flavour that came with the set."""
        return model.directory / CPU_FLAVOUR if self.kind == CPU_FLAVOUR and self.kind in model.flavours else None

    def find(self, model: ModelSet) -> Flavour | None:
        """The flavour of a set, or None where none was made or its files have changed since."""
        place, record = self._place(model), self._record(model)
        if record is None:
            return None
        try:
            files = {place / name: sha256 for name, sha256 in record.files.items()}
            changed = [path.name for path, found in sha256_of_each(files) if found.result() != files[path]]
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("%s: cannot be read (%s); it will be made again", place, error)
            return None
        if changed:
            log.warning("%s: %s is damaged; it will be made again", place, ", ".join(changed))
            return None
        return self._flavour(model, record)

    def made(self, model: ModelSet) -> Flavour | None:
        """As `find`, but its files are not read."""
        record = self._record(model)
        return None if record is None else self._flavour(model, record)

    def _flavour(self, model: ModelSet, record: _Beside) -> Flavour:
        return Flavour(self.home(model) or self._place(model), record.verdicts)

    def _record(self, model: ModelSet) -> _Beside | None:
        place = self._place(model)
        try:
            record = json.loads((place / _RECORD).read_bytes())
            verdicts = {name: Verdict(**verdict) for name, verdict in record["verdicts"].items()}
            return _Beside(verdicts, dict(record["files"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("%s: cannot be read (%s); it will be made again", place, error)
            return None

    def add(self, model: ModelSet, make: Callable[[Path], Mapping[str, Verdict]]) -> Flavour:
        """Have `make` fill a folder with graphs and judge them; put it in place. Raises ModelError and OSError."""
        place = self._place(model)
        staged = Path(tempfile.mkdtemp(prefix=f".{self.kind}-", dir=make_folder(self._directory)))
        try:
            verdicts = make(staged)
            files = {path.name: sha256_of(path) for path in staged.iterdir()}
            record = {"verdicts": {name: asdict(verdict) for name, verdict in verdicts.items()}, "files": files}
            (staged / _RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
            shutil.rmtree(place, ignore_errors=True)
            staged.rename(place)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        sync_folder(self._directory)
        self._forget_old(place)
        return Flavour(self.home(model) or place, verdicts)

    def _place(self, model: ModelSet) -> Path:
        """Raises ModelError for a set without checksums."""
        files = [f"{name}.onnx" for name in SPEAKING]
        if not set(files) <= set(model.files):
            raise ModelError(f"{model.directory}: its manifest has no checksums of its graphs")
        key: dict[str, Any] = {name: model.files[name] for name in files}
        key |= {"format": FORMAT, "onnxruntime": VERSION, "machine": platform.machine(), "own": model.flavours}
        return (
            self._directory / f"{self.kind}-{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]}"
        )

    def _forget_old(self, place: Path) -> None:
        others = sorted(self._directory.glob(f"{self.kind}-*"), key=lambda path: path.stat().st_mtime)
        others.remove(place)
        for old in others[: max(0, len(others) + 1 - _KEPT)]:
            shutil.rmtree(old, ignore_errors=True)


def optimized(
    model: ModelSet, engine: EngineConfig, loader: EngineLoader, *, waiting: Callable[[], None] = lambda: None
) -> ModelSet:
    """The set as it runs here: with the configured flavour on a processor. `waiting` is called while that is made."""
    fast = model
    for kind in _kinds(model, engine, loader):
        try:
            fast = _made(model, engine, kind, waiting)
        except (ModelError, OSError) as error:
            log.warning("%s: the plain graphs run: %s", model.name, error)
            return model
        if T2S in fast.replaced:
            break
        log.warning("%s: the GPT of the flavour %s is not used here; %s says why", model.name, kind, _RECORD)
    return fast


def needless(model: ModelSet, engine: EngineConfig, loader: EngineLoader) -> frozenset[str]:
    """The plain graphs that nobody will open, because those of a flavour that was made are there."""
    fast = model
    for kind in _kinds(model, engine, loader):
        try:
            flavour = FlavourCache(engine.cache_dir, kind).made(model)
        except ModelError:  # `optimized` tells
            break
        fast = model if flavour is None else flavour.applied(model)
        if flavour is None or T2S in fast.replaced:
            break
    return unopened(fast)


def unopened(fast: ModelSet) -> frozenset[str]:
    """The plain graphs for speech that a set with these replaced does not open."""
    return frozenset(SPEAKING) - {*gpt_of(fast), *encoder_of(fast), FLOW, wave_of(fast)} | frozenset(fast.replaced)


def _kinds(model: ModelSet, engine: EngineConfig, loader: EngineLoader) -> tuple[str, ...]:
    """The flavours that may run, the fastest first."""
    if engine.flavour == "plain" or not loader.on_processor or model.precision != "fp32":
        return ()
    return (INT8_FLAVOUR, CPU_FLAVOUR) if engine.flavour == INT8_FLAVOUR and model.eight_bits else (CPU_FLAVOUR,)


def _made(model: ModelSet, engine: EngineConfig, kind: str, waiting: Callable[[], None]) -> ModelSet:
    """The set with the graphs of a flavour that agree, which are made if there are none. Raises ModelError, OSError."""
    cache = FlavourCache(engine.cache_dir, kind)
    flavour = cache.find(model)
    if flavour is None:
        log.warning("%s: making its graphs for this processor; this takes seconds and is done once", model.name)
        make_in_child(model, engine, kind, waiting=waiting)
        flavour = cache.find(model)
    return model if flavour is None else flavour.applied(model)


def make_in_child(
    model: ModelSet, engine: EngineConfig, kind: str, *, waiting: Callable[[], None] = lambda: None
) -> None:
    """Make and judge the flavour of a set in a process of its own, whose memory goes with it.

    Raises ModelError with its last line when it fails or takes longer than `engine.build_limit_s`, and OSError.
    """
    arguments = (str(model.directory), str(engine.cache_dir), str(engine.threads), kind)
    places = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **FRUGAL, "PYTHONPATH": os.pathsep.join(places)},
    )
    try:
        errors = _wait(child, time.monotonic() + engine.build_limit_s, waiting)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if child.returncode != 0:
        said = errors.decode(errors="replace").strip().splitlines()
        raise ModelError(said[-1] if said else f"making the graphs ended with status {child.returncode}")


def _wait(child: subprocess.Popen[bytes], until: float, waiting: Callable[[], None]) -> bytes:
    """What the child wrote to its standard error."""
    while True:
        try:
            return child.communicate(timeout=_TICK_S)[1]
        except subprocess.TimeoutExpired:
            waiting()
            if time.monotonic() > until:
                raise ModelError("making the graphs took longer than engine.build_limit_s and was ended") from None
