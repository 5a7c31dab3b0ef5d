"""A paho client as configured: protocol, user, TLS; shared by daemon and doctor, which must get the same answers."""

from __future__ import annotations

import ssl

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge_tts.config import MqttConfig
from edge_tts.errors import TransportError


def daemon_client_id(config: MqttConfig, device: str) -> str:
    """The id of the daemon's session. A broker disconnects a client when another one connects with its id."""
    return config.client_id or f"edge-tts-{device}"


def make_client(config: MqttConfig, client_id: str, *, persistent: bool = False) -> paho.Client:
    """An unconnected client. `persistent` keeps the session and leaves acknowledging to the caller.

    Raises TransportError for an unusable password or TLS file.
    """
    v5 = config.protocol == "5"
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if v5 else not persistent,  # version 5: at connect
        protocol=paho.MQTTv5 if v5 else paho.MQTTv311,
        manual_ack=persistent,
    )
    if config.username is not None:
        client.username_pw_set(config.username, _password(config))
    if config.tls:
        _set_tls(client, config)
    return client


def _password(config: MqttConfig) -> str | None:
    if config.password_file is None:
        return None
    try:
        return config.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as unreadable:
        raise TransportError(f"mqtt.password_file: {unreadable}") from unreadable


def _set_tls(client: paho.Client, config: MqttConfig) -> None:
    files = (config.ca_file, config.cert_file, config.key_file)
    authority, certificate, key = (None if path is None else str(path) for path in files)
    try:
        client.tls_set(authority, certificate, key)
    except (OSError, ssl.SSLError, ValueError) as wrong:
        raise TransportError(f"mqtt: the TLS files cannot be used: {wrong}") from wrong
