"""What Home Assistant is told: the message, its templates, and when it is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Ear
from fakes import FakeClock, FakeLoudspeaker, FakeSynthesizer
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment
from rig import make_runtime, no_defect
from toy_model_sets import write_model_set

import edge_tts
from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import HomeAssistantConfig, config_from
from edge_tts.fleet.reports import ReleaseStatus
from edge_tts.front_doors.home_assistant.discovery import BIRTH_S, SETTLE_S, HomeAssistant
from edge_tts.front_doors.home_assistant.payload import PARTS, Device, Facts, discovery, read_facts
from edge_tts.front_doors.message import Message
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.runtime.event_bus import PartHealth
from edge_tts.runtime.runtime import Runtime

DEVICE = Device(name="Living-room_2", base="edge-tts/Living-room_2", model="toy 1", version="1.2.3")
FACTS = Facts(
    voices=(("hum", "Hum"), ("buzz", "Buzz")),
    parts=("loudspeaker", "sync"),
    has_temperature=True,
    newest_set="other",
)
TOPIC = "homeassistant/device/edge_tts_Living-room_2/config"
EVERY = {"platform", "unique_id", "default_entity_id", "name", "qos"}
READS, COMMANDS = {"state_topic", "value_template"}, {"command_topic"}
KNOWN = {
    "notify": COMMANDS | {"message_expiry_interval"},
    "select": READS | COMMANDS | {"options", "command_template"},
    "number": READS | COMMANDS | {"min", "max", "step", "unit_of_measurement"},
    "button": COMMANDS | {"payload_press", "message_expiry_interval"},
    "switch": READS | COMMANDS,
    "event": READS | {"event_types"},
    "sensor": READS,
    "binary_sensor": READS | {"payload_on", "payload_off"},
    "update": READS | COMMANDS | {"payload_install"},
}
"""The keys of Home Assistant 2026 that an entity of a platform must have here."""
OPTIONAL = {"entity_category", "device_class", "state_class", "suggested_display_precision", "unit_of_measurement"}
OPTIONAL |= {"icon", "options", "json_attributes_topic", "json_attributes_template"}
ROOT = {"device", "origin", "components", "availability_topic"}
"""Home Assistant drops a message with any other key at this level that it does not know."""


def render(template: str, **values: Any) -> str:
    """As Home Assistant does it."""
    return ImmutableSandboxedEnvironment().from_string(template).render(**values).strip()


def entities(facts: Facts = FACTS) -> dict[str, dict[str, Any]]:
    message: dict[str, dict[str, Any]] = json.loads(json.dumps(discovery(DEVICE, facts)))["components"]
    return message


class FakeLink:
    """Remembers what is retained; `say` delivers a message."""

    def __init__(self) -> None:
        self.retained: list[tuple[str, str]] = []
        self._listeners: dict[str, Callable[[Message], None]] = {}

    def retain(self, topic: str, payload: str) -> None:
        self.retained.append((topic, payload))

    def listen(self, topic: str, listener: Callable[[Message], None]) -> None:
        self._listeners[topic] = listener

    def say(self, topic: str, payload: bytes) -> None:
        self._listeners[topic](Message(topic, payload))


def announced(clock: FakeClock, link: FakeLink) -> tuple[Runtime, HomeAssistant]:
    """One that has announced a device with the voice `hum`."""
    runtime = make_runtime(clock=clock)
    assistant = HomeAssistant(
        runtime=runtime, link=link, config=HomeAssistantConfig(), device=DEVICE, jitter=lambda: 0.5
    )
    runtime.events.retain("voices", {"voices": [{"id": "hum", "name": "Hum"}]})
    runtime.events.set_health("loudspeaker", PartHealth())
    assistant.start()
    clock.now += SETTLE_S
    assistant.poll()
    return runtime, assistant


def test_the_message_is_in_home_assistants_schema() -> None:
    """The root, each platform and the ids are as Home Assistant 2026 wants them, and one key too many is an error."""
    message = discovery(DEVICE, FACTS)
    assert message.keys() == ROOT
    assert message["device"]["identifiers"] == ["edge_tts_Living-room_2"]
    removed = [key for key, entity in entities().items() if entity.keys() == {"platform"}]
    assert removed == [*(f"health_{part}" for part in PARTS if part not in FACTS.parts), "release"]
    present = {key: entity for key, entity in entities().items() if key not in removed}
    for entity in present.values():
        platform = entity["platform"]
        must = EVERY | KNOWN[platform]
        assert must <= entity.keys() <= must | OPTIONAL
        name = f"edge_tts_living_room_2 {entity['name'] or ''}".strip()  # of which an older one makes the same id
        assert entity["default_entity_id"] == f"{platform}.{name.lower().replace(' ', '_').replace('-', '_')}"
    assert len({entity["unique_id"] for entity in present.values()}) == len(present)
    assert {entity["platform"] for entity in present.values()} == KNOWN.keys()


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1) | st.just("None"), max_size=6))
def test_every_voice_can_be_chosen_and_shown(names: list[str]) -> None:
    """Whatever voices are called, also alike or like a template, each has an option of its own that leads to its id."""
    voices = tuple((f"{index:06d}-id", name) for index, name in enumerate(names))
    select = entities(Facts(voices, (), False, None))["voice"]
    assert len(set(select["options"])) == len(voices)
    for id, _ in voices:
        option = render(select["value_template"], value_json={"voice": id})
        assert option in select["options"]
        assert option.casefold() != "none"
        assert render(select["command_template"], value=option) == id
    assert render(select["value_template"], value_json={"voice": "new"}) == ""


def test_only_the_end_of_a_request_is_a_receipt() -> None:
    """Other stages, and the device's own jobs, give no event; the details of a report are its attributes."""
    template = entities()["receipt"]["value_template"]
    report = {"id": "a", "stage": "failed", "ms": 3.0, "details": {"error": "TextError", "message": "<nothing>"}}
    event = json.loads(render(template, value_json=report))
    assert event == {"event_type": "failed", "id": "a", "ms": 3.0, "error": "TextError", "message": "<nothing>"}
    assert render(template, value_json={**report, "stage": "started"}) == ""
    assert render(template, value_json={**report, "details": {"kind": "encoding"}}) == ""


