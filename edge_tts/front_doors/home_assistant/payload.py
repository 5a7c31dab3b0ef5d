"""The discovery message: one device with all its entities, in the schema of Home Assistant 2026.

The keys and the platforms are those of https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload.
Everything is read from, and commanded by, the topics of docs/mqtt.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_tts.values import CLOSING

SAY_EXPIRY_S, PRESS_EXPIRY_S = 120, 10
"""Seconds after which the broker drops an announcement, or the press of a button, that it could not deliver."""
PARTS = (
    *("loudspeaker", "microphone", "ducking", "telemetry", "gpio_button", "key_button", "press_socket"),
    *("retained_topics", "sync", "fleet", "render_group", "results_bucket", "wyoming", "http"),
)
"""What may be in `state.health`: the entity of a part that is configured no more is taken back."""

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What stays the same while the process runs."""

    name: str
    """`Config.device`."""
    base: str
    """Its topics lie below."""
    model: str
    version: str
    say: str = "say"
    """The topic, below `base`, that its words are sent to."""

    @property
    def key(self) -> str:
        """Names the device in Home Assistant."""
        return f"edge_tts_{self.name}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What may change; read from the retained topics."""

    voices: tuple[tuple[str, str], ...]
    """Id and name."""
    parts: tuple[str, ...]
    """The configured ones."""
    has_temperature: bool
    newest_set: str | None
    """None where model sets cannot be changed."""
    has_releases: bool = False
    offered_set: str | None = None
    """Of the release that waits for somebody to install it."""


def read_facts(retained: Mapping[str, Mapping[str, Any]]) -> Facts:
    """`retained`: topic -> value, as in `EventBus.retained`."""
    state, voices, models, release = (retained.get(topic, {}) for topic in ("state", "voices", "models", "release"))
    return Facts(
        voices=tuple((voice["id"], voice["name"]) for voice in voices.get("voices", ())),
        parts=tuple(sorted(state.get("health", {}))),
        has_temperature="temperature_c" in state.get("telemetry", {}),
        newest_set=models.get("newest"),
        has_releases=bool(release),
        offered_set=release.get("set") if release.get("stage") == "offered" else None,
    )


def discovery(device: Device, facts: Facts) -> dict[str, Any]:
    """The whole message."""
    entities = {
        "say": _say(device),
        "voice": _voice(device, facts.voices),
        **_controls(device),
        "receipt": _receipt(device),
        **_sensors(device, facts),
        **_parts(device, facts.parts),
        **_model(device, facts.newest_set),
        **_release(device, facts),
    }
    return {
        "device": {
            "identifiers": [device.key],
            "name": f"edge-tts {device.name}",
            "manufacturer": "edge-tts",
            "model": device.model,
            "sw_version": device.version,
        },
        "origin": {"name": "edge-ttsd", "sw_version": device.version},
        "availability_topic": f"{device.base}/status",
        "components": {key: _named(device, key, entity) for key, entity in entities.items()},
    }


def _named(device: Device, key: str, entity: Entity) -> Entity:
    """With its ids, unless it is taken back: that is a platform alone."""
    if entity.keys() == {"platform"}:
        return entity
    suffix = "" if entity["name"] is None else f"_{key}"
    entity_id = f"{entity['platform']}.{device.key}{suffix}".lower().replace("-", "_")
    return {**entity, "unique_id": f"{device.key}_{key}", "default_entity_id": entity_id, "qos": 1}


def _say(device: Device) -> Entity:
    return {
        "platform": "notify",
        "name": None,
        "icon": "mdi:bullhorn",
        "command_topic": f"{device.base}/{device.say}",
        "message_expiry_interval": SAY_EXPIRY_S,
    }


