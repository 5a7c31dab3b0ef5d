"""The whole service against a real mosquitto, with a synthesizer that hums: messages in, reports and sound out."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from broker import Broker, Ear, free_port, send_as_stranger
from fakes import RATE, WAIT_S, FakeLoudspeaker, FakeSynthesizer
from humming import PROTOCOLS, Furnish, appliance, config_for
from rig import DeafDispatcher, make_runtime

from edge_tts.config import MqttConfig
from edge_tts.front_doors.mqtt.link import MqttLink
from edge_tts.request import SpeakRequest
from edge_tts.speaking.job import no_reply
from edge_tts.speaking.journal import Envelope, Journal, ReplyTo


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_message_becomes_sound_and_four_receipts(furnish: Furnish, protocol: str) -> None:
    """Bare text is spoken; accepted, started, first_audio and done arrive in order, each with milliseconds."""
    with furnish(protocol) as house:
        house.ear.publish("say", "good morning")
        done = house.ear.wait_event(stage="done")
        assert house.stages(done["id"]) == ["accepted", "started", "first_audio", "done"]
        times = [event["ms"] for event in house.ear.events()]
        assert times == sorted(times)
        assert done["details"]["audio_s"] == pytest.approx(0.3)
        assert len(house.speaker.heard) == int(0.3 * RATE)
        assert house.synthesizer.spoken == ["good morning"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_published_after_the_start_is_never_lost(broker: Broker, model: Path, protocol: str) -> None:
    """A device new to the broker has subscribed when its start is over (READY=1): a message right after is spoken."""
    for number in range(5):
        device = f"first{number}{protocol[0]}"
        with Ear(broker, f"edge-tts/{device}") as ear:
            config = config_for(broker.port, device, protocol)
            with appliance(config, model, FakeSynthesizer(), FakeLoudspeaker()):
                ear.publish("say", {"id": device, "text": "at once"})
                ear.wait_event(id=device, stage="done")


def test_a_start_does_not_wait_for_a_broker_that_is_away(tmp_path: Path, model: Path) -> None:
    """Where nothing listens at the broker's port, the link says so at once instead of holding up the start."""
    link = MqttLink(
        runtime=make_runtime(),
        config=MqttConfig(host="127.0.0.1", port=free_port(), reconnect_min_s=60),
        device="alone",
        dispatcher=DeafDispatcher(),
    )
    with link:
        assert link.wait_listening(WAIT_S)
        assert not link.is_connected()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_bad_message_gets_one_failed_report_and_the_daemon_speaks_on(furnish: Furnish, protocol: str) -> None:
    """Each kind of wrong message is answered by exactly one report that names the problem; speech still works after."""
    wrong = {
        "voice": ({"text": "hi", "voice": "humm"}, "UnknownVoiceError", "no voice 'humm', did you mean 'hum'"),
        "key": ({"text": "hi", "wolume": 5}, "PayloadError", "unknown key 'wolume', did you mean 'volume'"),
        "empty": ({"text": " \n"}, "TextError", "the text is empty"),
        "long": ({"text": "x" * 51}, "TextError", "51 characters; limits.text_chars is 50"),
        "huge": ({"text": "x" * 900}, "PayloadError", "limits.payload_bytes is 500"),
        "silent": ({"text": "!"}, "TextError", "nothing in the text"),
    }
    with furnish(protocol, text_chars=50, payload_bytes=500) as house:
        for name, (payload, _, _) in wrong.items():
            house.say(id=name, **payload)
        house.ear.publish("say", '{"text": "unfinished')
        house.ear.publish("volume/set", "loud")
        house.ear.publish("voice/set", "nobody")
        house.say(id="fine", text="hello")
        house.ear.wait_event(id="fine", stage="done")
        failures = [event for event in house.ear.events() if event["stage"] == "failed"]
        assert len(failures) == len(wrong) + 3
        for name, (_, error, message) in wrong.items():
            if name != "huge":
                [failure] = [event for event in failures if event["id"] == name]
                assert failure["details"]["error"] == error
                assert message in failure["details"]["message"]
        messages = [event["details"]["message"] for event in failures]
        for part in ("say: Invalid JSON", "volume/set: ", "no voice 'nobody'", "limits.payload_bytes is 500"):
            assert sum(part in message for message in messages) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_retained_command_is_ignored_and_reported(broker: Broker, model: Path, protocol: str) -> None:
    """A retained `say` is not spoken at every start; one report says why."""
    device = f"retained{protocol[0]}"
    synthesizer = FakeSynthesizer()
    with Ear(broker, f"edge-tts/{device}", v5=protocol == "5") as ear:
        ear.publish("say", {"id": "old", "text": "still here"}, retain=True)
        with appliance(config_for(broker.port, device, protocol), model, synthesizer, FakeLoudspeaker()):
            failed = ear.wait_event(stage="failed")
            assert failed["id"] == "old"
            assert "retain" in failed["details"]["message"]
            ear.publish("say", {"id": "new", "text": "spoken"})
            ear.wait_event(id="new", stage="done")
        assert synthesizer.spoken == ["spoken"]
        ear.publish("say", b"", retain=True)


