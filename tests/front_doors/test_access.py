"""Who may ask for what: lists, rules and amounts, at the dispatcher that every front door goes through."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from dispatcher_rig import DispatcherRig, known_voice
from fakes import FakeClock, FakeSynthesizer, Notes, until
from hypothesis import given
from hypothesis import strategies as st
from rig import Rig

from edge_tts.config import AccessConfig, config_from
from edge_tts.errors import AccessError, ConfigError
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.dispatcher import Dispatcher, RequestRules
from edge_tts.front_doors.message import Message, caller_name, plain_address
from edge_tts.front_doors.usage_ledger import UsageLedger
from edge_tts.speaking.journal import Journal
from edge_tts.values import Caller, Report

KITCHEN, GUEST, NAMELESS = Caller("mqtt", "kitchen"), Caller("mqtt", "guest"), Caller("mqtt")
SATELLITE = Caller("wyoming", address="192.168.1.20")
SHOP = Caller("http", "shop", "10.1.2.3")


def configured(**access: Any) -> AccessConfig:
    return config_from({"access": access}, folder=Path()).access


def rig(shared: Callable[[str, str], bool] = lambda voice, name: True, **access: Any) -> DispatcherRig:
    """A dispatcher with these rules; its clock stands still at noon."""
    made = Access(
        configured(**access),
        ledger=UsageLedger(wall=FakeClock()),
        resolve=known_voice,
        shared=shared,
        now=lambda: datetime(2026, 6, 15, 12),
    )
    return DispatcherRig(capacity=100, access=made)


def refusals(it: DispatcherRig) -> list[str]:
    """The rule of each refusal."""
    return [report.details.get("rule", "") for report in it.notes.reports if report.stage == "failed"]


def asked(caller: Caller, payload: bytes = b"Hello.", **access: Any) -> list[str]:
    """The rule that refuses a text, if one does."""
    it = rig(**access)
    it.handle(payload, caller=caller)
    return refusals(it)


def test_without_rules_everybody_may_do_everything() -> None:
    """A private home notices nothing."""
    it = rig()
    for caller in (KITCHEN, NAMELESS, SATELLITE, SHOP, Caller("cli", "anna"), Caller("hermes")):
        it.handle(b'{"text": "Hello.", "voice": "buzz", "priority": "alert"}', caller=caller)
    assert refusals(it) == []


@pytest.mark.parametrize(
    ("caller", "rules", "refused"),
    [
        (GUEST, {"deny": ["guest"]}, "access.deny"),
        (KITCHEN, {"deny": ["guest"]}, None),
        (SATELLITE, {"deny": ["192.168.1.0/24"]}, "access.deny"),
        (SATELLITE, {"deny": ["192.168.1.21"]}, None),
        (SHOP, {"deny": ["10.1.2.3"]}, "access.deny"),
        (SATELLITE, {"deny": ["hall"], "callers": {"hall": {"addresses": ["192.168.1.20"]}}}, "access.deny"),
        (KITCHEN, {"allow": ["kitchen"]}, None),
        (NAMELESS, {"allow": ["kitchen"]}, "access.allow"),
        (SATELLITE, {"allow": ["kitchen", "192.168.0.0/16"]}, None),
        (SATELLITE, {"allow": ["fd00::/8"]}, "access.allow"),
        (SHOP, {"allow": ["shop"], "deny": ["10.0.0.0/8"]}, "access.deny"),
        (NAMELESS, {"default": {"doors": ["http"]}}, "access.default.doors"),
        (KITCHEN, {"default": {"doors": []}, "callers": {"kitchen": {}}}, None),
        (KITCHEN, {"callers": {"kitchen": {"doors": ["http"]}}}, "access.callers.kitchen.doors"),
        (KITCHEN, {"callers": {"kitchen": {"commands": ["stop"]}}}, "access.callers.kitchen.commands"),
        (KITCHEN, {"callers": {"kitchen": {"voices": ["hum"]}}}, None),
        (KITCHEN, {"callers": {"kitchen": {"voices": ["buzz"]}}}, "access.callers.kitchen.voices"),
        (KITCHEN, {"callers": {"kitchen": {"voices": ["nobody's"]}}}, "access.callers.kitchen.voices"),
        (KITCHEN, {"callers": {"kitchen": {"priorities": ["low"]}}}, "access.callers.kitchen.priorities"),
        (KITCHEN, {"callers": {"kitchen": {"hours": "07:00-12:00"}}}, "access.callers.kitchen.hours"),
        (KITCHEN, {"callers": {"kitchen": {"hours": "12:00-13:00"}}}, None),
        (
            SATELLITE,
            {"callers": {"hall": {"addresses": ["192.168.1.0/24"], "voices": []}}},
            "access.callers.hall.voices",
        ),
        (SHOP, {"callers": {"hall": {"addresses": ["10.0.0.0/8"], "voices": []}}}, None),
        (KITCHEN, {"default": {"chars_per_day": 5}}, "access.default.chars_per_day"),
        (KITCHEN, {"default": {"chars_per_day": 6}}, None),
        (KITCHEN, {"default": {"speech_s_per_minute": 0}}, "access.default.speech_s_per_minute"),
    ],
)
def test_each_rule_refuses_by_its_key(caller: Caller, rules: dict[str, Any], refused: str | None) -> None:
    """A caller by its name, else by its address, is held to its own rules, any other to the default's."""
    assert asked(caller, **rules) == ([] if refused is None else [refused])


