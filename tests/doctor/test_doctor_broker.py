"""doctor asks the broker what the daemon will need of it, as the daemon does, and says which step fails."""

from __future__ import annotations

import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Ear, free_port, make_certificate, write_password_file
from fakes import WAIT_S

from edge_tts.config import Config, MqttConfig
from edge_tts.doctor.broker import check_broker
from edge_tts.doctor.findings import Finding
from edge_tts.front_doors.mqtt.session import ClashNote

PROTOCOLS = ["5", "3.1.1"]
BASE = "edge-tts/kitchen"
PLUGINS = "/usr/lib:/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu:/usr/local/lib"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker on a busy machine is no broker that is away."""
    monkeypatch.setattr("edge_tts.doctor.broker.TIMEOUT_S", WAIT_S)


def findings(port: int, **settings: Any) -> list[Finding]:
    """What is found about the broker at that port."""
    mqtt = MqttConfig(host="127.0.0.1", port=port, **settings)
    return list(check_broker(Config(device="kitchen", state_dir=Path("/nowhere"), mqtt=mqtt)))


def only(found: list[Finding], level: str) -> Finding:
    """The one finding of that level; those that are not ok come with advice."""
    (finding,) = [finding for finding in found if finding.level == level]
    assert bool(finding.advice) == (level != "ok")
    return finding


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """A server that gives one client that answer and hangs up; None never answers."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.recv(1024)
                if answer is None:
                    over.wait(WAIT_S)
                else:
                    client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(server.getsockname()[1])
        over.set()
        thread.join()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_broker_that_lets_us_do_all_is_found_fine(broker: Broker, protocol: str) -> None:
    """The finding tells the version that was accepted and on which terms, and that the id is not the daemon's."""
    (finding,) = findings(broker.port, protocol=protocol)
    assert finding.level == "ok"
    assert f"takes us (MQTT {protocol}, unencrypted, without a user" in finding.text
    assert re.search(r"as edge-tts-kitchen-[0-9a-f]{6}-doctor", finding.text)


def test_a_device_without_a_broker_is_fine() -> None:
    """With mqtt.enabled false nothing is asked."""
    (finding,) = check_broker(Config(mqtt={"enabled": False, "host": "no.such.host.invalid"}))
    assert (finding.level, finding.text) == ("ok", "none is wanted (mqtt.enabled is false)")


def test_a_running_daemon_is_left_alone(broker: Broker) -> None:
    """Who listens to the device hears neither a command nor that it is offline, and nothing stays on the broker."""
    with Ear(broker, BASE) as ear:
        findings(broker.port)
        ear.wait_topic("doctor")
        assert {topic for topic, _, _ in ear.messages} == {f"{BASE}/doctor"}
    with Ear(broker, BASE) as late:
        late.publish("marker")
        late.wait_topic("marker")
        assert late.on("doctor") == []


@pytest.mark.parametrize("tls", [False, True])
def test_a_closed_port_is_told(tls: bool) -> None:
    """A broker that is not there is one finding: start it, or correct the address."""
    finding = only(findings(free_port(), tls=tls), "broken")
    assert "cannot be reached" in finding.text
    assert "mqtt.port" in finding.advice


def test_an_unknown_host_is_told() -> None:
    """A name that nobody has is not the same as a broker that is away."""
    (finding,) = check_broker(Config(mqtt=MqttConfig(host="no-such-host.invalid")))
    assert "no machine has that name" in finding.text


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_and_right_passwords_are_told_apart(tmp_path: Path, protocol: str) -> None:
    """The wrong one is a refusal that names the keys to correct; with the right one all is fine."""
    write_password_file(tmp_path / "users", house="right")
    for word in ("right", "wrong"):
        (tmp_path / word).write_text(f"{word}\n")
    with Broker(tmp_path, settings=f"allow_anonymous false\npassword_file {tmp_path}/users") as broker:
        access = {"username": "house", "protocol": protocol}
        right = findings(broker.port, password_file=tmp_path / "right", **access)
        wrong = only(findings(broker.port, password_file=tmp_path / "wrong", **access), "broken")
    assert [finding.level for finding in right] == ["ok"]
    assert "as user house" in right[0].text
    assert "refuses us: Not authorized" in wrong.text
    assert "mqtt.password_file" in wrong.advice


def test_a_password_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """It is the file's fault, not the broker's."""
    finding = only(findings(free_port(), username="house", password_file=tmp_path / "nowhere"), "broken")
    assert "mqtt.password_file" in finding.text


def test_an_unknown_authority_is_told(tmp_path: Path) -> None:
    """A certificate that nobody we trust has signed is TLS trouble; with the right authority the broker is fine."""
    for name in ("broker", "stranger"):
        make_certificate(tmp_path, name)
    settings = f"allow_anonymous true\ncertfile {tmp_path}/broker.crt\nkeyfile {tmp_path}/broker.key"
    with Broker(tmp_path, settings=settings) as broker:
        unknown = only(findings(broker.port, tls=True, ca_file=tmp_path / "stranger.crt"), "broken")
        (known,) = findings(broker.port, tls=True, ca_file=tmp_path / "broker.crt")
    assert "TLS fails" in unknown.text
    assert "ca_file" in unknown.advice
    assert "over TLS" in known.text


