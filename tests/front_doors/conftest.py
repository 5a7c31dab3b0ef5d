"""Houses with a humming appliance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Broker, Ear
from fakes import FakeLoudspeaker, FakeSynthesizer
from humming import Furnish, House, appliance, config_for
from toy_model_sets import write_model_set


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model set on disk with the voices `hum` and `buzz`."""
    return write_model_set(tmp_path / "models" / "toy", voices=("hum", "buzz"))


@pytest.fixture
def furnish(broker: Broker, model: Path, request: pytest.FixtureRequest) -> Furnish:
    """Makes a house; each test is a device of its own."""

    @contextmanager
    def make(protocol: str = "5", **limits: int) -> Iterator[House]:
        device = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
        synthesizer, speaker = FakeSynthesizer(), FakeLoudspeaker()
        with Ear(broker, f"edge-tts/{device}", v5=protocol == "5") as ear:
            try:
                with appliance(config_for(broker.port, device, protocol, **limits), model, synthesizer, speaker):
                    ear.wait_topic("status", "online")
                    yield House(ear, synthesizer, speaker)
                # The last thing a daemon says: so all that it said is there for whoever asks afterwards.
                assert ear.wait_for(lambda: (f"{ear.base}/status", "offline", False) in ear.messages)
            finally:
                speaker.release()
                synthesizer.gate.set()

    return make
