"""What is open when a daemon says that it is there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from broker import WAIT_S, Broker, Ear, free_port
from fakes import FakeLoudspeaker, FakeSynthesizer
from rig import no_defect
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import config_from
from edge_tts.front_doors.mqtt.link import MqttLink
from edge_tts.model_sets.manifest import read_model_set


def test_online_means_that_every_door_is_open(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP and Wyoming take connections before the broker is told `online`: a link that was delivered before a restart
    is never refused by a device that is there again."""
    ports, open_ports = {"http": free_port(), "wyoming": free_port()}, []
    connect = MqttLink.__enter__

    def watched(link: MqttLink) -> MqttLink:
        for port in ports.values():
            socket.create_connection(("127.0.0.1", port), WAIT_S).close()
            open_ports.append(port)
        return connect(link)

    monkeypatch.setattr(MqttLink, "__enter__", watched)
    write_model_set(tmp_path / "toy")
    doors = {door: {"port": port} for door, port in ports.items()}
    config = config_from(
        {"device": "starting", "mqtt": {"host": "127.0.0.1", "port": broker.port}, **doors}, folder=tmp_path
    )
    surroundings = Surroundings(load=FakeSynthesizer().loaded, open_loudspeaker=FakeLoudspeaker, fatal=no_defect)
    with Ear(broker, "edge-tts/starting") as ear, Appliance(config, read_model_set(tmp_path / "toy"), surroundings):
        ear.wait_topic("status", "online")
    assert open_ports == list(ports.values())