def _voice(device: Device, voices: Sequence[tuple[str, str]]) -> Entity:
    """Its options are names; where two voices share one, or it means unknown, the beginning of the id is added."""
    count = Counter(name for _, name in voices)
    labels = {
        id: name if count[name] == 1 and name.casefold() != "none" else f"{name} ({id[:6]})" for id, name in voices
    }
    return {
        "platform": "select",
        "name": "Voice",
        "icon": "mdi:account-voice",
        "command_topic": f"{device.base}/voice/set",
        "command_template": _lookup({label: id for id, label in labels.items()}, "value"),
        "options": list(labels.values()),
        **_from_state(device, _lookup(labels, "value_json.voice")),
    }


def _controls(device: Device) -> dict[str, Entity]:
    press = {"platform": "button", "payload_press": "", "message_expiry_interval": PRESS_EXPIRY_S}
    return {
        "volume": {
            "platform": "number",
            "name": "Volume",
            "icon": "mdi:volume-high",
            "command_topic": f"{device.base}/volume/set",
            "min": 0,
            "max": 100,
            "step": 1,
            "unit_of_measurement": "%",
            **_from_state(device, "{{ value_json.volume }}"),
        },
        "stop": {**press, "name": "Stop", "icon": "mdi:stop", "command_topic": f"{device.base}/stop"},
        "skip": {**press, "name": "Skip", "icon": "mdi:skip-next", "command_topic": f"{device.base}/skip"},
        "pause": {
            "platform": "switch",
            "name": "Pause",
            "icon": "mdi:pause",
            "command_topic": f"{device.base}/paused/set",
            **_from_state(device, "{{ 'ON' if value_json.paused else 'OFF' }}"),
        },
    }


def _receipt(device: Device) -> Entity:
    """How each request ended, with the details of the report; the device's own jobs are nobody's request."""
    stages = sorted(CLOSING)
    details = "dict(value_json.details, event_type=value_json.stage, id=value_json.id, ms=value_json.ms)"
    asked_for = f"value_json.stage in {json.dumps(stages)} and 'kind' not in value_json.details"
    return {
        "platform": "event",
        "name": "Receipt",
        "icon": "mdi:receipt-text-check",
        "state_topic": f"{device.base}/events",
        "event_types": stages,
        "value_template": f"{{% if {asked_for} %}}{{{{ {details} | tojson }}}}{{% endif %}}",
    }


def _sensors(device: Device, facts: Facts) -> dict[str, Entity]:
    measured = {"platform": "sensor", "state_class": "measurement", "entity_category": "diagnostic"}
    sensors: dict[str, Entity] = {
        "queue": {
            **measured,
            "name": "Queue",
            "icon": "mdi:tray-full",
            **_from_state(device, "{{ value_json.waiting }}"),
        },
        "real_time_factor": {
            **measured,
            "name": "Real-time factor",
            "icon": "mdi:speedometer",
            "suggested_display_precision": 2,
            **_from_state(device, "{{ value_json.rtf }}"),
        },
        "microphone": {
            "platform": "binary_sensor",
            "name": "Microphone",
            "icon": "mdi:microphone",
            "entity_category": "diagnostic",
            "payload_on": "open",
            "payload_off": "closed",
            **_from_state(device, "{{ value_json.microphone }}"),
        },
    }
    sensors |= _service_level(device, measured)
    if facts.has_temperature:
        sensors["temperature"] = {
            **measured,
            "name": "Temperature",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            **_from_state(device, "{{ value_json.telemetry.get('temperature_c') }}"),
        }
    return sensors


