"""The model sets of the appliance, as a release uses them."""

from __future__ import annotations

import os
import queue
import shutil
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from edge_tts.config import Config
from edge_tts.durable.hashes import sha256_of
from edge_tts.errors import ModelError
from edge_tts.fleet.hearing import LANGUAGES, Heard, heard
from edge_tts.fleet.rollout import InterruptedRolloutError
from edge_tts.model_folder import MANIFEST
from edge_tts.model_sets.change import ChangeRequest, ModelChange
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.manifest import installed_model_sets, read_model_set
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Reply
from edge_tts.values import CLOSING, Report

_TICK_S = 0.5


class DeviceSets:
    """ReleaseSets. `go_on` is called while something takes long, and raises InterruptedRolloutError to end it."""

    def __init__(
        self,
        *,
        config: Config,
        runtime: Runtime,
        choice: ModelChoice,
        change: ModelChange,
        quality: Path,
        go_on: Callable[[], None],
    ) -> None:
        """`quality`: the folder of the networks that judge sound."""
        self._config, self._runtime, self._choice, self._change = config, runtime, choice, change
        self._quality, self._go_on = quality, go_on

    def current(self) -> str:
        return self._choice.current

    def given_up(self) -> str | None:
        return self._choice.given_up

    def with_manifest(self, sha256: str) -> str | None:
        names = installed_model_sets(self._config.models.dir)
        ordered = sorted(names, key=lambda name: name != self._choice.current)
        for name in ordered:
            with suppress(OSError):
                if sha256_of(self._config.models.dir / name / MANIFEST) == sha256:
                    return name
        return None

    def copies(self) -> Mapping[str, Path]:
        copies: dict[str, Path] = {}
        for name in installed_model_sets(self._config.models.dir):
            folder = self._config.models.dir / name
            with suppress(ModelError):
                copies.update({sha256: folder / file for file, sha256 in read_model_set(folder).files.items()})
        return copies

    def hear(self, folder: Path, beside: Path) -> Heard:
        spoken = read_model_set(folder).languages
        shared = tuple(language for language in spoken if language in read_model_set(beside).languages)
        languages = tuple(language for language in shared or spoken if language in LANGUAGES)
        return heard(folder, self._quality, self._config.engine, languages, self._make_way)

    def activate(self, name: str) -> None:
        self._wait_for(lambda reply: self._change.activate(ChangeRequest(self._runtime.new_id(), name, reply)))

    def restart(self) -> None:
        """Returns when the appliance is about to restart with the same set. Raises like `activate`."""
        self._wait_for(lambda reply: self._change.restart(self._runtime.new_id(), reply))

    def _wait_for(self, begin: Callable[[Reply], None]) -> None:
        ended: queue.SimpleQueue[Report] = queue.SimpleQueue()

        def reply(report: Report) -> None:
            if report.stage in CLOSING:
                ended.put(report)

        begin(reply)
        while True:
            self._go_on()
            with suppress(queue.Empty):
                report = ended.get(timeout=_TICK_S)
                break
        if report.stage == "interrupted":
            raise InterruptedRolloutError
        if report.stage != "done":
            raise ModelError(str(report.details.get("message", report.stage)))

    def remove(self, name: str) -> None:
        folder = self._config.models.dir / name
        if name not in (self._choice.current, self._choice.previous) and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)

    def _make_way(self, pid: int) -> None:
        """The child stands still while the device speaks."""
        self._go_on()
        state = self._runtime.events.state
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP if state.speaking is not None or state.waiting else signal.SIGCONT)
