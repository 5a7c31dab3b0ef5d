"""The thread that looks, the child that tries a set, and what they cost the device: nothing that is said."""

from __future__ import annotations

import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fakes import WAIT_S, until
from rig import make_runtime

from edge_tts.config import EngineConfig, config_from
from edge_tts.errors import EdgeTTSError, FleetError, ModelError, PayloadError, TransportError
from edge_tts.fleet.agent import FleetAgent, Shows
from edge_tts.fleet.device_sets import DeviceSets
from edge_tts.fleet.hearing import SENTENCES, Heard, fault_of, heard
from edge_tts.fleet.release import Terms
from edge_tts.fleet.reports import ReleaseStatus
from edge_tts.fleet.rollout import InterruptedRolloutError
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.text.front_end import TextFrontEnd

OFFER = ReleaseStatus(stage="offered", set="mine-1", number=1)


class FakeMember:
    """Ends each round as the test wants, and remembers whether it was asked to install."""

    def __init__(self) -> None:
        self.endings: queue.SimpleQueue[EdgeTTSError | None] = queue.SimpleQueue()
        self.rounds: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.agent: Shows | None = None

    def begin(self) -> None: ...

    def round(self, bucket: object, *, asked: bool, overlay_asked: bool) -> None:
        ending = None if self.endings.empty() else self.endings.get()
        self.rounds.put(asked)
        if ending is not None:
            raise ending
        assert self.agent is not None
        self.agent.show_release(OFFER)


@contextmanager
def agent(member: FakeMember) -> Iterator[FleetAgent]:
    """One that looks once an hour, or sooner when it is asked."""

    def make(agent: Shows) -> Any:
        member.agent = agent
        return member

    @contextmanager
    def bucket(abandon: Callable[[], bool]) -> Iterator[Any]:
        yield None

    part = FleetAgent(runtime=make_runtime(), make_member=make, open_bucket=bucket, interval_s=3600.0, random=Random(1))
    with part:
        yield part


def test_what_is_offered_is_installed_on_demand() -> None:
    """By its name or without one; another name, and nothing on offer, are refused with what there is."""
    member = FakeMember()
    with agent(member) as part:
        assert member.rounds.get(timeout=WAIT_S) is False
        until(lambda: part.runtime.events.retained()["release"]["stage"] == "offered")
        with pytest.raises(PayloadError, match="'other-2' is not on offer, mine-1 is"):
            part.install("other-2")
        part.install("mine-1")
        assert member.rounds.get(timeout=WAIT_S) is True
        part.show_release(ReleaseStatus())
        with pytest.raises(PayloadError, match="no release is on offer"):
            part.install("")
        with pytest.raises(PayloadError, match="no configuration is on offer"):
            part.apply_overlay()


@pytest.mark.parametrize("error", [FleetError("replayed"), TransportError("away")])
def test_trouble_with_the_bucket_is_shown_and_passes(error: EdgeTTSError) -> None:
    """In the health of the part `fleet`, and in nothing else."""
    member = FakeMember()
    member.endings.put(error)
    with agent(member) as part:
        health = part.runtime.events
        member.rounds.get(timeout=WAIT_S)
        until(lambda: health.state.health["fleet"].status == "failing")
        assert health.state.health["fleet"].why == str(error)
        part.show_release(OFFER)
        part.install("")
        member.rounds.get(timeout=WAIT_S)
        until(lambda: health.state.health["fleet"].status == "ok")


def heard_as(**changes: Any) -> Heard:
    return Heard.model_validate({"mos": 3.0, "guard": 1, "silent": 0, "p95_s": 0.5, "sentences": 20, **changes})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"mos": 2.86}, ""),
        ({"mos": 2.8}, "DNSMOS 2.80, the set that speaks has 3.00"),
        ({"guard": 3}, ""),
        ({"guard": 4}, "the guard acted 4 times, with the set that speaks 1 times"),
        ({"silent": 1, "mos": 5.0}, "1 of 20 sentences have no sound"),
    ],
)
def test_a_set_is_compared_with_the_one_that_speaks(changes: dict[str, Any], fault: str) -> None:
    """By DNSMOS, by what the guard had to do, and by silence."""
    assert fault_of(heard_as(**changes), heard_as(), Terms(share=1.0, not_before=0.0, expires=1.0)) == fault


def test_twenty_sentences_can_be_said() -> None:
    """In each language, all different, and the front end reads them."""
    front_end = TextFrontEnd()
    for language, sentences in SENTENCES.items():
        assert len(set(sentences)) == 20
        assert all(front_end.segments(text, language) for text in sentences)


def test_the_childs_last_words_are_the_reason(tmp_path: Path) -> None:
    """A folder that is no set costs the child."""
    with pytest.raises(ModelError, match=r"manifest\.json"):
        heard(tmp_path, tmp_path, EngineConfig(), ("en",), lambda pid: None)


def test_a_trial_stands_still_while_the_device_speaks(tmp_path: Path) -> None:
    """And goes on afterwards; a stop of the device ends it."""
    runtime, stopping = make_runtime(), list[bool]()

    def go_on() -> None:
        if stopping:
            raise InterruptedRolloutError

    unused: Any = None
    sets = DeviceSets(
        config=config_from({}, folder=tmp_path),
        runtime=runtime,
        choice=ModelChoice(tmp_path / "model.json", configured="starter"),
        change=unused,
        quality=tmp_path,
        go_on=go_on,
    )
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        try:
            for speaking, states in (("a", "T"), (None, "SR")):
                runtime.events.update(speaking=speaking)
                sets._make_way(child.pid)
                until(lambda states=states: _state(child.pid) in states)
            stopping.append(True)
            with pytest.raises(InterruptedRolloutError):
                sets._make_way(child.pid)
        finally:
            child.kill()


def _state(pid: int) -> str:
    """As the kernel tells it: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
