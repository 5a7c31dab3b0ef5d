"""Asks the broker as the daemon does and says which step fails. It disturbs no running daemon."""

from __future__ import annotations

from collections.abc import Iterator

from edge_tts.config import Config, MqttConfig
from edge_tts.doctor.findings import Finding
from edge_tts.errors import TransportError
from edge_tts.front_doors.mqtt.probe import BrokerProbe, Failure, ProbeResult
from edge_tts.front_doors.mqtt.session import ClashNote, session_config

CHECK = "broker"
TIMEOUT_S = 5.0
"""How long each step may take."""

_CREDENTIALS = "correct mqtt.username and mqtt.password_file"
_REFUSALS = {
    "Unsupported protocol version": "set mqtt.protocol to another version; 3.1.1 is spoken by every broker",
    "Client identifier not valid": "set mqtt.client_id to one that the broker accepts",
    "Bad user name or password": _CREDENTIALS,
    "Not authorized": f"{_CREDENTIALS}, or allow this client in the broker's ACL",
}
_NOT_MQTT = "correct mqtt.host, mqtt.port and mqtt.tls (1883 is plain, 8883 is TLS)"


def check_broker(config: Config) -> Iterator[Finding]:
    """Connect, subscribe, publish, hear it, leave."""
    if not config.mqtt.enabled:
        yield Finding(CHECK, "ok", "none is wanted (mqtt.enabled is false)")
        return
    where = f"{config.mqtt.host}:{config.mqtt.port}"
    try:
        result = BrokerProbe(session_config(config, keep=False), config.device, timeout_s=TIMEOUT_S).run()
    except TransportError as unusable:
        yield Finding(CHECK, "broken", str(unusable), "correct the file, or who may read it")
        return
    if ClashNote(config.state_dir).is_set():
        text = f"{where}: another client seems to use the name {session_config(config, keep=False).client_id}"
        yield Finding(CHECK, "broken", text, "stop the other daemon, or give each its own mqtt.client_id")
    if result.protocol:
        yield Finding(CHECK, "ok", f"{where}: {_terms(config.mqtt, result)}")
    if config.mqtt.render_group is not None and not result.shares:
        text = f"{where}: it has no shared subscriptions, so nothing is rendered for {config.mqtt.render_group}"
        yield Finding(CHECK, "broken", text, "use a broker that has them, or set mqtt.render_group to null")
    for failure in result.failures:
        text, advice = _explain(failure, config, result)
        yield Finding(CHECK, "broken", f"{where}: {text}", advice)


def _terms(config: MqttConfig, result: ProbeResult) -> str:
    """On which terms we were let in."""
    user = "without a user" if config.username is None else f"as user {config.username}"
    cover = "over TLS" if config.tls else "unencrypted"
    own = f"{result.client_id}, since the daemon's own id would throw it out"
    return f"takes us (MQTT {result.protocol}, {cover}, {user}; as {own}: rules by client id are untested)"


def _explain(failure: Failure, config: Config, result: ProbeResult) -> tuple[str, str]:
    """What a failure means, and what to do."""
    below = f"{config.mqtt.base_topic}/{config.device}/#"
    by_id = f"; rules by client id must allow {result.client_id}, too, or this answer is not the daemon's"
    why = failure.reason
    match failure.step:
        case "find":
            return f"no machine has that name: {why}", "correct mqtt.host, or use the broker's address"
        case "reach":
            advice = "start the broker (systemctl status mosquitto), or correct mqtt.host and mqtt.port; mind firewalls"
            return f"cannot be reached: {why}", advice
        case "encrypt":
            advice = "compare mqtt.tls, ca_file, cert_file and key_file with the broker's certificate"
            return f"TLS fails: {why}", advice
        case "greet":
            hint = "" if config.mqtt.tls or "closed" not in why else "; is this a TLS port?"
            return f"something answers that is no MQTT broker, or it hung up: {why}{hint}", _NOT_MQTT
        case "enter":
            return f"refuses us: {why}", _REFUSALS.get(why, "look at the broker's log") + by_id
        case "subscribe":
            text = f"lets us in but not subscribe to our commands: {why}"
            return text, f"allow this user to read {below} in the broker's ACL{by_id}"
        case "publish":
            return f"does not let us publish to {result.topic}: {why}", f"allow this user to write {below}{by_id}"
        case "deliver":
            return _undelivered(result), f"allow this user to read and write {below} in the broker's ACL{by_id}"


def _undelivered(result: ProbeResult) -> str:
    text = f"accepts what is published to {result.topic} but does not deliver it to us: "
    if result.protocol == "5":
        return f"{text}we may write, but not read"
    return f"{text}we may not read or not write, which of them MQTT {result.protocol} does not tell"
