"""The dispatcher: what it accepts, what it refuses, and which duplicates it drops."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dispatcher_rig import WALL, DispatcherRig

from edge_tts.config import Config, load_config
from edge_tts.errors import RequestError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.settings_commands import SettingsCommands
from edge_tts.front_doors.voice_commands import VoiceCommands
from edge_tts.request import SpeakRequest


def test_bare_text_takes_every_default() -> None:
    """Voice and id come from the appliance when the message does not say."""
    rig = DispatcherRig()
    rig.handle(b"hello")
    assert rig.request() == SpeakRequest(text="hello", id="auto1", voice="hum")


def test_an_id_that_comes_by_two_front_doors_at_once_is_spoken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages take turns: the second is not looked at before the first is remembered."""
    rig, second_came = DispatcherRig(), threading.Event()
    threads = [threading.Thread(target=rig.handle, args=(b'{"text": "a", "id": "x"}',)) for _ in range(2)]
    accept = rig.dispatcher.accept

    def slow(say: Any, caller: Any) -> SpeakRequest:
        if threading.current_thread() is threads[1]:
            second_came.set()
        second_came.wait(0.2)
        return accept(say, caller)

    monkeypatch.setattr(rig.dispatcher, "accept", slow)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.stage for report in rig.notes.reports] == ["accepted"]


def test_the_shorter_lifetime_counts() -> None:
    """Of the message's ttl_s and MQTT's own expiry the shorter one sets the deadline."""
    rig = DispatcherRig()
    rig.handle(b'{"text": "a", "ttl_s": 5}', expires_in_s=3.0)
    assert rig.deadline() == rig.clock.now + 3
    rig.handle(b'{"text": "b", "ttl_s": 2}', expires_in_s=3.0)
    assert rig.deadline() == rig.clock.now + 2


def test_a_duplicate_without_id_is_known_by_the_brokers_flag() -> None:
    """The same text twice is spoken twice, unless the broker says that it sends the same message again."""
    rig = DispatcherRig()
    rig.handle(b"ding", number=1)
    rig.handle(b"ding", number=2)
    rig.handle(b"ding", number=2, redelivered=True)
    rig.handle(b"ding", number=3, redelivered=True)  # the first delivery was lost
    assert [report.id for report in rig.notes.reports] == ["auto1", "auto2", "auto3"]


def test_a_refused_id_may_be_tried_again() -> None:
    """An id that did not get into the full queue is not taken for a duplicate later."""
    rig = DispatcherRig(capacity=1)
    rig.handle(b'{"text": "a", "id": "a"}')
    rig.handle(b'{"text": "b", "id": "b"}', reply=rig.notes.reply("there"))
    assert rig.notes.stages("b") == ["failed"]
    rig.jobs.stop("a")
    rig.handle(b'{"text": "b", "id": "b"}')
    assert rig.notes.stages("b") == ["failed", "accepted"]
    assert [name for name, report in rig.notes.replies if report.id == "b"] == ["there"]


def test_a_wrong_message_cannot_end_the_replies_of_another() -> None:
    """A bad payload that claims the id of a waiting request does not take its reply address away."""
    rig = DispatcherRig()
    rig.handle(b'{"text": "a", "id": "a"}', reply=rig.notes.reply("mine"))
    rig.handle(b'{"txt": "a", "id": "a"}')
    rig.jobs.stop("a")
    assert [(name, report.stage) for name, report in rig.notes.replies] == [
        ("mine", "accepted"),
        ("mine", "interrupted"),
    ]


REFUSED = {
    "voices/delete": {"name": "Anna"},
    "voices/rename": {"voice": "Anna", "name": "Mum"},
    "say": {"text": "a"},
}


@pytest.mark.parametrize("command", REFUSED)
def test_nobody_gets_the_reports_on_a_request_of_another(command: str) -> None:
    """A sender who reuses the id of a waiting request gets only the reports on its own."""
    rig = DispatcherRig(capacity=1)
    catalogue = SimpleNamespace(enrolled=lambda wanted: wanted, deletable=lambda wanted, name: wanted)
    store = SimpleNamespace(acting=lambda caller: SimpleNamespace(delete_later=lambda ref: None))
    voices: Any = SimpleNamespace(catalogue=catalogue, store=store)
    voice_commands = VoiceCommands(runtime=rig.runtime, jobs=rig.jobs, voices=voices, changed=lambda: None)
    commands = {**voice_commands.commands(), "say": lambda message: rig.dispatcher.handle(message)}
    rig.handle(b'{"text": "private", "id": "victim", "priority": "alert"}', reply=rig.notes.reply("mine"))
    payload = json.dumps({**REFUSED[command], "id": "victim"}).encode()
    with suppress(RequestError):
        commands[command](Message(command, payload, reply=rig.notes.reply("thief")))
    rig.jobs.stop("victim")
    assert {report.stage for name, report in rig.notes.replies if name == "thief"} <= {"failed"}
    assert [report.stage for name, report in rig.notes.replies if name == "mine"] == ["accepted", "interrupted"]