def test_a_live_retained_command_is_ignored_too(furnish: Furnish) -> None:
    """MQTT 5: what is published with retain while the device listens is not carried out either."""
    with furnish("5") as house:
        house.ear.publish("say", {"id": "kept", "text": "still here"}, retain=True)
        failed = house.ear.wait_event(id="kept", stage="failed")
        assert "retain" in failed["details"]["message"]
        house.ear.publish("say", b"", retain=True)
        house.say(id="new", text="spoken")
        house.ear.wait_event(id="new", stage="done")
        assert house.synthesizer.spoken == ["spoken"]


def test_an_alert_interrupts_and_the_rest_follows(furnish: Furnish) -> None:
    """An alert ends the request in service, is spoken next, and those that waited come after it."""
    with furnish() as house:
        house.synthesizer.gate.clear()
        house.say(id="story", text="a long story")
        house.ear.wait_event(id="story", stage="first_audio")
        house.say(id="next", text="next")
        house.say(id="fire", text="fire", priority="alert")
        interrupted = house.ear.wait_event(id="story", stage="interrupted")
        assert interrupted["details"]["reason"] == "alert"
        house.synthesizer.gate.set()
        house.ear.wait_event(id="next", stage="done")
        assert house.synthesizer.spoken == ["a long story", "fire", "next"]


def test_low_is_refused_when_the_line_is_full(furnish: Furnish) -> None:
    """With the line full of normal requests a low one fails with QueueFullError and the others are spoken."""
    with furnish(queue=1) as house:
        house.synthesizer.gate.clear()
        house.say(id="one", text="one")
        house.ear.wait_event(id="one", stage="started")
        house.say(id="two", text="two")
        house.say(id="three", text="three", priority="low")
        assert house.ear.wait_event(id="three", stage="failed")["details"]["error"] == "QueueFullError"
        house.synthesizer.gate.set()
        house.ear.wait_event(id="two", stage="done")


def test_stop_skip_and_stop_by_id(furnish: Furnish) -> None:
    """`skip` ends the current request only, `stop` with an id that one, an empty `stop` all of them."""
    with furnish() as house:
        house.synthesizer.gate.clear()
        for name in ("a", "b", "c", "d"):
            house.say(id=name, text=name)
        house.ear.wait_event(id="a", stage="first_audio")
        house.ear.publish("stop", {"id": "c"})
        house.ear.wait_event(id="c", stage="interrupted")
        house.ear.publish("skip")
        house.ear.wait_event(id="a", stage="interrupted")
        house.ear.wait_event(id="b", stage="first_audio")
        house.ear.publish("stop")
        house.ear.wait_event(id="b", stage="interrupted")
        house.ear.wait_event(id="d", stage="interrupted")
        assert house.synthesizer.spoken == ["a", "b"]


def test_pause_and_resume_show_in_the_state(furnish: Furnish) -> None:
    """While paused nothing new is heard; afterwards it is."""
    with furnish() as house:
        house.ear.publish("pause")
        house.ear.wait_state(paused=True)
        house.say(id="a", text="a")
        house.ear.wait_event(id="a", stage="started")
        assert house.speaker.blocks == []
        house.ear.publish("resume")
        house.ear.wait_event(id="a", stage="done")


def test_volume_and_voice_are_set_and_retained(furnish: Furnish, broker: Broker) -> None:
    """`volume/set` and `voice/set` change what follows, and whoever comes later finds them in the retained topics."""
    with furnish() as house:
        house.ear.publish("volume/set", "40")
        house.ear.publish("voice/set", "buzz")
        house.ear.wait_state(volume=40.0, voice="buzz")
        house.say(id="a", text="a")
        assert house.ear.wait_event(id="a", stage="started")["details"]["voice"] == "buzz"
        house.ear.wait_event(id="a", stage="done")
        assert abs(house.speaker.heard).max() == pytest.approx(0.2, rel=1e-3)
        with Ear(broker, house.ear.base) as late:
            voices = json.loads(late.wait_topic("voices"))
            assert [voice["id"] for voice in voices["voices"]] == ["hum", "buzz"]
            capabilities = json.loads(late.wait_topic("capabilities"))
            assert "say" in capabilities["commands"]
            assert "text" in capabilities["say"]["properties"]
            assert json.loads(late.wait_topic("state"))["volume"] == 40.0
            first = {topic: retained for topic, _, retained in reversed(late.messages)}
            assert all(first.values())