@pytest.mark.parametrize("command", ["stop", "skip", "pause", "paused/set"])
def test_commands_are_checked_as_well(command: str) -> None:
    """Who is denied, or has other commands, can neither stop nor hold anybody's speech."""
    for rules in ({"deny": ["guest"]}, {"callers": {"guest": {"commands": ["say"]}}}):
        it = rig(**rules)
        it.dispatcher.handle(Message(command, b"true", caller=GUEST))
        assert len(refusals(it)) == 1
        assert not it.events.state.paused
    it.dispatcher.handle(Message("pause", b"", caller=KITCHEN))
    assert it.events.state.paused


def test_a_refusal_says_when_to_come_back() -> None:
    """Out of hours it is their next beginning, over an amount the end of the minute or day, and never where nothing
    changes by waiting."""
    it = rig(callers={"kitchen": {"hours": "13:30-14:00"}, "shop": {"chars_per_minute": 6}, "guest": {"voices": []}})
    for caller in (KITCHEN, SHOP, SHOP, GUEST):
        it.handle(b"Hello.", caller=caller)
    details = [report.details for report in it.notes.reports if report.stage == "failed"]
    assert [one.get("retry_after_s") for one in details] == [5400, 60, None]
    assert [one["error"] for one in details] == ["AccessError", "QuotaError", "AccessError"]
    assert "come back in 60 s (access.callers.shop.chars_per_minute)" in details[1]["message"]


def test_alerts_are_free_for_who_is_given_them_by_name() -> None:
    """Neither hours nor amounts silence a smoke detector; but nobody gets round them by calling everything an alert."""
    limits = {"hours": "07:00-08:00", "chars_per_day": 3}
    alert = b'{"text": "Fire!", "priority": "alert"}'
    for rules, refused in (({"priorities": ["alert"]}, 0), ({}, 1), ({"priorities": ["normal"]}, 1)):
        it = rig(callers={"detector": {**limits, **rules}})
        it.handle(alert, caller=Caller("mqtt", "detector"))
        assert len(refusals(it)) == refused


@pytest.mark.parametrize(
    "payload",
    [
        b'{"ssml": true, "text": "<speak><sub alias=\\"one two three four five\\">x</sub></speak>"}',
        b'{"ssml": true, "text": "<speak><say-as interpret-as=\\"characters\\">abcdefghijk</say-as></speak>"}',
        b'{"ssml": true, "text": "<speak>&#97;&#97;&#97;&#97;&#97;&#97;&#97;&#97;</speak>"}',
        b"Hello there, all of you.",
    ],
)
def test_no_markup_gets_round_the_characters(payload: bytes) -> None:
    """What is said counts, and what was sent where that is more."""
    assert asked(KITCHEN, payload, default={"chars_per_day": 20}) == ["access.default.chars_per_day"]


def test_names_that_nobody_vouches_for_share_one_account() -> None:
    """A new name, or none, for every request over MQTT is no new allowance; one in the configuration is."""
    it = rig(default={"chars_per_day": 12}, callers={"kitchen": {"chars_per_day": 12}})
    for name in ("a", "b", "c", "", "d"):
        it.handle(b"Hello.", caller=Caller("mqtt", name))
    assert refusals(it) == ["access.default.chars_per_day"] * 3
    it.handle(b"Hello.", caller=KITCHEN)
    it.handle(b"Hello.", caller=SHOP)
    it.handle(b"Hello.", caller=Caller("wyoming", address="fd00::1"))
    it.handle(b"Hello.", caller=Caller("wyoming", address="fd00::2"))
    it.handle(b"Hello.", caller=Caller("wyoming", address="fd00::3"))  # the same /64
    assert refusals(it)[3:] == ["access.default.chars_per_day"]


def test_what_is_not_spoken_costs_nothing() -> None:
    """A second delivery, a repeated id, a twin, a broken payload and a full queue."""
    it = rig(default={"chars_per_day": 12})
    it.handle(b'{"text": "Hello.", "id": "one"}')
    it.handle(b'{"text": "Hello, and much more than fits.", "id": "one"}')
    it.handle(b'{"text": "Hello.", "dedupe_s": 60}')
    it.handle(b'{"text": "Hello.", "volume": 101}')
    assert [key for key in refusals(it) if key] == []
    it.handle(b'{"text": "Hello.", "id": "two"}')
    assert [key for key in refusals(it) if key] == []
    full = DispatcherRig(capacity=1, access=Access(configured(default={"chars_per_day": 12}), resolve=known_voice))
    for text in (b"Hello.", b"Hello!", b"Hello?"):
        full.handle(text)
    assert [report.details["error"] for report in full.notes.reports if report.stage == "failed"] == [
        "QueueFullError"
    ] * 2
    full.request()
    full.handle(b"Hello,")
    assert [report.stage for report in full.notes.reports][-1] == "accepted"


