"""The shipped daemon under a neighbour who sends it anything: a real process, a real broker."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

from broker import Broker, Ear
from daemon_process import daemon, write_config
from fakes import WAIT_S

from tools.demo_model import write_untrained_set

MESSAGES, MANY_S = 400, 300.0
COMMANDS = (
    *("say", "stop", "skip", "pause", "resume", "paused/set", "volume/set", "voice/set", "models/activate", "enroll"),
    *("enroll/press", "voices/delete", "voices/undelete", "voices/rename", "lexicon/set", "lexicon/remove", "nothing"),
)
TEXTS = (
    "Hi.",
    "<speak>Hi.</speak>",
    "<?xml version='1.0' encoding='gbk'?><speak>Hi.</speak>",
    "<speak>" * 400,
    "<speak><say-as interpret-as='digits'>123</say-as><break time='9999s'/></speak>",
    "<!DOCTYPE x [<!ENTITY a 'b'>]><speak>&a;</speak>",
    "\ud800",
    "9" * 4000,
    "１２:３４ — ١٢٣ №5 ½ 10⁻³ \u202e\u0000\ufeff",
    "你好，2024-99-99，1e999。",
    "🙂" * 50,
)
NUMBERS = (0, -1, 1e999, -1e999, float("nan"), 10**400, 0.5, True, None, "1", [], {})
KEYS = ("text", "id", "voice", "language", "speed", "seed", "ssml", "priority", "ttl_s", "volume", "name", "word", "x")


def rubbish(draw: random.Random) -> bytes:
    """Bytes, text, JSON of the right form with wrong values, or such JSON with a few bytes changed."""
    kind = draw.randrange(4)
    if kind == 0:
        return draw.randbytes(draw.choice((0, 1, 7, 500)))
    text = draw.choice(TEXTS)
    if kind == 1:
        encoding = draw.choice(("utf-8", "utf-16", "utf-8-sig", "gb18030"))
        return text.encode(encoding, "replace" if encoding == "gb18030" else "surrogatepass")
    values = (*NUMBERS, *TEXTS)
    record = {draw.choice(KEYS): draw.choice(values) for _ in range(4)} | {"text": text, "ssml": draw.random() < 0.5}
    payload = bytearray(json.dumps(record).encode())
    for _ in range(draw.randint(1, 3) if kind == 3 else 0):
        payload[draw.randrange(len(payload))] = draw.randrange(256)
    return bytes(payload)


def test_no_message_ends_the_process(tmp_path: Path, broker: Broker) -> None:
    """After hundreds of hostile messages to every command the daemon is the same process, logs no traceback, and speaks
    what a neighbour asks for."""
    write_untrained_set(tmp_path / "sets" / "untrained")
    limits = {"queue": 512, "text_chars": 300}
    config = write_config(tmp_path, tmp_path / "sets", broker.port, "hostile", limits=limits)
    draw = random.Random(11)
    with Ear(broker, "edge-tts/hostile") as ear, daemon(config) as process:
        ear.wait_topic("status", "online")
        for _ in range(MESSAGES):
            ear.publish(draw.choice(COMMANDS), rubbish(draw))
        ear.publish("stop")
        ear.publish("resume")
        ear.publish("say", {"id": "neighbour", "text": "Hello."})
        assert ear.wait_for(lambda: [e for e in ear.events() if (e["id"], e["stage"]) == ("neighbour", "done")], MANY_S)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert "InternalError" not in {event["details"].get("error") for event in ear.events()}
