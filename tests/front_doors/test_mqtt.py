"""The whole service against a real mosquitto, with a synthesizer that hums: messages in, reports and sound out."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Ear, free_port, send_as_stranger
from fakes import RATE, WAIT_S, FakeLoudspeaker, FakeSynthesizer
from rig import DeafDispatcher, make_runtime, no_defect
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import MqttConfig, config_from
from edge_tts.front_doors.mqtt.link import MqttLink
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.request import SpeakRequest
from edge_tts.speaking.job import CLOSING, no_reply
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.journal import Envelope, Journal, ReplyTo
from edge_tts.values import Report

PROTOCOLS = ["5", "3.1.1"]


class House:
    """An appliance that hums, and somebody who listens to its topics."""

    def __init__(self, ear: Ear, synthesizer: FakeSynthesizer, speaker: FakeLoudspeaker) -> None:
        self.ear, self.synthesizer, self.speaker = ear, synthesizer, speaker

    def say(self, **payload: Any) -> None:
        self.ear.publish("say", payload)

    def stages(self, name: str) -> list[str]:
        return [event["stage"] for event in self.ear.events() if event["id"] == name]


@contextmanager
def appliance(
    config: dict[str, Any], model: Path, synthesizer: FakeSynthesizer, speaker: FakeLoudspeaker
) -> Iterator[None]:
    """The real wiring around a fake synthesizer and a fake loudspeaker."""
    numbers = itertools.count(1)
    surroundings = Surroundings(
        load=synthesizer.loaded,
        open_loudspeaker=lambda rate: speaker,
        fatal=no_defect,
        new_id=lambda: f"auto{next(numbers)}",
    )
    with Appliance(config_from(config, folder=model.parent), read_model_set(model), surroundings):
        yield


def config_for(port: int, device: str, protocol: str = "5", **limits: int) -> dict[str, Any]:
    """The values of a configuration for a test."""
    mqtt = MqttConfig(host="127.0.0.1", port=port, protocol=protocol, reconnect_min_s=0.05, reconnect_max_s=0.1)
    return {"device": device, "mqtt": mqtt, "limits": limits}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model set on disk with the voices `hum` and `buzz`."""
    return write_model_set(tmp_path / "models" / "toy", voices=("hum", "buzz"))


Furnish = Callable[..., AbstractContextManager[House]]


