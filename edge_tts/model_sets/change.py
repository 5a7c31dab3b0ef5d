"""Changing the model set: try the new one, encode every voice for it, then restart with it.

The current set goes on speaking: the trial runs on this thread, voices are encoded by the worker at low priority.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from edge_tts.errors import PayloadError, named
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.runtime.one_at_a_time import OneAtATime
from edge_tts.runtime.runtime import Runtime
from edge_tts.schema import nearest
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job import Reply, no_reply
from edge_tts.speaking.on_demand import Speaker
from edge_tts.speaking.worker import Work
from edge_tts.values import AudioChunk, Stage
from edge_tts.voices.encoding import was_put_off
from edge_tts.voices.store import EnrolledVoice

log = logging.getLogger(__name__)

_POLL_S, _RETRY_S = 0.05, 2.0


class Candidate(Protocol):
    """A model set that has passed its trial."""

    def missing(self) -> Sequence[EnrolledVoice]:
        """The enrolled voices without features for the set."""

    def encoding(self, voice: EnrolledVoice) -> Work:
        """Work that encodes the voice."""

    def check(self) -> None:
        """Raise EdgeTTSError unless it has a default voice."""


class ModelSets(Protocol):
    """The model sets of this device."""

    choice: ModelChoice

    def installed(self) -> list[str]:
        """Their names."""

    def newest(self) -> str | None:
        """The one that was installed last, unless it was given up."""

    def trial(self, name: str, waiting: Callable[[], None]) -> AbstractContextManager[Candidate]:
        """Verify the files, build and check the engines, and speak a phrase.

        `waiting` is called regularly and may raise to cancel. Raises EdgeTTSError when the set cannot speak here.
        """

    def restart(self) -> None:
        """Request a restart of the process; returns at once."""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    id: str
    model: str
    reply: Reply = no_reply


class _Stopping(Exception):
    """The process stops."""


class ModelChange(OneAtATime[ChangeRequest]):
    """One change at a time, on its own thread."""

    def __init__(self, *, runtime: Runtime, sets: ModelSets, internal_jobs: InternalJobs) -> None:
        busy = "another change of the model set is under way"
        # Reading or loading gigabytes cannot be interrupted at once.
        super().__init__(name="model-change", runtime=runtime, busy=busy, stop_timeout_s=60.0)
        self._sets, self._internal_jobs = sets, internal_jobs
        self._shown: dict[str, Any] = {}

    def activate(self, request: ChangeRequest, *, command: str = "models/activate") -> None:
        """Queue a change. Raises PayloadError, or QueueFullError during a change."""
        installed = self._sets.installed()
        if request.model not in installed:
            raise PayloadError(f"{command}: there is no model set '{request.model}'{nearest(request.model, installed)}")
        if request.model == self._sets.choice.current:
            raise PayloadError(f"{command}: the model set {request.model} speaks already")
        self.begin(request)

    def roll_back(self, request_id: str, reply: Reply) -> None:
        """Queue a change to the previous set. Raises like `activate`."""
        previous = self._sets.choice.previous
        if previous is None:
            raise PayloadError(f"models/rollback: no model set spoke before {self._sets.choice.current}")
        self.activate(ChangeRequest(request_id, previous, reply), command="models/rollback")

    def restart(self, request_id: str, reply: Reply) -> None:
        """Queue a restart with the same set, when nothing is being said. Raises QueueFullError during a change."""
        self.begin(ChangeRequest(request_id, self._sets.choice.current, reply))

    def show_idle(self) -> None:
        self.show()

    def idle(self) -> None:
        with suppress(OSError):  # the folder cannot be read just now
            if self._names() != self._shown:  # a set was installed or removed
                self.show()

    def forget(self) -> None:
        self._internal_jobs.forget()

    def show(self, step: str | None = None, **details: Any) -> None:
        """Publish the retained topic `models`."""
        self._shown = self._names()
        change = None if step is None else {"step": step, **details}
        self.runtime.events.retain("models", {**self._shown, "change": change})

    def _names(self) -> dict[str, Any]:
        choice = self._sets.choice
        return {
            "current": choice.current,
            "previous": choice.previous,
            "installed": self._sets.installed(),
            "newest": self._sets.newest(),
            "given_up": choice.given_up,
        }

    def serve(self, request: ChangeRequest) -> None:
        """One change, up to the restart; one closing report."""

        def report(stage: Stage, details: Mapping[str, Any]) -> None:
            self.report(request, stage, details)

        report("accepted", {})
        report("started", {"model": request.model})
        try:
            unready: list[str] = []
            if request.model != self._sets.choice.current:
                unready = self._prepare(request.model)
                self._sets.choice.choose(request.model)
        except _Stopping:
            report("interrupted", {"reason": "shutdown"})
        except Exception as unexpected:  # noqa: BLE001 - damaged files of a set can raise anything
            error = named(unexpected, request.id)
            log.error("the model set stays %s: %s", self._sets.choice.current, error)
            report("failed", {"error": type(error).__name__, "message": str(error)})
        else:
            self._hand_over()
            report("done", {"model": request.model, "unready": unready})
            self._sets.restart()

    def _prepare(self, model: str) -> list[str]:
        """Returns the ids of the voices that cannot be encoded."""
        self.show("trying", model=model)
        with self._sets.trial(model, self._raise_when_stopping) as candidate:
            failed = self._encode_all(model, candidate)
            candidate.check()
            return failed

    def _encode_all(self, model: str, candidate: Candidate) -> list[str]:
        """Also voices enrolled meanwhile. Returns the ids of those that failed."""
        failed: list[str] = []
        while waiting := [voice for voice in candidate.missing() if voice.ref.id not in failed]:
            self.show("encoding", model=model, voice=waiting[0].ref.id, left=len(waiting))
            job_id = self._internal_jobs.do(candidate.encoding(waiting[0]), priority="low")
            report = self._internal_jobs.wait(job_id, self.stopping)
            self._raise_when_stopping()
            if report is None or was_put_off(report):
                self.stopping.wait(_RETRY_S)
            elif report.stage != "done":
                log.warning("%s cannot be encoded for %s: %s", waiting[0].ref.id, model, report.details.get("message"))
                failed.append(waiting[0].ref.id)
        return failed

    def _hand_over(self) -> None:
        """Wait for the queue and an enrolment to end, then block the worker: the restart must not cut off a sentence or
        lose a recording."""
        blocking = threading.Event()

        def block(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            blocking.set()
            while not should_stop() and not self.stopping.wait(_POLL_S):
                pass
            yield from ()

        while not blocking.is_set() and not self.stopping.is_set():
            if self.runtime.events.retained().get("enrolment", {}).get("step", "idle") != "idle":
                self.stopping.wait(_RETRY_S)
                continue
            job_id = self._internal_jobs.do(block)
            while (
                not blocking.wait(_POLL_S) and not self.stopping.is_set() and self._internal_jobs.ended(job_id) is None
            ):
                pass
            if not blocking.is_set():  # ended by a `stop` command or a full queue
                self.stopping.wait(_RETRY_S)

    def _raise_when_stopping(self) -> None:
        if self.stopping.is_set():
            raise _Stopping
