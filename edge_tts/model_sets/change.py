"""Changing the model set: try the other one, encode every voice for it, then ask for a fresh start with it.

The set that speaks goes on speaking meanwhile: files and engines are tried on this part's thread, voices are encoded by
the worker at low priority. Knows the order of the steps, not how they are done.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from edge_tts.errors import PayloadError, named
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.runtime.one_at_a_time import OneAtATime
from edge_tts.runtime.runtime import Runtime
from edge_tts.schema import nearest
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job import Reply, no_reply
from edge_tts.speaking.worker import Speaker, Work
from edge_tts.values import AudioChunk, Stage
from edge_tts.voices.encoding import was_put_off
from edge_tts.voices.store import EnrolledVoice

log = logging.getLogger(__name__)

_POLL_S, _AGAIN_S = 0.05, 2.0


class Candidate(Protocol):
    """A model set that is ready to speak but for the voices."""

    def missing(self) -> Sequence[EnrolledVoice]:
        """The enrolled voices that it cannot speak in yet."""

    def encoding(self, voice: EnrolledVoice) -> Work:
        """A task that changes that."""

    def check(self) -> None:
        """Raise EdgeTTSError unless there is a voice to start with."""


class ModelSets(Protocol):
    """The model sets of this device, and which of them speaks."""

    choice: ModelChoice
    """Which one speaks, and which one from the next start on."""

    def installed(self) -> list[str]:
        """All there are."""

    def trial(self, name: str, waiting: Callable[[], None]) -> AbstractContextManager[Candidate]:
        """Check every file, build and judge its engines, have it say something. `waiting` is called now and then and
        may raise to end it. Raises EdgeTTSError that says why the set cannot speak here."""

    def start_again(self) -> None:
        """Ask for that start; returns at once."""


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """Another model set shall speak."""

    id: str
    model: str
    reply: Reply = no_reply


class _Stopping(Exception):
    """The process ends; so does the change."""


class ModelChange(OneAtATime[ChangeRequest]):
    """One change at a time, on one thread. `activate` and `roll_back` only ask for it."""

    def __init__(self, *, runtime: Runtime, sets: ModelSets, internal_jobs: InternalJobs) -> None:
        busy = "another change of the model set is under way"
        # A set of gigabytes that is being read or loaded cannot be left at once.
        super().__init__(name="model-change", runtime=runtime, busy=busy, stop_timeout_s=60.0)
        self._sets, self._internal_jobs = sets, internal_jobs

    def activate(self, request: ChangeRequest, *, command: str = "models/activate") -> None:
        """Have another set speak. Raises PayloadError, or QueueFullError while a change is under way."""
        installed = self._sets.installed()
        if request.model not in installed:
            raise PayloadError(f"{command}: there is no model set '{request.model}'{nearest(request.model, installed)}")
        if request.model == self._sets.choice.current:
            raise PayloadError(f"{command}: the model set {request.model} speaks already")
        self.begin(request)

    def roll_back(self, request_id: str, reply: Reply) -> None:
        """Have the set speak that spoke before. Raises like `activate`."""
        previous = self._sets.choice.previous
        if previous is None:
            raise PayloadError(f"models/rollback: no model set spoke before {self._sets.choice.current}")
        self.activate(ChangeRequest(request_id, previous, reply), command="models/rollback")

    def show_idle(self) -> None:
        """See OneAtATime."""
        self.show()

    def forget(self) -> None:
        """See OneAtATime."""
        self._internal_jobs.forget()

    def show(self, step: str | None = None, **details: Any) -> None:
        """Put up the standing fact `models`."""
        change = None if step is None else {"step": step, **details}
        choice, installed = self._sets.choice, self._sets.installed()
        names = {"current": choice.current, "previous": choice.previous, "installed": installed}
        self.runtime.events.retain("models", {**names, "given_up": choice.given_up, "change": change})

    def serve(self, request: ChangeRequest) -> None:
        """One change from the first look at the files to the request for a fresh start; one closing report."""

        def report(stage: Stage, details: Mapping[str, Any]) -> None:
            self.report(request, stage, details)

        report("accepted", {})
        report("started", {"model": request.model})
        try:
            left = self._prepare(request.model)
            self._sets.choice.choose(request.model)
        except _Stopping:
            report("interrupted", {"reason": "shutdown"})
        except Exception as trouble:  # noqa: BLE001 - the files of a set can make anything of it raise
            error = named(trouble, request.id)
            log.error("the model set stays %s: %s", self._sets.choice.current, error)
            report("failed", {"error": type(error).__name__, "message": str(error)})
        else:
            self._hand_over()
            report("done", {"model": request.model, "unready": left})
            self._sets.start_again()

    def _prepare(self, model: str) -> list[str]:
        """Everything but the change itself; the ids of the voices that cannot be encoded for the set."""
        self.show("trying", model=model)
        with self._sets.trial(model, self._give_up_when_stopping) as candidate:
            left = self._encode_all(model, candidate)
            candidate.check()
            return left

    def _encode_all(self, model: str, candidate: Candidate) -> list[str]:
        """Encode one voice after the other, also those that are enrolled meanwhile."""
        failed: list[str] = []
        while waiting := [voice for voice in candidate.missing() if voice.ref.id not in failed]:
            self.show("encoding", model=model, voice=waiting[0].ref.id, left=len(waiting))
            job_id = self._internal_jobs.do(candidate.encoding(waiting[0]), priority="low")
            report = self._internal_jobs.wait(job_id, self.stopping)
            self._give_up_when_stopping()
            if report is None or was_put_off(report):
                self.stopping.wait(_AGAIN_S)
            elif report.stage != "done":
                log.warning("%s cannot be encoded for %s: %s", waiting[0].ref.id, model, report.details.get("message"))
                failed.append(waiting[0].ref.id)
        return failed

    def _hand_over(self) -> None:
        """Wait until whatever was in line before has been said and nobody is being enrolled, then keep the line: the
        fresh start cuts off no sentence and loses no recording."""
        begun = threading.Event()

        def hold(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            begun.set()
            while not should_stop() and not self.stopping.wait(_POLL_S):
                pass
            yield from ()

        while not begun.is_set() and not self.stopping.is_set():
            if self.runtime.events.retained().get("enrolment", {}).get("step", "idle") != "idle":
                self.stopping.wait(_AGAIN_S)
                continue
            held = self._internal_jobs.do(hold)
            while not begun.wait(_POLL_S) and not self.stopping.is_set() and self._internal_jobs.ended(held) is None:
                pass
            if not begun.is_set():  # `stop`, or a full line: it was not meant for us
                self.stopping.wait(_AGAIN_S)

    def _give_up_when_stopping(self) -> None:
        if self.stopping.is_set():
            raise _Stopping