@pytest.fixture
def furnish(broker: Broker, model: Path, request: pytest.FixtureRequest) -> Furnish:
    """Makes a house; each test is a device of its own."""

    @contextmanager
    def make(protocol: str = "5", **limits: int) -> Iterator[House]:
        device = "".join(c if c.isalnum() else "-" for c in request.node.name)[:60]
        synthesizer, speaker = FakeSynthesizer(), FakeLoudspeaker()
        with Ear(broker, f"edge-tts/{device}", v5=protocol == "5") as ear:
            try:
                with appliance(config_for(broker.port, device, protocol, **limits), model, synthesizer, speaker):
                    ear.wait_topic("status", "online")
                    yield House(ear, synthesizer, speaker)
                # The last thing a daemon says: so all that it said is there for whoever asks afterwards.
                assert ear.wait_for(lambda: (f"{ear.base}/status", "offline", False) in ear.messages)
            finally:
                speaker.release()
                synthesizer.gate.set()

    return make


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


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_said_while_the_daemon_is_away_is_spoken_later(broker: Broker, model: Path, protocol: str) -> None:
    """The session outlives the daemon: a message published between two runs is spoken by the second."""
    device = f"away{protocol[0]}"
    config = config_for(broker.port, device, protocol)
    synthesizer = FakeSynthesizer()
    with Ear(broker, f"edge-tts/{device}", v5=protocol == "5") as ear:
        with appliance(config, model, synthesizer, FakeLoudspeaker()):
            ear.wait_topic("status", "online")
        ear.wait_topic("status", "offline")
        ear.publish("say", {"id": "a", "text": "while you were out"})
        with appliance(config, model, synthesizer, FakeLoudspeaker()):
            ear.wait_event(id="a", stage="done")
    assert synthesizer.spoken == ["while you were out"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_flood_loses_no_closing_report(
    tmp_path: Path, model: Path, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    """More messages at once than reports may wait: they are taken only as fast as the reports leave, so each is
    answered by its one closing report; an alert at their end is heard."""
    names, synthesizer = [f"f{number}" for number in range(3000)], FakeSynthesizer()
    synthesizer.gate.clear()  # the line is full soon, and costs no more writes
    with (
        Broker(tmp_path, settings="allow_anonymous true\nmax_queued_messages 0") as broker,
        Ear(broker, "edge-tts/flood", v5=protocol == "5") as ear,
        appliance(config_for(broker.port, "flood", protocol), model, synthesizer, FakeLoudspeaker()),
    ):
        ear.wait_topic("status", "online")
        for name in names:
            ear.client.publish("edge-tts/flood/say", json.dumps({"id": name, "text": "hi"}), qos=1)
        ear.publish("say", {"id": "fire", "text": "fire", "priority": "alert"})
        closed, heard = Counter[str](), 0

        def number_closed() -> int:
            nonlocal heard
            new = [json.loads(payload) for topic, payload, _ in ear.messages[heard:] if topic.endswith("/events")]
            heard = len(ear.messages)
            closed.update(event["id"] for event in new if event["stage"] in CLOSING)
            return len(closed)

        # All but the one in service and a full line.
        assert ear.wait_for(lambda: number_closed() >= len(names) - 17), len(closed)
        synthesizer.gate.set()
        assert ear.wait_for(lambda: number_closed() == len(names) + 1), len(closed)
    assert set(closed.values()) == {1}
    assert "dropped" not in caplog.text


def test_closing_reports_are_the_last_to_be_dropped(
    own_broker: Broker, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """While no broker is there only so many reports are kept. Those that say how a request ended find room when the
    others find none; that some are dropped is in the log once, and once more how many."""
    runtime = make_runtime()
    events, config = runtime.events, config_for(own_broker.port, "full")["mqtt"]
    link = MqttLink(runtime=runtime, config=config, device="full", dispatcher=DeafDispatcher())
    for number in range(2000):
        events.report(Report(f"r{number}", "started", 0.0))
    for number in range(200):
        events.report(Report(f"r{number}", "done", 0.0))
    with Ear(own_broker, "edge-tts/full") as ear, link:
        ear.wait_event(id="r199", stage="done")
        assert len([event for event in ear.events() if event["stage"] == "done"]) == 200
        assert len(ear.events()) == 950
        ear.wait_for(lambda: "were dropped in all" in caplog.text)
    lines = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert len(lines) == 2
    assert lines[1].startswith("1250 ")


def test_a_broker_that_is_absent_at_start_or_leaves_is_waited_for(own_broker: Broker, model: Path) -> None:
    """No broker at start is not fatal, nor is one that goes away: the daemon comes back and speaks."""
    own_broker.stop()
    synthesizer = FakeSynthesizer()
    with appliance(config_for(own_broker.port, "patient"), model, synthesizer, FakeLoudspeaker()):
        for text in ("first", "second"):
            own_broker.start()
            with Ear(own_broker, "edge-tts/patient") as ear:
                ear.wait_topic("status", "online")
                ear.publish("say", {"id": text, "text": text})
                ear.wait_event(id=text, stage="done")
            own_broker.stop()
    assert synthesizer.spoken == ["first", "second"]


def test_a_stop_without_any_broker_is_quick(model: Path) -> None:
    """The daemon ends cleanly although it never reached a broker."""
    with appliance(config_for(free_port(), "lonely"), model, FakeSynthesizer(), FakeLoudspeaker()):
        pass


def test_a_stop_while_the_connection_is_being_made(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A goodbye that comes before there is a socket is said as soon as there is one."""
    config = config_for(broker.port, "hasty")["mqtt"]
    link = MqttLink(runtime=make_runtime(), config=config, device="hasty", dispatcher=DeafDispatcher())
    begun, said = threading.Event(), threading.Event()
    connect, wake = socket.create_connection, link.wake

    def slow(*arguments: Any, **options: Any) -> socket.socket:
        begun.set()
        assert said.wait(WAIT_S)
        return connect(*arguments, **options)

    def goodbye() -> None:
        wake()
        said.set()

    monkeypatch.setattr(socket, "create_connection", slow)
    monkeypatch.setattr(link, "wake", goodbye)
    with link:
        assert begun.wait(WAIT_S)


def test_a_shutdown_ends_what_is_spoken_and_keeps_what_waits(furnish: Furnish) -> None:
    """Stopping the daemon ends the request in service with a report and says offline. Those that waited are spoken by
    the next start, and answered where they were asked."""
    with furnish() as house:
        house.synthesizer.gate.clear()
        house.say(id="a", text="a")
        answers = f"answers/{house.ear.base}"
        house.ear.publish("say", {"id": "b", "text": "b"}, ResponseTopic=answers, CorrelationData=b"\x00")
        house.ear.wait_event(id="a", stage="first_audio")
        house.ear.wait_event(id="b", stage="accepted")
    assert house.ear.wait_event(id="a", stage="interrupted")["details"]["reason"] == "shutdown"
    house.ear.wait_topic("status", "offline")
    assert house.stages("b") == ["accepted"]
    with furnish() as house:
        house.ear.wait_event(id="b", stage="done")
        replies = house.ear.wait_replies(4)
        assert [report["stage"] for report, _ in replies] == ["accepted", "started", "first_audio", "done"]
        assert {correlation for _, correlation in replies} == {b"\x00"}
        assert replies[0][0]["details"].items() >= {"waiting": 0, "resumed": True}.items()
        for name in ("b", "a"):  # second deliveries, also of what was closed before the restart
            house.say(id=name, text=name)
        house.say(id="c", text="c")
        house.ear.wait_event(id="c", stage="done")
        assert house.synthesizer.spoken == ["b", "c"]


def test_a_voice_that_is_gone_after_a_restart_is_named(furnish: Furnish, model: Path) -> None:
    """A request that waits for a voice which the next start does not have fails by name; the next one is spoken."""
    with furnish() as house:
        house.synthesizer.gate.clear()
        house.say(id="current", text="current")
        house.say(id="gone", text="gone", voice="buzz")
        house.say(id="there", text="there", voice="hum")
        house.ear.wait_event(id="there", stage="accepted")
    shutil.rmtree(model)
    write_model_set(model, voices=("hum",))
    with furnish() as house:
        house.ear.wait_event(id="there", stage="done")
        assert house.ear.wait_event(id="gone", stage="failed")["details"]["error"] == "UnknownVoiceError"
        assert house.synthesizer.spoken == ["there"]


def test_a_disk_that_keeps_nothing_does_not_silence_the_daemon(furnish: Furnish, model: Path) -> None:
    """Where no journal can be kept messages are accepted and spoken as ever."""
    jobs = model.parent / ".state" / "jobs"
    jobs.parent.mkdir()
    jobs.write_text("in the way")
    with furnish() as house:
        house.say(id="a", text="a")
        house.ear.wait_event(id="a", stage="done")
    assert jobs.read_text() == "in the way"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("named", [True, False])
def test_a_message_is_acknowledged_only_when_it_is_on_the_disk(
    broker: Broker, model: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    """A death between the disk and the acknowledgement: the broker delivers the message again, the journal has it too,
    and it is spoken once, whether or not it has an id."""
    device = f"unacknowledged-{named}"
    synthesizer, died = FakeSynthesizer(), threading.Event()

    class DeathError(BaseException):
        """Of the process."""

    def die(queue: JobQueue, *_: Any) -> None:
        raise DeathError

    config, speaker = config_for(broker.port, device), FakeLoudspeaker()
    with Ear(broker, f"edge-tts/{device}") as ear:
        with monkeypatch.context() as patch:
            patch.setattr(JobQueue, "_make_room", die)  # the request has just been written
            surroundings = Surroundings(
                load=synthesizer.loaded,
                open_loudspeaker=lambda rate: speaker,
                fatal=lambda name, surprise: died.set(),
            )
            with Appliance(config_from(config, folder=model.parent), read_model_set(model), surroundings):
                ear.wait_topic("status", "online")
                ear.publish("say", {"id": "a", "text": "once"} if named else "once")
                assert died.wait(WAIT_S)
        with appliance(config, model, synthesizer, speaker):
            ear.wait_event(stage="done")
            ear.publish("say", {"id": "b", "text": "after"})
            ear.wait_event(id="b", stage="done")
    assert synthesizer.spoken == ["once", "after"]