def test_a_defect_ends_one_message(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that nobody named while a message is read is told to its sender, with its traceback in the log once;
    what its neighbours send is served."""
    rig = DispatcherRig()
    ready = rig.dispatcher._rules.resolve_voice

    def stumble(wanted: str) -> str:
        return str(1 // 0) if wanted == "bug" else ready(wanted)

    rig.dispatcher._rules = replace(rig.dispatcher._rules, resolve_voice=stumble)
    rig.handle(b'{"text": "a", "id": "bad", "voice": "bug"}', reply=rig.notes.reply("there"))
    rig.handle(b'{"text": "a", "id": "good"}')
    [(name, report)] = rig.notes.replies
    assert (report.id, report.stage, report.details["error"], name) == ("bad", "failed", "InternalError", "there")
    assert "ZeroDivisionError" in report.details["message"]
    assert rig.notes.stages("good") == ["accepted"]
    assert sum(record.exc_info is not None for record in caplog.records) == 1


@pytest.mark.parametrize("command", ["enrol", "say/it", ""])
def test_a_command_that_does_not_exist_is_refused(command: str) -> None:
    """A topic that another version subscribed to in the same session gets a report, not a crash."""
    rig = DispatcherRig()
    rig.dispatcher.handle(Message(command, b""))
    [message] = rig.failures()
    assert f"no command '{command}'" in message


@pytest.mark.parametrize(("language", "says"), [("fr", "no language option 'fr'"), ("ja", "not supported yet")])
def test_a_language_that_nobody_speaks_is_refused_at_once(language: str, says: str) -> None:
    """The sender hears it in place of `accepted`, not when the turn of the request has come."""
    rig = DispatcherRig()
    rig.handle(json.dumps({"text": "a", "language": language, "id": "a"}).encode())
    assert rig.notes.stages("a") == ["failed"]
    assert says in rig.failures()[0]


def test_a_document_cannot_say_more_than_the_limit() -> None:
    """Digits that become words count as these, and a malformed document is refused before it waits in line."""
    rig = DispatcherRig()
    for text, message in (
        ("<speak><say-as interpret-as='digits'>777777777777777777777</say-as></speak>", "says 125 characters; limits"),
        ("<speak><say-as interpret-as='digits'>7</say-as>", "no element found at line 1"),
    ):
        rig.handle(json.dumps({"text": text, "ssml": True}).encode())
        assert message in rig.failures()[-1]
    rig.handle(b'{"ssml": true, "text": "<speak><say-as interpret-as=\'digits\'>777</say-as></speak>"}')
    assert "777" in rig.request().text


@pytest.mark.parametrize("payload", [b"unknown", b" Unknown\n", b'{"text": "UNKNOWN"}', b'"unknown"'])
def test_a_text_that_says_nothing_is_known_is_refused(payload: bytes) -> None:
    """What is listed under text.refuse is reported, not spoken, when it is the whole text."""
    rig = DispatcherRig()
    rig.handle(payload)
    [message] = rig.failures()
    assert "text.refuse" in message
    rig.handle(b'{"ssml": true, "text": "<speak> Unknown <break/></speak>"}')
    assert "text.refuse" in rig.failures()[-1]
    rig.handle(b"unknown visitors")
    assert rig.request().text == "unknown visitors"


def test_the_words_of_home_systems_are_refused_as_delivered() -> None:
    """The default list has what they send, and `config.yaml` shows it."""
    assert {"unavailable", "unknown", "none", "nan", "null"} <= set(Config().text.refuse)
    shown = load_config(Path(__file__).resolve().parents[2] / "config.yaml")
    assert shown.text.refuse == Config().text.refuse


def test_a_text_with_nuls_is_refused() -> None:
    """Also inside JSON they are no text."""
    rig = DispatcherRig()
    rig.handle(b'{"text": "a\\u0000b"}')
    assert "NUL" in rig.failures()[0]


@pytest.mark.parametrize(("payload", "warned"), [(b"0.5", True), (b"0", False), (b"1", False), (b"50", False)])
def test_a_volume_on_the_wrong_scale_is_set_with_a_warning(payload: bytes, warned: bool) -> None:
    """`volume/set` of 0.5 is half a percent: it is carried out and its sender is told what it means."""
    rig = DispatcherRig()
    settings = SettingsCommands(
        events=rig.events, player=rig.player, resolve_voice=str, save=lambda: None, new_id=rig.runtime.new_id
    )
    settings.commands()["volume/set"](Message("volume/set", payload, reply=rig.notes.reply("there")))
    assert rig.events.state.volume == float(payload)
    assert [(report.stage, report.details["kind"]) for report in rig.notes.reports] == [("done", "volume/set")] * warned
    assert ["0 to 100" in report.details["warning"] for _, report in rig.notes.replies] == [True] * warned


def test_nothing_is_read_of_a_payload_that_is_too_long() -> None:
    """Beyond the limit a payload is refused by its length alone."""
    rig = DispatcherRig()
    rig.handle(b'{"text": "' + b"x" * 2000 + b'"}')
    assert rig.failures() == ["say: the payload has 2012 bytes; limits.payload_bytes is 1000"]


def test_ids_are_forgotten_in_time() -> None:
    """Only so many ids are remembered, so that the memory of them is bounded."""
    rig = DispatcherRig(capacity=5000)
    for number in range(1100):
        rig.handle(b'{"text": "a", "id": "%d"}' % number)
    rig.handle(b'{"text": "a", "id": "1099"}')
    rig.handle(b'{"text": "a", "id": "0"}')
    assert rig.notes.stages("1099") == ["accepted"]
    assert rig.notes.stages("0") == ["accepted", "accepted"]


def test_a_button_that_reports_twice_is_heard_once() -> None:
    """The same request within `dedupe_s` is closed as a duplicate of the first, whatever its id; later it is spoken."""
    rig = DispatcherRig(dedupe_s=2.0)
    rig.handle(b'{"text": "the door", "id": "a"}')
    rig.clock.now += 1.9
    rig.handle(b'{"text": "the door", "id": "b"}')
    closed = [report for report in rig.notes.reports if report.id == "b"]
    assert [(report.stage, report.details) for report in closed] == [
        ("interrupted", {"reason": "duplicate", "of": "a"})
    ]
    rig.handle(b'{"text": "the window", "id": "c"}')
    rig.clock.now += 0.1
    rig.handle(b'{"text": "the door", "id": "d"}')
    assert [rig.request().id for _ in range(3)] == ["a", "c", "d"]


def test_a_request_sets_its_own_dedupe_s() -> None:
    """`dedupe_s` of the message goes before the configuration's, and 0 drops nothing."""
    rig = DispatcherRig(dedupe_s=2.0)
    for payload in (b'{"text": "x", "id": "a"}', b'{"text": "x", "id": "b", "dedupe_s": 0}'):
        rig.handle(payload)
    rig.clock.now += 50
    rig.handle(b'{"text": "x", "id": "c", "dedupe_s": 60}')
    assert [report.id for report in rig.notes.reports if report.stage == "interrupted"] == ["c"]


def test_a_refused_request_is_no_twin() -> None:
    """What the queue refused may be asked for again at once."""
    rig = DispatcherRig(capacity=1, dedupe_s=60)
    rig.handle(b'{"text": "first"}')
    rig.handle(b'{"text": "x", "priority": "low", "id": "a"}')
    rig.request()
    rig.handle(b'{"text": "x", "priority": "low", "id": "b"}')
    assert rig.request().id == "b"


def test_a_volume_from_0_to_1_is_known_by_its_name() -> None:
    """`volume_level` is Home Assistant's scale; both at once, or beyond the scale, are refused."""
    rig = DispatcherRig()
    rig.handle(b'{"text": "x", "volume_level": 0.25}')
    rig.handle(b'{"text": "x", "volume": 25}')
    assert [rig.request().gain for _ in range(2)] == [0.25, 0.25]
    rig.handle(b'{"text": "x", "volume": 25, "volume_level": 0.25}')
    rig.handle(b'{"text": "x", "volume_level": 25}')
    assert "send one of them" in rig.failures()[0]
    assert "volume_level" in rig.failures()[1]


def test_a_start_time_is_taken_from_the_wall_clock() -> None:
    """`start_at` becomes a time of our clock; a past one is now, and one that lies far ahead is refused by name."""
    rig = DispatcherRig()
    for ahead in (5, -100):
        rig.handle(f'{{"text": "x", "start_at": {WALL + rig.clock.now + ahead}}}'.encode())
    starts = [job.starts_at - rig.clock.now for _ in range(2) if (job := rig.jobs.dequeue(0)) is not None]
    assert starts == pytest.approx([5, 0], abs=1e-3)
    rig.handle(f'{{"text": "x", "start_at": {WALL + rig.clock.now + 3600}}}'.encode())
    assert "do the clocks agree" in rig.failures()[0]


def test_a_message_to_a_group_starts_after_the_groups_delay() -> None:
    """What says when it starts keeps that; the rest starts so long after it came."""
    rig = DispatcherRig()
    rig.handle(b"x", starts_in_s=2.0)
    rig.handle(f'{{"text": "y", "start_at": {WALL + rig.clock.now + 7}}}'.encode(), starts_in_s=2.0)
    starts = [job.starts_at - rig.clock.now for _ in range(2) if (job := rig.jobs.dequeue(0)) is not None]
    assert starts == pytest.approx([2, 7], abs=1e-3)
