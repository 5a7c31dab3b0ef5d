"""Asks the broker whether it takes us: one MQTT 3.1.1 CONNECT on a socket of its own. It disturbs no running daemon.

Written on the socket, since the question is which step fails: the name, the network, TLS or the broker's answer.
"""

from __future__ import annotations

import socket
import ssl
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path

from edge_tts.config import MqttConfig
from edge_tts.doctor.findings import Finding

CHECK = "broker"
_TIMEOUT_S = 5.0
_REFUSALS = {
    1: ("it does not speak MQTT 3.1.1", "ask the broker's owner which versions it speaks"),
    2: ("it does not accept our client id", "allow other client ids for this user"),
    3: ("it is not available", "look at the broker's log"),
    4: ("user name or password are wrong", "correct mqtt.username and mqtt.password_file"),
    5: ("we are not authorised", "set mqtt.username and mqtt.password_file, or allow this client in the broker's ACL"),
}


def check_broker(config: MqttConfig) -> Iterator[Finding]:
    """Connect, say hello, leave. The finding names the step that fails."""
    where = f"{config.host}:{config.port}"
    try:
        answer = _greet(config)
    except ssl.SSLError as error:
        advice = "compare mqtt.tls, ca_file, cert_file and key_file with the broker's certificate"
        yield Finding(CHECK, "broken", f"{where}: TLS fails: {error}", advice)
    except socket.gaierror:
        advice = "correct mqtt.host, or use the broker's address"
        yield Finding(CHECK, "broken", f"{where}: no machine has that name", advice)
    except OSError as error:
        advice = "start the broker (systemctl status mosquitto), or correct mqtt.host and mqtt.port; mind firewalls"
        yield Finding(CHECK, "broken", f"{where}: cannot be reached: {error}", advice)
    else:
        yield _judge(where, answer)


def _judge(where: str, answer: bytes) -> Finding:
    if len(answer) < 4 or answer[0] != 0x20:
        text = f"{where}: something answers that is no MQTT broker, or it hung up"
        return Finding(CHECK, "broken", text, "correct mqtt.port and mqtt.tls (1883 is plain, 8883 is TLS)")
    if answer[3]:
        why, advice = _REFUSALS.get(answer[3], (f"code {answer[3]}", "look at the broker's log"))
        return Finding(CHECK, "broken", f"{where}: refuses us: {why}", advice)
    return Finding(CHECK, "ok", f"{where}: takes us")


def _greet(config: MqttConfig) -> bytes:
    """Send CONNECT, read what comes back (CONNACK is four bytes), send DISCONNECT."""
    with socket.create_connection((config.host, config.port), _TIMEOUT_S) as plain:
        channel = _secure(config, plain) if config.tls else plain
        channel.settimeout(_TIMEOUT_S)
        channel.sendall(_connect_packet(config))
        answer = channel.recv(4)
        if answer[:1] == b"\x20":
            channel.sendall(b"\xe0\x00")
        return answer


def _secure(config: MqttConfig, plain: socket.socket) -> socket.socket:
    context = ssl.create_default_context(cafile=config.ca_file)
    if config.cert_file:
        context.load_cert_chain(config.cert_file, config.key_file)
    return context.wrap_socket(plain, server_hostname=config.host)


def _connect_packet(config: MqttConfig) -> bytes:
    """CONNECT of MQTT 3.1.1 (section 3.1 of the standard): clean session, a client id that nobody else has."""
    flags, payload = 0x02, _field(f"edge-tts-doctor-{uuid.uuid4().hex[:8]}".encode())
    if config.username is not None:
        flags |= 0x80
        payload += _field(config.username.encode())
        if config.password_file is not None:
            flags |= 0x40
            payload += _field(Path(config.password_file).read_bytes().strip(b"\r\n"))
    body = _field(b"MQTT") + bytes([4, flags]) + struct.pack(">H", 30) + payload
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return b"\x10" + length + body


def _field(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data
