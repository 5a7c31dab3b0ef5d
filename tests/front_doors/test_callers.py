"""Each front door tells who asks, and refuses in its own way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Ear, free_port
from enrolled import new_voice, open_store
from fakes import FakeClock, FakeLoudspeaker, FakeSynthesizer
from http_stage import Stage, resolve, stage
from rig import no_defect
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import config_from
from edge_tts.durable.audit_log import AuditLog
from edge_tts.errors import QuotaError
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.usage_ledger import UsageLedger
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.values import Caller

KITCHEN, SHOP = {"authorization": "Bearer one"}, {"authorization": "Bearer two"}
RULES = {"guest": {"commands": []}}


@contextmanager
def device(folder: Path, broker: Broker, name: str, **sections: Any) -> Iterator[Ear]:
    """A device that hums, and somebody who listens to it."""
    model = folder / "models" / "toy"
    if not model.exists():
        write_model_set(model, voices=("hum", "buzz"))
    mqtt = {"host": "127.0.0.1", "port": broker.port, **sections.pop("mqtt", {})}
    config = config_from({"device": name, "mqtt": mqtt, **sections}, folder=folder)
    surroundings = Surroundings(
        load=FakeSynthesizer().loaded, open_loudspeaker=lambda rate: FakeLoudspeaker(), fatal=no_defect
    )
    with Ear(broker, f"edge-tts/{name}") as ear, Appliance(config, read_model_set(model), surroundings):
        ear.wait_topic("status", "online")
        yield ear


def test_a_caller_over_mqtt_is_known_by_topic_else_by_property(tmp_path: Path, broker: Broker) -> None:
    """The topic goes before what a message says of itself; a name that cannot be one is none."""
    with device(tmp_path, broker, "callers", access={"callers": RULES}) as ear:
        for topic, told, stage_ in (
            ("say/guest", "kitchen", "failed"),
            ("say/Guest", None, "failed"),
            ("say/kitchen", "guest", "done"),
            ("say", "guest", "failed"),
            ("say", "GUEST", "failed"),
            ("say", "no name!", "done"),
            ("say/two words", None, "done"),
            ("say", None, "done"),
        ):
            properties = {} if told is None else {"UserProperty": [("colour", "guest"), ("client", told)]}
            ear.publish(topic, {"text": "Hello.", "id": f"{topic} {told}"}, **properties)
            report = ear.wait_event(id=f"{topic} {told}", stage=stage_)
            assert stage_ == "done" or report["details"]["rule"] == "access.callers.guest.commands"
        ear.publish("say/kitchen/deep", "Hello.")
        ear.publish("stop/guest", "")
    assert len([event for event in ear.events() if event["stage"] == "accepted"]) == 4


def test_a_caller_is_known_by_topic_under_mqtt_3(tmp_path: Path, broker: Broker) -> None:
    """Where messages have no properties."""
    with device(tmp_path, broker, "callers-old", mqtt={"protocol": "3.1.1"}, access={"callers": RULES}) as ear:
        ear.publish("say/guest", {"text": "Hello.", "id": "guest"})
        ear.wait_event(id="guest", stage="failed")
        ear.publish("say/kitchen", {"text": "Hello.", "id": "kitchen"})
        ear.wait_event(id="kitchen", stage="done")


def test_a_group_knows_its_callers_too(tmp_path: Path, broker: Broker) -> None:
    """By `say/<caller>` below the group, and by the property."""
    mqtt = {"groups": ["callers-house"], "group_delay_s": 0.0}
    with (
        Ear(broker, "edge-tts/callers-house") as house,
        device(tmp_path, broker, "callers-member", mqtt=mqtt, access={"callers": RULES}) as ear,
    ):
        house.publish("say/guest", {"text": "Hello.", "id": "guest"})
        house.publish("say", {"text": "Hello.", "id": "told"}, UserProperty=[("caller", "guest")])
        house.publish("say/kitchen", {"text": "Hello.", "id": "kitchen"})
        assert ear.wait_event(id="guest", stage="failed")["details"]["error"] == "AccessError"
        assert ear.wait_event(id="told", stage="failed")["details"]["error"] == "AccessError"
        ear.wait_event(id="kitchen", stage="done")


def test_hermes_is_a_door_of_its_own(tmp_path: Path, broker: Broker) -> None:
    """What comes that way is held to `doors`, and to its name where the message has one."""
    access = {"default": {"doors": ["mqtt"]}, "callers": {"rhasspy": {}}}
    with (
        Ear(broker, "hermes/tts") as tts,
        device(tmp_path, broker, "callers-hermes", hermes={"site_ids": ["default"]}, access=access) as ear,
    ):
        tts.publish("say", {"text": "Hello."})
        assert ear.wait_event(stage="failed")["details"]["rule"] == "access.default.doors"
        tts.publish("say", {"text": "Hello."}, UserProperty=[("client", "rhasspy")])
        ear.wait_event(stage="done")


def test_home_assistant_speaks_as_itself_where_it_is_named(tmp_path: Path, broker: Broker) -> None:
    """Then its notify entity publishes to a topic of its own, else to the one it always had."""
    for name, callers, topic in (("ha-a", {"home-assistant": {}}, "say/home-assistant"), ("ha-b", {}, "say")):
        with (
            Ear(broker, "homeassistant/device") as ear,
            device(tmp_path / name, broker, name, access={"callers": callers}),
        ):
            told = json.loads(ear.wait_topic(f"edge_tts_{name}/config"))
            assert told["components"]["say"]["command_topic"] == f"edge-tts/{name}/{topic}"


def test_quotas_survive_a_restart_of_the_device(tmp_path: Path, broker: Broker) -> None:
    """What was spent before the stop is spent after the start."""
    access = {"callers": {"kitchen": {"chars_per_day": 10}}}
    for text, stage_ in (("Hello.", "done"), ("Hello!", "failed")):
        with device(tmp_path, broker, "callers-restart", access=access) as ear:
            ear.publish("say/kitchen", {"text": text, "id": text})
            ear.wait_event(id=text, stage=stage_)
    with device(tmp_path, broker, "callers-restart") as ear:
        ear.publish("say/kitchen", "Without rules.")
        ear.wait_event(stage="done")


def test_a_round_of_housekeeping_keeps_what_was_spent(tmp_path: Path) -> None:
    """A power cut after it forgets nothing from before it."""
    access = {"callers": {"kitchen": {"chars_per_day": 10}}}
    mqtt = {"host": "127.0.0.1", "port": free_port()}
    config = config_from({"device": "kept", "mqtt": mqtt, "access": access}, folder=tmp_path)
    model = read_model_set(write_model_set(tmp_path / "models" / "toy", voices=("hum",)))
    surroundings = Surroundings(
        load=FakeSynthesizer().loaded, open_loudspeaker=lambda rate: FakeLoudspeaker(), fatal=no_defect
    )
    kept = config.state_dir / "usage.json"
    with Appliance(config, model, surroundings) as made:
        made.dispatcher.handle(Message("say", b"Hello.", caller=Caller("mqtt", "kitchen")))
        made.poll()
        after_a_cut = Access(config.access, ledger=UsageLedger(kept))
        with pytest.raises(QuotaError):
            after_a_cut.admit(Caller("http", "kitchen"), 5, "normal")


def test_what_callers_do_is_in_the_audit_log(tmp_path: Path, broker: Broker) -> None:
    """Who changed a voice, the default voice, a word or the configuration, by which front door; what was said only
    where that is asked for, and never the words."""
    voices = tmp_path / ".state" / "voices"
    voice = open_store(voices, device="audited").add(new_voice())
    log = AuditLog(path=tmp_path / ".state" / "audit.log", clock=lambda: 0.0)
    with device(tmp_path, broker, "audited") as ear:
        ear.publish("say/shop", {"text": "Secret words.", "id": "one"})
        ear.wait_event(id="one", stage="done")
        for command, payload in (
            ("voices/rename", {"voice": "Anna", "name": "Secret", "id": "two"}),
            ("lexicon/set", {"word": "secret", "pronunciation": "see cret", "id": "three", "say": False}),
            ("voices/delete", {"id": voice.ref.id, "name": "Secret", "forget": True}),
        ):
            ear.publish(command, payload, UserProperty=[("client", "shop")])
            ear.wait_event(id=payload["id"], stage="done")
        ear.publish("voice/set", "buzz", UserProperty=[("client", "kitchen")])
        ear.wait_state(voice="buzz")
    write_model_set(tmp_path / "models" / "second")
    with device(tmp_path, broker, "audited", audit={"speech": True}, access={"deny": ["guest"]}) as ear:
        ear.publish("say/shop", {"text": "Secret words.", "id": "four"})
        ear.publish("say/guest", {"text": "Secret words.", "id": "five"})
        ear.wait_event(id="four", stage="done")
        ear.wait_event(id="five", stage="failed")
    lines = log.lines()
    assert [(line["event"], line.get("caller")) for line in lines] == [
        ("configured", None),
        ("renamed", "mqtt shop"),
        ("lexicon/set", "mqtt shop"),
        ("deleted", "mqtt shop"),
        ("voice/set", "mqtt kitchen"),
        ("configured", None),
        ("model sets", None),
        ("said", "mqtt shop"),
    ]
    assert lines[0]["first"]
    assert lines[5]["changed"] == ["access.deny", "audit.speech"]
    assert lines[6]["changed"] == ["second"]
    assert (lines[7]["voice"], lines[7]["characters"]) == ("buzz", 13)
    written = (tmp_path / ".state" / "audit.log").read_text().casefold()
    assert not any(word in written for word in ("secret", "see cret"))


@contextmanager
def http(folder: Path, **access: Any) -> Iterator[Stage]:
    """A server with a token for kitchen (`one`) and for shop (`two`)."""
    pytest.importorskip("uvicorn", reason="THE PACKAGE uvicorn IS NOT INSTALLED: no HTTP server was tested")
    rules = Access(
        config_from({"access": access}, folder=folder).access, ledger=UsageLedger(wall=FakeClock()), resolve=resolve
    )
    with stage(folder, tokens="kitchen one\nshop two\n", access=rules) as running:
        yield running


def test_each_token_is_a_caller(tmp_path: Path) -> None:
    """It is refused with 403 by a rule, by an amount with 429 and when to come back, whatever path it takes."""
    rules = {"kitchen": {"chars_per_minute": 10}, "shop": {"voices": ["buzz"], "commands": ["say"]}}
    said = {"input": "Hello.", "response_format": "wav"}
    with http(tmp_path, callers=rules) as it:
        assert it.ask("POST", "/v1/audio/speech", said, **KITCHEN)[0].status == 200
        for path, body in (
            ("audio/speech", said),
            ("audio/speech", {**said, "play": True}),
            ("commands/say", b"Hello."),
        ):
            answer, data = it.ask("POST", f"/v1/{path}", body, **KITCHEN)
            assert (answer.status, answer.getheader("retry-after")) == (429, "60")
            assert json.loads(data)["error"]["code"] == "QuotaError"
        assert it.refused("POST", "/v1/audio/speech", said, **SHOP)[:2] == (403, "AccessError")
        assert it.refused("POST", "/v1/commands/stop", b"", **SHOP)[:2] == (403, "AccessError")
        assert it.refused("GET", "/v1/state", **SHOP)[:2] == (403, "AccessError")
        assert it.refused("POST", "/v1/audio/speech", said, authorization="Bearer three")[0] == 401
        assert it.ask("POST", "/v1/audio/speech", {**said, "voice": "buzz"}, **SHOP)[0].status == 200


def test_a_caller_sees_the_voices_that_it_may_use(tmp_path: Path) -> None:
    """In the list and in the state; who is denied sees nothing."""
    with http(tmp_path, callers={"shop": {"voices": ["buzz"]}}) as it:
        for token, seen in ((KITCHEN, ["buzz", "hum"]), (SHOP, ["buzz"])):
            told = json.loads(it.ask("GET", "/v1/voices", **token)[1])
            state = json.loads(it.ask("GET", "/v1/state", **token)[1])
            assert [voice["id"] for voice in told["voices"]] == seen
            assert [voice["id"] for voice in state["topics"]["voices"]["voices"]] == seen
    with http(tmp_path / "denied", deny=["shop"]) as it:
        assert it.refused("GET", "/v1/voices", **SHOP)[:2] == (403, "AccessError")
        assert it.ask("GET", "/v1/voices", **KITCHEN)[0].status == 200
        assert it.ask("GET", "/healthz")[0].status == 200


def test_addresses_are_denied_over_http(tmp_path: Path) -> None:
    """Whatever token they have."""
    with http(tmp_path, deny=["127.0.0.0/8"]) as it:
        assert it.refused("GET", "/v1/voices", **KITCHEN)[:2] == (403, "AccessError")
