"""A paho client as configured: protocol, user, TLS; shared by daemon and doctor, which must get the same answers."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties

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


def shares_subscriptions(connack: Properties | None) -> bool:
    """Whether a broker has shared subscriptions, by its answer to CONNECT; it is silent where it has them."""
    return bool(getattr(connack, "SharedSubscriptionAvailable", 1))


def _password(config: MqttConfig) -> str | None:
    if config.password_file is None:
        return None
    try:
        return config.password_file.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except OSError as unreadable:
        raise TransportError(f"mqtt.password_file: {unreadable}") from unreadable
    except UnicodeDecodeError as binary:
        raise TransportError(f"mqtt.password_file: {config.password_file} is not UTF-8 text") from binary


def _set_tls(client: paho.Client, config: MqttConfig) -> None:
    _check_tls_files(config)
    files = (config.ca_file, config.cert_file, config.key_file)
    authority, certificate, key = (None if path is None else str(path) for path in files)
    try:
        client.tls_set(authority, certificate, key)
    except (OSError, ssl.SSLError, ValueError) as wrong:
        raise TransportError(f"mqtt: the TLS files cannot be used: {wrong}") from wrong


def _check_tls_files(config: MqttConfig) -> None:
    """OpenSSL says what is wrong, but not of which file. Raises TransportError that names it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for key in ("ca_file", "cert_file", "key_file"):
        path = getattr(config, key)
        if path is not None:
            with _blame(key, path):
                path.read_bytes()
                if key != "key_file":
                    context.load_verify_locations(path)
    if config.key_file is not None and config.cert_file is None:
        raise TransportError("mqtt.key_file: a key needs its certificate; set mqtt.cert_file, too")
    if config.cert_file is not None:
        blamed = "key_file" if config.key_file is not None else "cert_file"
        with _blame(blamed, config.key_file or config.cert_file):
            # Without a password OpenSSL would ask for one in the terminal.
            context.load_cert_chain(config.cert_file, config.key_file, password=lambda: "")


@contextmanager
def _blame(key: str, path: Path | None) -> Iterator[None]:
    """Raises TransportError that names the key and the file."""
    try:
        yield
    except ssl.SSLError as wrong:
        why = wrong.reason or "no PEM text"
        raise TransportError(f"mqtt.{key}: {path} cannot be used ({why.replace('_', ' ').lower()})") from wrong
    except OSError as unreadable:
        raise TransportError(f"mqtt.{key}: {path} cannot be read ({unreadable.strerror})") from unreadable