def test_the_owners_word_goes_before_all_rules() -> None:
    """A voice that is not shared is refused whatever the rules say, and only then."""
    it = rig(shared=lambda voice, name: voice == "hum" or name == "shop", callers={"kitchen": {"voices": ["buzz"]}})
    it.handle(b'{"text": "Hello.", "voice": "buzz"}', caller=KITCHEN)
    it.handle(b'{"text": "Hello.", "voice": "buzz"}', caller=SHOP)
    it.handle(b"Hello.", caller=GUEST)
    assert refusals(it) == ["voices share"]
    access = it.dispatcher.access
    assert [access.may_use(SHOP, voice) for voice in ("hum", "buzz")] == [True, True]
    assert [access.may_use(KITCHEN, voice) for voice in ("hum", "buzz")] == [False, False]


def closed(it: Rig) -> list[Report]:
    return [report for report in list(it.notes.reports) if report.stage in ("done", "failed")]


def spoken(it: Rig, dispatcher: Dispatcher, texts: list[str], caller: Caller) -> list[Report]:
    """The closing reports."""
    with it.running():
        for number, text in enumerate(texts):
            dispatcher.handle(Message("say", f'{{"text": "{text}", "id": "r{number}"}}'.encode(), caller=caller))
            until(lambda name=f"r{number}": any(one.id == name for one in closed(it)))
    return closed(it)


def test_speech_ends_with_its_last_second() -> None:
    """What was rendered counts; a request that uses the rest up is heard so far and fails by the rule, and the next
    one is not begun."""
    it = Rig(synthesizer=FakeSynthesizer(chunks=5, chunk_s=0.1))
    access = Access(configured(default={"speech_s_per_minute": 0.75}), ledger=UsageLedger(wall=FakeClock()))
    rules = RequestRules(str, ContentRules(100), 1000, access=access)
    dispatcher = Dispatcher(runtime=it.runtime, rules=rules, jobs=it.jobs, player=it.player)
    first, second, third = spoken(it, dispatcher, ["One.", "Two.", "Three."], KITCHEN)
    assert first.stage == "done"
    assert second.details["rule"] == third.details["rule"] == "access.default.speech_s_per_minute"
    heard_s = sum(len(block) for block in it.loudspeaker.blocks) / 8000
    assert 0.75 <= heard_s <= 0.85 + 0.1
    assert it.synthesizer.spoken == ["One.", "Two."]


def test_a_request_that_is_resumed_counts_for_its_caller(tmp_path: Path) -> None:
    """After a crash its speech still has its account."""
    path = tmp_path / "jobs"
    clock = FakeClock()
    access = Access(configured(callers={"kitchen": {"speech_s_per_day": 1}}), ledger=UsageLedger(wall=clock))
    before = DispatcherRig(journal=Journal(path, clock=clock), clock=clock, access=access)
    before.handle(b"Hello.", caller=KITCHEN)
    after = DispatcherRig(journal=Journal(path, clock=clock), clock=clock, notes=Notes(), access=access)
    after.dispatcher.resume(Journal(path, clock=clock), oldest_s=60, reply=lambda address: lambda report: None)
    job = after.jobs.dequeue(0)
    assert job is not None
    assert [job.meter(0.6) is None for _ in range(3)] == [True, True, False]
    with pytest.raises(AccessError):
        access.admit(KITCHEN, 1, "normal")


@given(st.text())
def test_a_name_is_one_that_can_be_configured_or_none(text: str) -> None:
    """Whatever a client calls itself: what is left of it can stand in `access.callers`, or is nobody's name."""
    name = caller_name(text)
    assert not name or name in configured(callers={name: {}}).callers


def test_addresses_are_compared_as_they_are() -> None:
    """Without their zones, and IPv4 as IPv4."""
    assert plain_address("::ffff:10.1.2.3") == "10.1.2.3"
    assert plain_address("fe80::1%eth0") == "fe80::1"


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({"callers": {"Kitchen": {}}}, "access.callers.Kitchen"),
        ({"callers": {"kitchen": {"addresses": ["kitchen.local"]}}}, "does not appear to be an IPv4 or IPv6 network"),
        ({"deny": ["Guest"]}, "'Guest', which is neither a caller's name, in lower case, nor an address"),
        ({"allow": ["10.0.0.0/33"]}, "does not appear to be"),
        ({"allow": "kitchen"}, "no list"),
        ({"default": {"hours": "07:00-07:00"}}, "begins when it ends"),
        ({"default": {"chars_per_day": -1}}, "chars_per_day"),
        ({"default": {"doors": ["mqt"]}}, "did you mean 'mqtt'"),
    ],
)
def test_rules_that_would_never_match_are_refused(access: dict[str, Any], words: str) -> None:
    """A slip in a list must not mean that somebody may."""
    with pytest.raises(ConfigError, match=words):
        configured(**access)