def _service_level(device: Device, measured: Entity) -> dict[str, Entity]:
    """Of the last day. A template that gives None makes the state unknown."""
    level, diagnostic = "value_json.service_level", {"entity_category": "diagnostic"}
    day = f"{level}.get('day', {{}})"
    return {
        "first_audio_p95": {
            **measured,
            "name": "First audio P95",
            "icon": "mdi:timer-outline",
            "device_class": "duration",
            "unit_of_measurement": "s",
            "suggested_display_precision": 2,
            **_from_state(device, f"{{{{ {day}.get('first_audio_p95_s') }}}}"),
        },
        "success": {
            **measured,
            "name": "Success",
            "icon": "mdi:check-circle-outline",
            "unit_of_measurement": "%",
            "suggested_display_precision": 2,
            **_from_state(device, f"{{{{ {day}.get('success_percent') }}}}"),
        },
        "service_level": {
            "platform": "binary_sensor",
            "name": "Service level",
            "icon": "mdi:gauge",
            "device_class": "problem",
            "payload_on": "ON",
            "payload_off": "OFF",
            **diagnostic,
            "json_attributes_topic": f"{device.base}/state",
            "json_attributes_template": f"{{{{ {level} | tojson }}}}",
            **_from_state(device, f"{{{{ {{true: 'OFF', false: 'ON'}}.get({level}.get('met'), 'None') }}}}"),
        },
        "started": {
            "platform": "sensor",
            "name": "Started",
            "device_class": "timestamp",
            **diagnostic,
            **_from_state(device, "{{ value_json.started_at }}"),
        },
    }


def _parts(device: Device, parts: Sequence[str]) -> dict[str, Entity]:
    """One sensor for each configured part, with the reason of its failure."""
    entities: dict[str, Entity] = {f"health_{part}": {"platform": "sensor"} for part in PARTS}
    for part in parts:
        health = f"value_json.health.get('{part}', {{}})"
        entities[f"health_{part}"] = {
            "platform": "sensor",
            "name": f"Health {part.replace('_', ' ')}",
            "icon": "mdi:heart-pulse",
            "device_class": "enum",
            "options": ["ok", "failing", "stuck"],
            "entity_category": "diagnostic",
            "json_attributes_topic": f"{device.base}/state",
            "json_attributes_template": f"{{{{ {health} | tojson }}}}",
            **_from_state(device, f"{{{{ {health}.get('status') }}}}"),
        }
    return entities


def _model(device: Device, newest: str | None) -> dict[str, Entity]:
    """A set that was installed after the one that speaks is an update."""
    if newest is None:
        return {}
    versions = "'installed_version': value_json.current, 'latest_version': value_json.newest or value_json.current"
    update = {
        "platform": "update",
        "name": "Model set",
        "icon": "mdi:brain",
        "entity_category": "config",
        "command_topic": f"{device.base}/models/activate",
        "payload_install": newest,
        "state_topic": f"{device.base}/models",
        "value_template": f"{{{{ {{{versions}, 'in_progress': value_json.change is not none}} | tojson }}}}",
    }
    return {"model_set": update}


def _release(device: Device, facts: Facts) -> dict[str, Entity]:
    """A signed release for this device; it is installed from here where `fleet.auto` is off."""
    if not facts.has_releases:
        return {"release": {"platform": "update"}}
    new = "value_json.stage in ['offered', 'downloading', 'trying', 'activating']"
    busy = "value_json.stage in ['downloading', 'trying', 'activating']"
    values = (
        f"'installed_version': value_json.current, 'latest_version': value_json.set if {new} else value_json.current, "
        f"'in_progress': {busy}, 'update_percentage': value_json.percent, "
        "'release_summary': (value_json.why or value_json.stage)[:255]"
    )
    update = {
        "platform": "update",
        "name": "Release",
        "icon": "mdi:package-variant-closed-check",
        "entity_category": "config",
        "state_topic": f"{device.base}/release",
        "value_template": f"{{{{ {{{values}}} | tojson }}}}",
        "command_topic": f"{device.base}/release/install",
        "payload_install": facts.offered_set or "nothing",
    }
    return {"release": update}


def _from_state(device: Device, template: str) -> Entity:
    return {"state_topic": f"{device.base}/state", "value_template": template}


def _lookup(values: Mapping[str, str], key: str) -> str:
    """A template that looks `key` up. A JSON string is one of Jinja's, too, if it holds no surrogates."""
    return f"{{{{ {json.dumps(values, ensure_ascii=False)}.get({key}, '') }}}}"