def test_the_same_id_is_spoken_once(furnish: Furnish) -> None:
    """A second delivery of a QoS 1 message is dropped by its id, without another report."""
    with furnish() as house:
        house.say(id="a", text="once")
        house.say(id="a", text="once")
        house.say(id="b", text="after")
        house.ear.wait_event(id="b", stage="done")
        assert house.stages("a") == ["accepted", "started", "first_audio", "done"]
        assert house.synthesizer.spoken == ["once", "after"]


def test_reports_also_go_to_the_response_topic(furnish: Furnish) -> None:
    """MQTT 5: each report reaches the sender's response topic with its correlation data, failures too."""
    with furnish() as house:
        answers = f"answers/{house.ear.base}"
        house.ear.publish("say", {"id": "a", "text": "hi"}, ResponseTopic=answers, CorrelationData=b"\x00\x07")
        replies = house.ear.wait_replies(4)
        assert [report["stage"] for report, _ in replies] == ["accepted", "started", "first_audio", "done"]
        assert {correlation for _, correlation in replies} == {b"\x00\x07"}
        house.ear.publish("say", {"txt": "hi"}, ResponseTopic=answers, CorrelationData=b"x")
        assert house.ear.wait_replies(5)[4][0]["stage"] == "failed"


BAD_ADDRESSES = {
    "deep": "a/" * 250,
    "long": "a" * 1025,
    "the broker's": "$SYS/broker/x",
    "a command": "{base}/pause",
    "a fact": "{base}/status",
    "the device": "{base}",
    "unprintable": "answers/\u2028",
    "a filter": "answers/#",
}


@pytest.mark.parametrize("kind", BAD_ADDRESSES)
def test_a_response_topic_that_would_do_harm_costs_the_replies_alone(
    furnish: Furnish, broker: Broker, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """A mosquitto may pass on topics for which it throws out whoever publishes there, and a report on a command of ours
    would carry it out: the request is spoken, the address refused in one line, the connection kept."""
    with furnish() as house:
        address = BAD_ADDRESSES[kind].format(base=house.ear.base)
        passed_on = send_as_stranger(broker, f"{house.ear.base}/say", b'{"id": "a", "text": "hi"}', address)
        if passed_on:  # newer brokers throw out the sender of some of them
            house.ear.wait_event(id="a", stage="done")
        house.ear.publish("say", {"id": "b", "text": "hi"}, ResponseTopic=f"answers/{house.ear.base}")
        house.ear.wait_event(id="b", stage="done")
        assert {report["id"] for report, _ in house.ear.wait_replies(4)} == {"b"}
        assert house.ear.on("pause") == []
        assert "is gone" not in caplog.text
    assert caplog.text.count("nothing is sent to the response topic") == passed_on


@pytest.mark.parametrize("kind", BAD_ADDRESSES)
def test_no_report_is_sent_to_a_harmful_address(kind: str) -> None:
    """Whatever the broker lets through, the link itself publishes no reply there."""
    link = MqttLink(runtime=make_runtime(), config=MqttConfig(), device="safe", dispatcher=DeafDispatcher())
    assert link.reply(ReplyTo(BAD_ADDRESSES[kind].format(base="edge-tts/safe"))) is no_reply
    assert link.reply(ReplyTo("answers/edge-tts/safe")) is not no_reply


def test_a_harmful_address_in_the_journal_does_no_harm(
    furnish: Furnish, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was accepted before such addresses were refused is spoken after the restart, and the daemon is reachable."""
    journal = Journal(model.parent / ".state" / "jobs", clock=time.monotonic)
    assert journal.add(SpeakRequest(text="hi", id="a", voice="hum"), Envelope(reply_to=ReplyTo("a/" * 250))) is not None
    with furnish() as house:
        house.ear.wait_event(id="a", stage="done")
        house.say(id="b", text="hi")
        house.ear.wait_event(id="b", stage="done")
        assert "is gone" not in caplog.text


def test_an_expired_request_is_reported_and_not_spoken(furnish: Furnish) -> None:
    """A request that waited beyond its ttl_s ends as expired."""
    with furnish() as house:
        house.synthesizer.gate.clear()
        house.say(id="long", text="long")
        house.ear.wait_event(id="long", stage="first_audio")
        house.say(id="late", text="late", ttl_s=0.01)
        house.ear.wait_event(id="late", stage="accepted")
        house.synthesizer.gate.wait(0.05)  # let the hundredth of a second pass
        house.synthesizer.gate.set()
        house.ear.wait_event(id="late", stage="expired")
        assert house.synthesizer.spoken == ["long"]
