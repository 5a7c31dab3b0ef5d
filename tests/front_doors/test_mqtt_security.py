"""Passwords and encryption, against a mosquitto that asks for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from broker import Broker, make_certificate, write_password_file
from fakes import FakeClock, until
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from rig import DeafDispatcher, make_runtime

from edge_tts.config import MqttConfig
from edge_tts.errors import TransportError
from edge_tts.front_doors.mqtt.client import make_client
from edge_tts.front_doors.mqtt.link import MqttLink


def link(port: int, **settings: object) -> MqttLink:
    """A link that nobody talks to."""
    config = MqttConfig(host="127.0.0.1", port=port, reconnect_min_s=0.05, reconnect_max_s=0.1, **settings)
    return MqttLink(runtime=make_runtime(), config=config, device="safe", dispatcher=DeafDispatcher())


def log_line(caplog: pytest.LogCaptureFixture, text: str) -> Callable[[], bool]:
    """Whether a line with that text has been logged."""
    return lambda: any(text in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_password_is_read_from_its_file(tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str) -> None:
    """With the right password the link is up; with a wrong one it logs the refusal, keeps trying and harms nobody."""
    caplog.set_level("INFO")
    write_password_file(tmp_path / "users", house="right")
    for word in ("right", "wrong"):
        (tmp_path / word).write_text(f"{word}\n")
    access = {"username": "house", "protocol": protocol}
    with Broker(tmp_path, settings=f"allow_anonymous false\npassword_file {tmp_path}/users") as broker:
        with link(broker.port, password_file=str(tmp_path / "wrong"), **access):
            until(log_line(caplog, "refuses us: Not authorized"))
        with link(broker.port, password_file=str(tmp_path / "right"), **access):
            until(log_line(caplog, "connected to"))


def test_a_missing_password_file_is_named() -> None:
    """The link does not start without the password it was told to use."""
    with pytest.raises(TransportError, match=r"mqtt\.password_file: .*No such file.*/nowhere"):
        link(1883, username="house", password_file="/nowhere")


def test_the_brokers_certificate_is_checked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With the authority that signed it the link is up and encrypted; with another one it stays away."""
    caplog.set_level("INFO")
    for name in ("broker", "stranger"):
        make_certificate(tmp_path, name)
    settings = f"allow_anonymous true\ncertfile {tmp_path}/broker.crt\nkeyfile {tmp_path}/broker.key"
    with Broker(tmp_path, settings=settings) as broker:
        with link(broker.port, tls=True, ca_file=str(tmp_path / "stranger.crt")):
            until(log_line(caplog, "CERTIFICATE_VERIFY_FAILED"))
        assert not log_line(caplog, "connected to")()
        with link(broker.port, tls=True, ca_file=str(tmp_path / "broker.crt")):
            until(log_line(caplog, "connected to"))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"ca_file": "text"}, r"mqtt\.ca_file: .*/text cannot be used"),
        ({"ca_file": "nowhere"}, r"mqtt\.ca_file: .*/nowhere cannot be read \(No such file"),
        ({"ca_file": "empty"}, r"mqtt\.ca_file: .*/empty cannot be used"),
        ({"cert_file": "text", "key_file": "one.key"}, r"mqtt\.cert_file: .*/text cannot be used"),
        ({"cert_file": "one.crt", "key_file": "text"}, r"mqtt\.key_file: .*/text cannot be used"),
        ({"cert_file": "one.crt", "key_file": "two.key"}, r"mqtt\.key_file: .*/two.key cannot be used"),
        ({"cert_file": "one.crt"}, r"mqtt\.cert_file: .*/one.crt cannot be used"),
        ({"key_file": "one.key"}, r"mqtt\.key_file: a key needs its certificate"),
    ],
)
def test_unusable_certificates_are_named(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    """The file that is wrong stops the start with a TransportError that names it, and its key."""
    for name in ("one", "two"):
        make_certificate(tmp_path, name)
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "empty").touch()
    with pytest.raises(TransportError, match=named):
        link(1883, tls=True, **{key: str(tmp_path / name) for key, name in settings.items()})


def test_a_password_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    """Some editors write one; it is not part of the password. What is no text is named."""
    file = tmp_path / "password"
    file.write_bytes(b"\xef\xbb\xbfright\r\n")
    config = MqttConfig(username="house", password_file=file)
    assert make_client(config, "safe").password == "right"
    file.write_bytes(b"\xff\xfer\0")
    with pytest.raises(TransportError, match=r"mqtt\.password_file: .*/password is not UTF-8"):
        make_client(config, "safe")


def test_a_tls_port_is_guessed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who speaks plain MQTT to a TLS port, or TLS to a plain one, is asked whether that is so."""
    make_certificate(tmp_path, "broker")
    settings = f"allow_anonymous true\ncertfile {tmp_path}/broker.crt\nkeyfile {tmp_path}/broker.key"
    with Broker(tmp_path, settings=settings) as broker, link(broker.port):
        until(log_line(caplog, "is this a TLS port"))
    with Broker(tmp_path) as broker, link(broker.port, tls=True, ca_file=str(tmp_path / "broker.crt")):
        until(lambda: log_line(caplog, "port without TLS")() or log_line(caplog, "speak MQTT over TLS?")())


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_clash_of_names_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str) -> None:
    """Two clients with one name throw each other out: from the second loss within seconds on, the log names it."""
    with Broker(tmp_path) as broker, link(broker.port, protocol=protocol), link(broker.port, protocol=protocol):
        until(log_line(caplog, "another client seems to use the name edge-tts-safe"))


def test_the_way_back_is_jittered_and_grows() -> None:
    """Waiting times double up to the maximum, drawn from their upper half so that devices do not return in step."""
    draws = iter([0.0, 1.0, 0.5, 0.0])
    one = MqttLink(
        runtime=make_runtime(),
        config=MqttConfig(reconnect_min_s=1.0, reconnect_max_s=4.0),
        device="safe",
        dispatcher=DeafDispatcher(),
        jitter=lambda: next(draws),
    )
    assert [one._next_delay_s() for _ in range(4)] == [0.5, 2.0, 3.0, 2.0]


def test_only_a_connection_that_lasts_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Welcomed and thrown out again at once, the link waits longer each time; after a connection that outlasted the
    longest wait it begins with the shortest."""
    clock, waits = FakeClock(), list[float]()
    one = MqttLink(
        runtime=make_runtime(clock=clock),
        config=MqttConfig(reconnect_min_s=1.0, reconnect_max_s=8.0),
        device="safe",
        dispatcher=DeafDispatcher(),
        jitter=lambda: 1.0,
    )
    lasting = iter([0.1, 0.1, 0.1, 8.1, 0.1])

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            if len(waits) == 5:
                self.set()
            return self.is_set()

    def connection() -> None:
        one._on_connect(one._client, None, None, ReasonCode(PacketTypes.CONNACK), None)
        clock.now += next(lasting)

    one.stopping = Impatient()
    monkeypatch.setattr(one, "_connect", lambda: True)
    monkeypatch.setattr(one, "_run_loop", connection)
    one.work()
    assert waits == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_topics_that_the_broker_refuses_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """A SUBACK that refuses some of our topics is in the log with its reason, instead of silence on them."""
    one = MqttLink(runtime=make_runtime(), config=MqttConfig(), device="safe", dispatcher=DeafDispatcher())
    answers = [ReasonCode(PacketTypes.SUBACK, identifier=code) for code in (1, 0x87)]
    one._on_subscribe(one._client, None, 1, answers, None)
    assert "refuses 1 of 2 topics to us (Not authorized)" in caplog.text