def test_a_broker_without_tls_is_told_so(broker: Broker) -> None:
    """TLS against a plain port is named as TLS trouble."""
    finding = only(findings(broker.port, tls=True), "broken")
    assert "TLS fails" in finding.text


def test_a_refused_subscription_is_told(tmp_path: Path) -> None:
    """The broker lets us in and refuses the subscription: the finding names the topics that must be allowed, and that
    rules by client id would have to allow doctor's."""
    plugin = shutil.which("mosquitto_dynamic_security.so", path=PLUGINS, mode=0)
    if plugin is None:
        pytest.skip("MOSQUITTO'S DYNAMIC SECURITY IS NOT INSTALLED: a refused subscription was not tested")
    rules = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    acl = [{"acltype": kind, "allow": allow} for kind, allow in rules.items()]
    (tmp_path / "rules.json").write_text(json.dumps({"defaultACLAccess": rules, "acls": acl}))
    settings = f"allow_anonymous true\nplugin {plugin}\nplugin_opt_config_file {tmp_path}/rules.json"
    with Broker(tmp_path, settings=settings) as broker:
        finding = only(findings(broker.port), "broken")
    assert "not subscribe to our commands: Not authorized" in finding.text
    assert f"{BASE}/#" in finding.advice
    assert re.search(r"edge-tts-kitchen-[0-9a-f]{6}-doctor", finding.advice)


def test_a_clash_of_names_is_told(broker: Broker, tmp_path: Path) -> None:
    """The daemon leaves a note when another client seems to use its name, and takes it away afterwards."""
    config = Config(device="kitchen", state_dir=tmp_path, mqtt=MqttConfig(host="127.0.0.1", port=broker.port))
    note = ClashNote(tmp_path)
    note.set(True)
    finding = only(list(check_broker(config)), "broken")
    assert "another client seems to use the name edge-tts-kitchen-" in finding.text
    note.set(False)
    assert [each.level for each in check_broker(config)] == ["ok"]


@pytest.mark.parametrize(
    ("protocol", "rule", "words"),
    [
        ("5", f"topic write {BASE}/#", "we may write, but not read"),
        ("5", f"topic read {BASE}/#", f"does not let us publish to {BASE}/doctor: Not authorized"),
        ("3.1.1", f"topic write {BASE}/#", "which of them MQTT 3.1.1 does not tell"),
        ("3.1.1", f"topic read {BASE}/#", "which of them MQTT 3.1.1 does not tell"),
    ],
)
def test_a_right_that_is_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, rule: str, words: str
) -> None:
    """A broker that says yes to everything and passes nothing on is found out: what is published must come back."""
    monkeypatch.setattr("edge_tts.doctor.broker.TIMEOUT_S", 1.0)
    (tmp_path / "acl").write_text(f"{rule}\n")
    with Broker(tmp_path, settings=f"allow_anonymous true\nacl_file {tmp_path}/acl") as broker:
        found = findings(broker.port, protocol=protocol)
    assert [finding.level for finding in found] == ["ok", "broken"]
    assert words in found[1].text
    assert f"{BASE}/#" in found[1].advice


@pytest.mark.parametrize("tls", [False, True])
def test_a_port_that_never_answers_holds_nobody_up(monkeypatch: pytest.MonkeyPatch, tls: bool) -> None:
    """Something accepts the connection and says nothing: told after the time-out."""
    monkeypatch.setattr("edge_tts.doctor.broker.TIMEOUT_S", 0.2)
    with answering(None) as port:
        began = time.monotonic()
        finding = only(findings(port, tls=tls), "broken")
        assert time.monotonic() - began < WAIT_S / 2
    assert ("cannot be reached" if tls else "no answer within 0.2 s") in finding.text


@pytest.mark.parametrize(
    ("protocol", "answer", "words"),
    [
        ("3.1.1", b"\x20\x02\x00\x05", "refuses us: Not authorized"),
        ("3.1.1", b"\x20\x02\x00\x04", "refuses us: Bad user name or password"),
        ("3.1.1", b"\x20\x02\x00\x09", "refuses us"),
        ("5", b"\x20\x02\x00\x01", "refuses us: Unsupported protocol version"),
        ("5", b"\x20\x03\x00\x85\x00", "refuses us: Client identifier not valid"),
        ("5", b"\x20\x02\x00\x05", "no MQTT broker"),
        ("5", b"HTTP/1.1 400 Bad Request", "no MQTT broker"),
        ("3.1.1", b"", "no MQTT broker"),
    ],
)
def test_what_answers_is_named(protocol: str, answer: bytes, words: str) -> None:
    """A refusal is named with its cure; something that is no broker is told as such."""
    with answering(answer) as port:
        finding = only(findings(port, protocol=protocol), "broken")
    assert words in finding.text


def test_a_broker_without_shared_subscriptions_is_told_to_members_of_a_group() -> None:
    """What CONNACK says about them is a finding where a group needs them, and none elsewhere."""
    connack = bytes([0x20, 5, 0, 0, 2, 42, 0])
    with answering(connack) as port:
        assert any("no shared subscriptions" in one.text for one in findings(port, render_group="g"))
    with answering(connack) as port:
        assert not any("shared" in one.text for one in findings(port))
