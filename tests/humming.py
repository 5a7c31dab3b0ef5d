"""An appliance that hums against a real mosquitto, and somebody who listens."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from broker import Ear
from fakes import FakeLoudspeaker, FakeSynthesizer
from rig import no_defect

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import MqttConfig, config_from
from edge_tts.model_sets.manifest import read_model_set

PROTOCOLS = ["5", "3.1.1"]


class House:
    """An appliance that hums, and somebody who listens to its topics."""

    def __init__(self, ear: Ear, synthesizer: FakeSynthesizer, speaker: FakeLoudspeaker) -> None:
        self.ear, self.synthesizer, self.speaker = ear, synthesizer, speaker

    def say(self, **payload: Any) -> None:
        self.ear.publish("say", payload)

    def stages(self, name: str) -> list[str]:
        return [event["stage"] for event in self.ear.events() if event["id"] == name]


@contextmanager
def appliance(
    config: dict[str, Any], model: Path, synthesizer: FakeSynthesizer, speaker: FakeLoudspeaker
) -> Iterator[None]:
    """The real wiring around a fake synthesizer and a fake loudspeaker."""
    numbers = itertools.count(1)
    surroundings = Surroundings(
        load=synthesizer.loaded,
        open_loudspeaker=lambda rate: speaker,
        fatal=no_defect,
        new_id=lambda: f"auto{next(numbers)}",
    )
    with Appliance(config_from(config, folder=model.parent), read_model_set(model), surroundings):
        yield


def config_for(port: int, device: str, protocol: str = "5", **limits: int) -> dict[str, Any]:
    """The values of a configuration for a test."""
    mqtt = MqttConfig(host="127.0.0.1", port=port, protocol=protocol, reconnect_min_s=0.05, reconnect_max_s=0.1)
    return {"device": device, "mqtt": mqtt, "limits": limits}


Furnish = Callable[..., AbstractContextManager[House]]