def test_states_are_read_where_they_are() -> None:
    """Each sensor finds its value in the retained topics, and nothing where a part or a sensor is not there."""
    state = {
        "waiting": 2,
        "rtf": 0.25,
        "microphone": "open",
        "paused": True,
        "volume": 40.0,
        "telemetry": {"temperature_c": 48},
        "health": {"sync": {"status": "failing", "since": "s", "why": "w"}},
        "service_level": {"day": {"first_audio_p95_s": 0.74, "success_percent": 99.2}, "met": False},
        "started_at": "2026-01-02T00:00:00+00:00",
    }
    all_entities = entities()
    expected = {
        "queue": "2",
        "real_time_factor": "0.25",
        "microphone": "open",
        "pause": "ON",
        "volume": "40.0",
        "temperature": "48",
        "health_sync": "failing",
        "health_loudspeaker": "None",
        "first_audio_p95": "0.74",
        "success": "99.2",
        "service_level": "ON",
        "started": "2026-01-02T00:00:00+00:00",
    }
    assert {key: render(all_entities[key]["value_template"], value_json=state) for key in expected} == expected
    why = render(all_entities["health_sync"]["json_attributes_template"], value_json=state)
    assert json.loads(why) == {"status": "failing", "since": "s", "why": "w"}
    models = {"current": "starter", "newest": "other", "change": None}
    update = json.loads(render(all_entities["model_set"]["value_template"], value_json=models))
    assert update == {"installed_version": "starter", "latest_version": "other", "in_progress": False}
    assert all_entities["model_set"]["payload_install"] == "other"


@pytest.mark.parametrize(
    ("stage", "latest", "busy"),
    [("offered", "mine-1", False), ("trying", "mine-1", True), ("installed", "old", False), ("failed", "old", False)],
)
def test_a_release_is_an_update_that_can_be_installed(stage: str, latest: str, busy: bool) -> None:
    """What is offered or on its way is newer than what speaks; a press names the very set that was shown."""
    status = ReleaseStatus.model_validate({"stage": stage, "set": "mine-1", "why": "because", "current": "old"})
    shown = json.loads(status.model_dump_json())
    retained = {"release": shown}
    facts = read_facts(retained)
    update = entities(facts)["release"]
    said = json.loads(render(update["value_template"], value_json=shown))
    assert (said["installed_version"], said["latest_version"], said["in_progress"]) == ("old", latest, busy)
    assert said["release_summary"] == "because"
    assert update["payload_install"] == ("mine-1" if stage == "offered" else "nothing")
    assert READS | COMMANDS <= update.keys() <= EVERY | KNOWN["update"] | OPTIONAL


@pytest.mark.parametrize(("level", "problem"), [({"met": True}, "OFF"), ({"met": None}, "None"), ({}, "None")])
def test_a_service_level_without_requests_is_unknown(level: dict[str, Any], problem: str) -> None:
    """So are its measured values, also before the first look."""
    all_entities, state = entities(), {"service_level": level}
    assert render(all_entities["service_level"]["value_template"], value_json=state) == problem
    assert render(all_entities["success"]["value_template"], value_json=state) == "None"


def test_a_birth_message_is_answered_after_a_random_delay() -> None:
    """Home Assistant's `online` has the message sent once more, when the drawn time is over; its `offline` does not."""
    clock, link = FakeClock(), FakeLink()
    _, assistant = announced(clock, link)
    before = len(link.retained)
    link.say("homeassistant/status", b"offline")
    clock.now += BIRTH_S
    assistant.poll()
    assert len(link.retained) == before
    link.say("homeassistant/status", b"online")
    clock.now += 0.4 * BIRTH_S
    assistant.poll()
    assert len(link.retained) == before
    clock.now += 0.2 * BIRTH_S
    assistant.poll()
    assistant.poll()
    assert link.retained[before:] == link.retained[:1]


