"""A runtime for tests, and what most of them put around it: queue, player and worker over stand-ins."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fakes import WAIT_S, FakeClock, FakeLoudspeaker, FakeSynthesizer, Notes, silent_voice

from edge_tts.front_doors.message import Message
from edge_tts.request import SpeakRequest
from edge_tts.runtime.event_bus import EventBus, State
from edge_tts.runtime.health import Health
from edge_tts.runtime.runtime import Fatal, Runtime
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job import Job
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Envelope
from edge_tts.speaking.on_demand import OnDemandNetworks
from edge_tts.speaking.phrase_cache import PhraseCache
from edge_tts.speaking.player import Player
from edge_tts.speaking.worker import Worker
from edge_tts.values import Voice


def no_defect(part: str, error: BaseException) -> None:
    """Nothing in a test may end the process unless it is meant to."""
    pytest.fail(f"{part}: {error!r}")


class CountingHealth(Health):
    """Counts the pulses of every part."""

    def __init__(self, *, stall_s: float, clock: Callable[[], float]) -> None:
        super().__init__(stall_s=stall_s, clock=clock)
        self.pulses: Counter[str] = Counter()

    def pulse(self, name: str) -> Callable[[], None]:
        beat = super().pulse(name)

        def count() -> None:
            self.pulses[name] += 1
            beat()

        return count


def make_runtime(
    *listeners: Any,
    clock: Callable[[], float] | None = None,
    fatal: Fatal = no_defect,
    ids: str = "auto",
    voice: str = "hum",
) -> Runtime:
    """One whose clock stands still, whose ids are counted and whose events the listeners hear."""
    events, numbers, clock = EventBus(state=State(voice=voice)), itertools.count(1), clock or FakeClock()
    for listener in listeners:
        events.subscribe(listener)
    health = CountingHealth(stall_s=60.0, clock=clock)
    return Runtime(clock=clock, new_id=lambda: f"{ids}{next(numbers)}", fatal=fatal, events=events, health=health)


def sentence(name: str, text: str = "text", **keys: Any) -> SpeakRequest:
    """A request of that id."""
    return SpeakRequest.model_validate({"text": text, "id": name, "voice": "hum", **keys})


class DeafDispatcher:
    """What a link is handed that nobody talks to."""

    commands = ("say",)

    def handle(self, message: Message) -> None: ...


class Rig:
    """Queue, player and worker, not started; what they report is in `notes`."""

    def __init__(
        self,
        *,
        capacity: int = 8,
        synthesizer: FakeSynthesizer | None = None,
        voice: Callable[[str], Voice] = silent_voice,
        fatal: Fatal = no_defect,
        unload_after_s: float | None = None,
        phrases: PhraseCache | None = None,
        side_by_side: int = 1,
    ) -> None:
        self.notes, self.clock, self.loudspeaker = Notes(), FakeClock(), FakeLoudspeaker()
        self.synthesizer = synthesizer or FakeSynthesizer()
        self.runtime = make_runtime(self.notes, clock=self.clock, fatal=fatal)
        self.events = self.runtime.events
        self.unloaded = threading.Event()
        self.jobs = JobQueue(runtime=self.runtime, capacity=capacity)
        self.player = Player(runtime=self.runtime, open_loudspeaker=lambda rate: self.loudspeaker)
        networks = OnDemandNetworks(
            runtime=self.runtime,
            load=self.synthesizer.loaded,
            unload_after_s=unload_after_s,
            unloaded=self.unloaded.set,
        )
        self.worker = Worker(
            runtime=self.runtime,
            networks=networks,
            voice=voice,
            jobs=self.jobs,
            phrases=phrases,
            side_by_side=side_by_side,
        )

    def say(self, name: str, text: str = "text", **keys: Any) -> None:
        """Queue a sentence for the loudspeaker."""
        self.jobs.submit(Job(sentence(name, text, **keys), sink=self.player, envelope=Envelope()))

    def internal_jobs(self, min_volume: float = 0.0) -> InternalJobs:
        """Jobs of the appliance's own."""
        return InternalJobs(runtime=self.runtime, jobs=self.jobs, sink=self.player, min_volume=min_volume)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Player and worker, until the block ends."""
        with self.player, self.worker:
            yield
            self.jobs.close(timeout_s=WAIT_S)
