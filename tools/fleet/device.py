"""A device of a fleet without networks: the shipped rollout, and model sets that say how good they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from edge_tts.buckets.bucket import Bucket
from edge_tts.durable.hashes import sha256_of
from edge_tts.errors import FleetError
from edge_tts.fleet.hearing import Heard
from edge_tts.fleet.member import Member
from edge_tts.fleet.remembered import RememberedFile
from edge_tts.fleet.reports import ReleaseStatus
from edge_tts.fleet.rollout import Participant, Rollout
from edge_tts.fleet.signing import Trust
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.manifest import find_model_set, installed_model_sets, read_model_set, verify_model_set

FIRST = "first"
"""The set that every device has."""


class SimulatedSets:
    """ReleaseSets. What a set is worth stands in its manifest under `quality`; `starts: 0`: it does not start."""

    def __init__(self, models: Path, state: Path) -> None:
        self._models = models
        self.choice = ModelChoice(state / "model.json", configured=FIRST)
        self.spoken: list[str] = []
        """Sets that were tried."""

    def current(self) -> str:
        return self.choice.current

    def given_up(self) -> str | None:
        return self.choice.given_up

    def with_manifest(self, sha256: str) -> str | None:
        names = installed_model_sets(self._models)
        return next((name for name in names if sha256_of(self._models / name / "manifest.json") == sha256), None)

    def copies(self) -> Mapping[str, Path]:
        models = [read_model_set(self._models / name) for name in installed_model_sets(self._models)]
        return {sha256: model.directory / name for model in models for name, sha256 in model.files.items()}

    def hear(self, folder: Path, beside: Path) -> Heard:
        verify_model_set(read_model_set(folder))
        self.spoken.append(folder.name)
        quality = _quality(folder)
        return Heard(mos=quality.get("mos", 3.0), guard=int(quality.get("guard", 0)), silent=0, p95_s=0.2, sentences=20)

    def activate(self, name: str) -> None:
        """With the restart that follows."""
        model = find_model_set(self._models, name)
        verify_model_set(model)
        self.choice.choose(name)
        self.choice.begin()
        if _quality(model.directory).get("starts", 1):
            self.choice.proven()
        else:
            self.choice.fall_back("it does not start")

    def remove(self, name: str) -> None:
        if name not in (self.choice.current, self.choice.previous):
            shutil.rmtree(self._models / name, ignore_errors=True)


def _quality(folder: Path) -> dict[str, float]:
    quality: dict[str, float] = json.loads((folder / "manifest.json").read_text()).get("quality", {})
    return quality


class SimulatedDevice:
    """One device: what it keeps lies below `folder`, and it may be made anew from that at any time."""

    def __init__(
        self,
        folder: Path,
        *,
        trust: Trust,
        clock: Callable[[], float],
        auto: bool = True,
        show: Callable[[ReleaseStatus], None] = lambda status: None,
    ) -> None:
        """`folder`'s name is the device's; `folder`/models has the set FIRST."""
        self.name, self.models = folder.name, folder / "models"
        self.sets = SimulatedSets(self.models, folder)
        self.file = RememberedFile(folder / "fleet.json")
        who = Participant(device=self.name, trust=trust, auto=auto, models=self.models)
        self.rollout = Rollout(who=who, file=self.file, sets=self.sets, show=show, clock=clock)
        self.member = Member(device=self.name, rollout=self.rollout, p95_s=lambda: None, clock=clock)
        self.refused = ""
        """Why what the bucket gave out last was refused."""

    def round(self, bucket: Bucket, *, asked: bool = False) -> ReleaseStatus:
        """Look, and look once more after the restart of a change. Raises TransportError."""
        for _ in range(2):
            self.refused = ""
            try:
                self.member.round(bucket, asked=asked)
            except FleetError as error:
                self.refused = str(error)
            if self.rollout.status.stage != "activating":
                break
        return self.rollout.status

    def check(self) -> None:
        """The set that speaks is whole. Raises ModelError."""
        verify_model_set(find_model_set(self.models, self.sets.current()))