def test_a_change_of_voices_is_announced_and_the_state_repeated() -> None:
    """The message follows the voices, and no other news; the state comes again once the new option is known there."""
    clock, link = FakeClock(), FakeLink()
    runtime, assistant = announced(clock, link)
    states: list[str] = []
    before = len(link.retained)
    runtime.events.update(waiting=1)
    runtime.events.retain("voices", {"voices": [{"id": "hum", "name": "Hum"}], "sync": {"status": "running"}})
    assert len(link.retained) == before
    runtime.events.retain("voices", {"voices": [{"id": "hum", "name": "Hum"}, {"id": "buzz", "name": "Buzz"}]})
    assert len(link.retained) == before + 1
    assert json.loads(link.retained[-1][1])["components"]["voice"]["options"] == ["Hum", "Buzz"]

    class Ears:
        def on_report(self, report: object) -> None: ...

        def on_retained(self, topic: str, value: object) -> None:
            states.append(topic)

    runtime.events.subscribe(Ears())
    states.clear()
    assistant.poll()
    assert states == []
    clock.now += SETTLE_S
    assistant.poll()
    assistant.poll()
    assert states == ["state"]


@contextmanager
def appliance(broker: Broker, folder: Path, **home_assistant: Any) -> Iterator[Appliance]:
    """One that hums, at a real broker."""
    mqtt = {"host": "127.0.0.1", "port": broker.port, "reconnect_min_s": 0.05, "reconnect_max_s": 0.1}
    values = {"device": "Living-room_2", "mqtt": mqtt, "home_assistant": home_assistant}
    surroundings = Surroundings(
        load=FakeSynthesizer().loaded, open_loudspeaker=lambda rate: FakeLoudspeaker(), fatal=no_defect
    )
    model = folder / "models" / "toy"
    if not model.exists():
        write_model_set(model, voices=("hum", "buzz"))
    with Appliance(config_from(values, folder=folder), read_model_set(model), surroundings) as running:
        yield running


def test_switched_off_it_is_taken_back_and_nobody_listens(broker: Broker, tmp_path: Path) -> None:
    """On: the message is retained at the broker. Off: it is emptied, and a birth message is not a command."""
    with Ear(broker, "homeassistant") as home, Ear(broker, DEVICE.base) as ear:
        with appliance(broker, tmp_path):
            payload = home.wait_topic(TOPIC.removeprefix("homeassistant/"))
            assert json.loads(payload)["components"]["voice"]["options"] == ["Hum", "Buzz"]
        with appliance(broker, tmp_path, enabled=False):
            home.wait_topic(TOPIC.removeprefix("homeassistant/"), "")
            home.publish("status", "online")
            ear.publish("say", {"id": "a", "text": "hi"})
            ear.wait_event(id="a", stage="done")
        assert [event for event in ear.events() if event["stage"] == "failed"] == []
        with Ear(broker, "homeassistant") as late:
            late.publish("status", "offline")
            late.wait_topic("status", "offline")
            assert late.on(TOPIC.removeprefix("homeassistant/")) == []


def test_the_topics_it_uses_are_there(broker: Broker, tmp_path: Path) -> None:
    """Each command is one of the device's, and a switch can set `paused` both ways; the state has the last real-time
    factor."""
    with Ear(broker, DEVICE.base) as ear, appliance(broker, tmp_path) as running:
        commands = {*running.dispatcher.commands, "models/activate"}
        used = {entity["command_topic"] for entity in entities().values() if "command_topic" in entity}
        assert {topic.removeprefix(f"{DEVICE.base}/") for topic in used} <= commands
        ear.publish("paused/set", "ON")
        ear.wait_state(paused=True)
        ear.publish("paused/set", "perhaps")
        assert "neither true nor false" in ear.wait_event(stage="failed")["details"]["message"]
        ear.publish("paused/set", b"false")
        ear.wait_for(lambda: any(json.loads(text)["paused"] is False for text in ear.on("state")[2:]))
        ear.publish("say", {"id": "a", "text": "hi"})
        rtf = ear.wait_event(id="a", stage="done")["details"]["rtf"]
        ear.wait_state(rtf=rtf, speaking=None)


@pytest.mark.parametrize("prefix", ["", "a/#", "+", "a//b"])
def test_a_prefix_that_is_no_topic_is_refused(prefix: str) -> None:
    """Wildcards and empty levels are no discovery prefix."""
    with pytest.raises(ValueError, match="prefix"):
        HomeAssistantConfig(prefix=prefix)


def test_every_part_that_has_a_health_is_known() -> None:
    """The entity of any part in `state.health` is taken back once it is configured no more."""
    package = Path(edge_tts.__file__).parent
    names = set()
    for path in package.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        names |= set(re.findall(r'PartStatus\(\s*"([a-z_]+)"', source))
        if "(OptionalPart)" in source or "(RepeatedPart)" in source:
            names |= set(re.findall(r'super\(\).__init__\(\s*name="([a-z-]+)"', source))
    assert {name.replace("-", "_") for name in names} | {"gpio_button", "key_button", "microphone"} == set(PARTS)
