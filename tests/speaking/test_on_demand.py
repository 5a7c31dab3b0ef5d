"""Networks that sleep: unloaded when idle, back on demand, and what is in the phrase cache does not wake them."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fakes import FakeSynthesizer
from rig import Rig

from edge_tts.errors import ModelError


class Counting(FakeSynthesizer):
    """Makes networks anew each time they are loaded, which takes 2.5 s."""

    def __init__(self) -> None:
        super().__init__()
        self.rig: Rig | None = None
        self.alive: list[weakref.ref[FakeSynthesizer]] = []
        self.closed = 0
        self.broken = False

    @contextmanager
    def loaded(self) -> Iterator[FakeSynthesizer]:
        if self.broken:
            raise ModelError("wave.onnx is gone")
        assert self.rig is not None
        self.rig.clock.now += 2.5
        networks = FakeSynthesizer()
        self.alive.append(weakref.ref(networks))
        yield networks
        del networks
        self.closed += 1


def rig(**keys: Any) -> tuple[Rig, Counting]:
    """One whose networks leave after a minute."""
    synthesizer = Counting()
    made = Rig(synthesizer=synthesizer, unload_after_s=60, **keys)
    synthesizer.rig = made
    return made, synthesizer


def sleep(it: Rig) -> None:
    """Let a minute pass, and wait until the networks have left."""
    it.unloaded.clear()
    it.clock.now += 61
    it.notes.wait_fact("state", lambda state: state["networks"] == "unloaded")


def test_idle_networks_leave_and_come_back() -> None:
    """After a minute nothing refers to them any more; the next request loads them again, and `state` tells both and
    how long that took."""
    it, networks = rig()
    with it.running():
        it.notes.wait_fact("state", lambda state: (state["networks"], state["cold_start_s"]) == ("loaded", 2.5))
        it.say("a")
        it.notes.wait("a", "done")
        sleep(it)
        assert it.unloaded.is_set()
        gc.collect()
        assert (networks.closed, [ref() for ref in networks.alive]) == (1, [None])
        it.say("b")
        it.notes.wait("b", "done")
        assert it.events.state.networks == "loaded"
    states = [state["networks"] for topic, state in it.notes.retained if topic == "state"]
    assert states[states.index("unloaded") :].index("loading") > 0
    assert (len(networks.alive), networks.closed) == (2, 2)


def test_use_keeps_them() -> None:
    """A minute counts from the end of the last use, not from the load."""
    it, networks = rig()
    with it.running():
        for name in ("a", "b", "c"):
            it.clock.now += 50
            it.say(name)
            it.notes.wait(name, "done")
        assert it.events.state.networks == "loaded"
    assert len(networks.alive) == 1


def test_without_a_limit_they_stay() -> None:
    """By default nothing is ever unloaded."""
    it = Rig()
    with it.running():
        it.clock.now += 1e9
        it.say("a")
        it.notes.wait("a", "done")
        it.worker._networks.unload_if_idle()
        assert it.events.state.networks == "loaded"


def test_networks_that_cannot_come_back_cost_one_request() -> None:
    """It fails by name, and the next request tries again."""
    it, networks = rig()
    with it.running():
        sleep(it)
        networks.broken = True
        it.say("a")
        assert it.notes.wait("a", "failed").details["error"] == "ModelError"
        assert it.events.state.networks == "unloaded"
        networks.broken = False
        it.say("b")
        it.notes.wait("b", "done")
