"""The log of a real daemon at its most talkative, and its records of requests, over everything that can become of a
text, hold no texts."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from broker import Broker, Ear, free_port
from daemon_process import daemon, write_config

pytest.importorskip("starlette", reason="THE PACKAGE starlette IS NOT INSTALLED: the log of a daemon was not read")
pytest.importorskip("re2", reason="google-re2 IS NOT INSTALLED: the log of a daemon was not read")
pytestmark = pytest.mark.long

STARTER = Path(__file__).parents[2] / "models"
SECRETS = ("zebrafish", "长颈鹿", "giraffe")
HOOK = """#!/bin/sh
asked=$(cat)
echo "$asked" >&2
case "$asked" in
  *"no hook"*) echo '{"allow": false, "reason": "zebrafish, really"}' ;;
  *"mad hook"*) echo "zebrafish is no JSON" ;;
  *"other hook"*) echo '{"text": "A giraffe, then."}' ;;
  *) echo '{}' ;;
esac
"""
SAID = {
    "plain": {"text": "One zebrafish."},
    "loud": {"text": "A zebrafish!", "priority": "alert"},
    "document": {"text": "<speak>zebrafish</p>", "ssml": True},
    "long": {"text": "zebrafish " * 2500},
    "refused": {"text": "A forbidden z3brafish."},
    "bleeped": {"text": "The rude zebrafish swims."},
    "reported": {"text": "This z e b r a f i s h is noted."},
    "hook": {"text": "no hook for a zebrafish"},
    "mad": {"text": "mad hook for a zebrafish"},
    "other": {"text": "other hook for a zebrafish"},
    "foreign": {"text": "Das zebrafish Рыбка и много других слов 长颈鹿"},
    "option": {"text": "zebrafish", "language": "zebrafish"},
    "voice": {"text": "zebrafish", "voice": "nobody"},
    "key": {"text": "zebrafish", "zebrafish": "zebrafish"},
    "kind": {"text": ["zebrafish"]},
    "late": {"text": "late zebrafish", "ttl_s": 1e-6},
    "mandarin": {"text": "有一只长颈鹿。"},
}
BROKEN = [b'{"text": "zebrafish', b"{'text': 'zebrafish'}", b'["zebrafish"]', b"zebrafish \xff", b"\xfe\xffzebrafish\0"]


def configure(folder: Path, broker: Broker, port: int) -> Path:
    hook = folder / "hook"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    rules = [
        {"name": "no", "words": ["forbidden"]},
        {"name": "tone", "action": "bleep", "patterns": ["rude"]},
        {"name": "note", "action": "report", "words": ["zebrafish"]},
    ]
    return write_config(
        folder,
        STARTER,
        broker.port,
        "silent",
        models={"dir": str(STARTER), "name": "starter"},
        log={"level": "debug"},
        http={"port": port},
        bucket={"url": None},
        content={"rules": rules, "command": [str(hook)], "command_timeout_s": 30},
    )


def ask(port: int, path: str, body: bytes | None = None) -> None:
    """Whatever comes of it."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    except urllib.error.HTTPError as refused:
        refused.read()


def test_no_text_is_logged(tmp_path: Path, broker: Broker) -> None:
    """Spoken, refused, bleeped, replaced, malformed, foreign, too long, too late, over MQTT, HTTP and from a damaged
    journal: ids and rules are in the log, ids in the records, and no word of what was to be said."""
    port, lines = free_port(), list[str]()
    jobs = tmp_path / ".state" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "000000000001-0.json").write_bytes(b'{"request": {"text": "zebrafish", "id": 7}}')
    (jobs / "000000000002-0.json").write_bytes(b"zebrafish")
    with Ear(broker, "edge-tts/silent") as ear, daemon(configure(tmp_path, broker, port)) as process:
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: lines.extend(process.stderr or ()))
        reader.start()
        ear.wait_topic("status", "online")
        for name, message in SAID.items():
            ear.publish("say", {"id": name, **message})
        for payload in BROKEN:
            ear.publish("say", payload)
        for name in SAID:
            assert ear.wait_for(lambda name=name: closed(ear, name)), name
        ask(port, f"/tts?{urllib.parse.urlencode({'text': 'GET zebrafish', 'text_lang': 'en'})}")
        for body in ({"input": "A forbidden zebrafish"}, {"input": "zebrafish", "zebrafish": 1}):
            ask(port, "/v1/audio/speech", json.dumps(body).encode())
        ask(port, "/v1/audio/speech", b'{"input": "zebrafish')
        process.terminate()
        reader.join(60)
    log, records = (
        "".join(lines),
        b"".join(path.read_bytes() for path in (tmp_path / ".state").glob("requests.sqlite*")),
    )
    assert [line for line in lines if any(secret in line.casefold() for secret in SECRETS)] == []
    assert b"bleeped" in records
    assert not any(json.dumps(secret)[1:-1].encode() in records.lower() for secret in SECRETS)
    for name in SAID:
        assert f" {name} " in log, f"nothing is logged of {name}"
    assert "bleeped meets content.rules: tone, note" in log
    assert "damaged" in log


def closed(ear: Ear, name: str) -> bool:
    stages = ("done", "failed", "expired", "interrupted")
    return any(event["id"] == name and event["stage"] in stages for event in ear.events())
