"""Messages that come while the daemon, the broker or the disk is away, and more than either can take."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from broker import Broker, Ear, free_port
from fakes import WAIT_S, FakeLoudspeaker, FakeSynthesizer
from humming import PROTOCOLS, Furnish, appliance, config_for
from rig import DeafDispatcher, make_runtime
from toy_model_sets import write_model_set

from edge_tts.app.appliance import Appliance, Surroundings
from edge_tts.config import config_from
from edge_tts.front_doors.mqtt.link import MqttLink
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.values import CLOSING, Report


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
