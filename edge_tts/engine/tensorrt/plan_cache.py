"""The cache of built engines: each under a key, written atomically, verified before use.

A serialized engine is machine code. It is used only with the record that this device wrote after its own build,
unchanged since, in a folder that no other user can write.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.durable.hashes import sha256_of
from edge_tts.engine.tensorrt.build import BuildOptions
from edge_tts.engine.tensorrt.machine import Machine
from edge_tts.errors import ModelError

log = logging.getLogger(__name__)

FORMAT = 3
"""Incremented when the same inputs give another engine (profiles, build settings)."""
_KEPT_PER_GRAPH = 3  # of the current model set, the previous one, and one under trial


@dataclass(frozen=True, slots=True)
class PlanVerdict:
    """The outcome of the comparison with ONNX Runtime."""

    agrees: bool
    reason: str


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A built engine on disk."""

    graph: str
    path: Path
    sha256: str
    build_s: float
    peak_memory_mb: float
    """The largest drop of the machine's available memory during the build."""
    verdict: PlanVerdict | None = None
    key: dict[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> Path:
        return self.path.with_suffix(".json")


class PlanCache:
    """The engines of one machine in one directory."""

    def __init__(self, *, directory: Path, machine: Machine) -> None:
        self.directory, self._machine = directory, machine

    def place(self, onnx: Path, options: BuildOptions) -> tuple[Path, dict[str, Any]]:
        """Path and key of the engine of a graph. Makes the directory. Raises `ModelError`."""
        key = {"format": FORMAT, "onnx": onnx_digest(onnx), **asdict(self._machine), "options": asdict(options)}
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        try:
            make_folder(self.directory)
        except OSError as error:
            raise ModelError(f"{self.directory}: no place for engines: {error}") from error
        return self.directory / f"{onnx.stem}-{digest[:16]}.plan", key

    def find(self, onnx: Path, options: BuildOptions) -> StoredPlan | None:
        """The engine of a graph, or None; one that cannot be trusted is deleted."""
        path, key = self.place(onnx, options)
        if not path.exists():
            return None
        try:
            stored = read_record(path)
            if stored.key != key:
                raise ModelError(f"{path}: its record belongs to another key")
            read_plan(stored)
        except ModelError as error:
            log.warning("%s; it will be built again", error)
            _delete(path)
            return None
        return stored

    def add(self, onnx: Path, options: BuildOptions, *, build_s: float, peak_memory_mb: float) -> StoredPlan:
        """Record the engine just built at `place`; delete the oldest of its graph."""
        path, key = self.place(onnx, options)
        stored = StoredPlan(
            graph=onnx.stem,
            path=path,
            sha256=_digest(path),
            build_s=round(build_s, 1),
            peak_memory_mb=round(peak_memory_mb),
            key=key,
        )
        _write_record(stored)
        plans = sorted(self.directory.glob(f"{onnx.stem}-*.plan"), key=lambda plan: plan.stat().st_mtime)
        for old in [plan for plan in plans if plan != path][: max(0, len(plans) - _KEPT_PER_GRAPH)]:
            _delete(old)
        return stored

    def judge(self, stored: StoredPlan, verdict: PlanVerdict) -> StoredPlan:
        judged = replace(stored, verdict=verdict)
        _write_record(judged)
        return judged


def read_record(plan: Path) -> StoredPlan:
    """The record beside an engine. Raises `ModelError` for a missing or unreadable one."""
    path = plan.with_suffix(".json")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        verdict = values.pop("verdict")
        return StoredPlan(path=plan, verdict=PlanVerdict(**verdict) if verdict else None, **values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"{plan}: no record of a build here ({error}); engines come from this device alone") from error


def read_plan(stored: StoredPlan) -> bytes:
    """The engine. Raises `ModelError` when it was changed or another user can write it."""
    try:
        for path in (stored.path.parent, stored.path, stored.record):
            status = path.lstat()
            if path.is_symlink() or status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
                raise ModelError(f"{path}: others than this service can write it, so it is not trusted")
        data = stored.path.read_bytes()
    except OSError as error:
        raise ModelError(f"{stored.path}: cannot be read: {error}; build engines as the service's user") from error
    if hashlib.sha256(data).hexdigest() != stored.sha256:
        raise ModelError(f"{stored.path}: damaged since it was built")
    return data


def onnx_digest(path: Path) -> str:
    """Of a graph and its weights. Raises `ModelError`."""
    weights = path.with_name(f"{path.name}.data")
    return _digest(path) + (_digest(weights) if weights.is_file() else "")


def _delete(plan: Path) -> None:
    """Delete an engine, the record first: without it the engine is not trusted."""
    try:
        plan.with_suffix(".json").unlink(missing_ok=True)
        plan.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"{plan}: cannot be removed: {error}; give the folder to the service's user") from error


def _write_record(stored: StoredPlan) -> None:
    values = {name: value for name, value in asdict(stored).items() if name != "path"}
    write_atomic(stored.record, (json.dumps(values, indent=2) + "\n").encode())


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
