"""Two daemons share a bucket: what is enrolled, renamed or deleted on one is so on the other, told over MQTT."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from broker import Broker, Ear
from enrolled import new_voice, open_store
from fakes import FakeLoudspeaker, FakeSynthesizer
from rig import no_defect
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import config_from
from edge_tts.model_sets.manifest import read_model_set


@contextmanager
def room(folder: Path, broker: Broker) -> Iterator[Ear]:
    """A daemon with a toy model set, and somebody who listens to it; its bucket lies beside its folder."""
    model = folder / "models" / "toy"
    if not model.exists():
        write_model_set(model)
    values = {
        "device": folder.name,
        "mqtt": {"host": "127.0.0.1", "port": broker.port, "reconnect_min_s": 0.05, "reconnect_max_s": 0.1},
        "bucket": {"url": "../bucket", "interval_s": 1.0},
    }
    surroundings = Surroundings(load=FakeSynthesizer().loaded, open_loudspeaker=FakeLoudspeaker, fatal=no_defect)
    with (
        Ear(broker, f"edge-tts/{folder.name}") as ear,
        Appliance(config_from(values, folder=folder), read_model_set(model), surroundings),
    ):
        yield ear


def wait_fact(ear: Ear, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The standing fact `voices`, as soon as it is as wanted."""

    def found() -> dict[str, Any] | None:
        facts = [json.loads(payload) for payload in ear.on("voices")]
        return next((fact for fact in reversed(facts) if holds(fact)), None)

    fact: dict[str, Any] = ear.wait_for(found)
    return fact


def is_well(sync: dict[str, Any]) -> bool:
    """Not one that had to wait for the other daemon's turn and is tried again."""
    return sync["status"] in ("running", "done")


def unready(fact: dict[str, Any]) -> set[str]:
    """Ids of the voices that cannot speak yet."""
    return {voice["id"] for voice in fact["unready"]}


def test_two_daemons_agree(tmp_path: Path, broker: Broker) -> None:
    """Each tells of the voices of both, and of the sync; one deleted on the other device is gone here too."""
    voice = open_store(tmp_path / "shared-a" / ".state" / "voices", device="shared-a").add(new_voice())
    other = open_store(tmp_path / "shared-b" / ".state" / "voices", device="shared-b").add(new_voice(2, name="Bert"))
    both = {voice.ref.id, other.ref.id}
    with ExitStack() as stack:
        first, second = (stack.enter_context(room(tmp_path / name, broker)) for name in ("shared-a", "shared-b"))
        for ear in (first, second):
            fact = wait_fact(ear, lambda fact: unready(fact) == both and bool(fact["sync"]) and is_well(fact["sync"]))
            assert fact["sync"]["bucket"] == str(tmp_path / "bucket")
        open_store(tmp_path / "shared-b" / ".state" / "voices", device="shared-b").delete(voice.ref)
        for ear in (first, second):
            ear.messages.clear()
            wait_fact(ear, lambda fact: unready(fact) == {other.ref.id})
    assert not list(tmp_path.rglob(f"{voice.ref.id}/*.flac"))
    assert len(list(tmp_path.glob("bucket/v1/anna/*/card"))) == 1
