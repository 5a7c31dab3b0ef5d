"""The daemon publishes how its device does, and who runs its networks, as retained facts on a real broker."""

from __future__ import annotations

import json
from pathlib import Path

from broker import Broker, Ear
from fakes import FakeLoudspeaker, FakeSynthesizer
from orin import tree
from rig import no_defect
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import config_from
from edge_tts.engine.load import Placement
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.runtime.telemetry import TelemetryReader, read_files


def test_state_and_engines_are_published(broker: Broker, tmp_path: Path) -> None:
    """`state` carries telemetry with what slows the device down, `engines` who runs each graph and why."""
    values = {"device": "warm", "mqtt": {"host": "127.0.0.1", "port": broker.port}}
    device = tree(tmp_path / "device", max_freq="612000000")
    model = read_model_set(write_model_set(tmp_path / "models" / "toy"))
    surroundings = Surroundings(
        load=FakeSynthesizer().loaded,
        open_loudspeaker=FakeLoudspeaker,
        fatal=no_defect,
        placements=lambda: [Placement("wave", "CPUExecutionProvider", "the build failed")],
        telemetry=TelemetryReader(root=device, find_jtop=lambda: None),
    )
    with (
        Ear(broker, "edge-tts/warm") as ear,
        Appliance(config_from(values, folder=tmp_path), model, surroundings),
    ):
        engines = json.loads(ear.wait_topic("engines"))["engines"]
        assert engines == [{"graph": "wave", "runs_on": "CPUExecutionProvider", "reason": "the build failed"}]
        ear.wait_topic("status", "online")
        seen = ear.wait_state(telemetry=read_files(device).as_state())["telemetry"]
        assert seen["power_mode"] == "MAXN"
        assert seen["gpu_load_percent"] == 40
        assert "612 of 1300 MHz" in seen["throttles"][0]
