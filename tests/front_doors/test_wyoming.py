"""The Wyoming server as its own library's client meets it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from broker import free_port
from fakes import RATE, WAIT_S, FakeSynthesizer, until
from rig import Rig, sentence
from toy_model_sets import write_model_set

from edge_tts.config import Config, LimitsConfig, ResultsConfig, WyomingConfig, config_from
from edge_tts.errors import ConfigError, UnknownVoiceError
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.connection_sink import BUFFER_S, ConnectionSink
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.dispatcher import Dispatcher, RequestRules
from edge_tts.front_doors.past_requests import PastRequests
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.front_doors.wyoming import client_session
from edge_tts.front_doors.wyoming.announcement import SERVICE, announced
from edge_tts.front_doors.wyoming.server import MOST_CLIENTS, WyomingServer
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.speaking.job import Job
from edge_tts.speaking.request_records import RequestRecords
from edge_tts.speaking.results import Results
from edge_tts.text.chunking import whole_sentences
from edge_tts.values import AudioChunk, Caller
from edge_tts.voices.builtin import VoiceCard

wyoming_client = pytest.importorskip(
    "wyoming.client", reason="THE PACKAGE wyoming IS NOT INSTALLED: no server was tested"
)

from wyoming.audio import AudioChunk as Sound  # noqa: E402 - after the check
from wyoming.error import Error  # noqa: E402
from wyoming.event import Event  # noqa: E402
from wyoming.info import Describe, Info  # noqa: E402
from wyoming.ping import Ping  # noqa: E402
from wyoming.tts import (  # noqa: E402
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeVoice,
)

LIMITS = LimitsConfig(text_chars=100, payload_bytes=1000)
VOICES = [VoiceCard("buzz", "Buzz", "zh", builtin=True), VoiceCard("hum", "Hum", "en", builtin=True)]


def resolve(name: str) -> str:
    if name.casefold() not in ("hum", "buzz"):
        raise UnknownVoiceError(f"there is no voice '{name}'")
    return name.casefold()


class Stage(Rig):
    """A server with everything behind it; its voices hum at 32 kHz."""

    def __init__(
        self,
        folder: Path,
        synthesizer: FakeSynthesizer,
        *,
        access: Mapping[str, Any] = MappingProxyType({}),
        **config: Any,
    ) -> None:
        super().__init__(synthesizer=synthesizer)
        model = replace(read_model_set(write_model_set(folder / "toy", languages=["en", "zh"])), sample_rate=RATE)
        rules = RequestRules(resolve, ContentRules(LIMITS.text_chars), LIMITS.payload_bytes)
        access_config = config_from({"access": dict(access)}, folder=folder).access
        rules = replace(rules, access=Access(access_config, resolve=resolve))
        dispatcher = Dispatcher(runtime=self.runtime, rules=rules, jobs=self.jobs, player=self.player)
        context = SessionContext(
            runtime=self.runtime,
            model=model,
            version="1",
            dispatcher=dispatcher,
            jobs=self.jobs,
            limits=LIMITS,
            past=PastRequests(
                runtime=self.runtime,
                records=RequestRecords(folder / "requests.sqlite"),
                results=Results(ResultsConfig(dir=folder / "results")),
            ),
            voices=lambda: VOICES,
        )
        self.port = free_port()
        self.server = WyomingServer(device="toy", config=WyomingConfig(port=self.port, **config), context=context)

    def stages(self) -> list[tuple[str, str]]:
        return [(report.id, report.stage) for report in self.notes.reports]


@contextmanager
def stage(folder: Path, synthesizer: FakeSynthesizer | None = None, **config: Any) -> Iterator[Stage]:
    running = Stage(folder, synthesizer or FakeSynthesizer(), **config)
    with running.running(), running.server:
        yield running


class Client:
    """Sends events and reads what comes back."""

    def __init__(self, wire: Any) -> None:
        self._wire = wire

    async def send(self, *events: Any) -> None:
        for event in events:
            await self._wire.write_event(event.event())

    async def send_raw(self, data: bytes) -> None:
        self._wire._writer.write(data)
        await self._wire._writer.drain()

    async def read(self) -> Event | None:
        event: Event | None = await asyncio.wait_for(self._wire.read_event(), WAIT_S)
        return event

    async def until(self, last: str) -> list[Event]:
        """The events up to that one; fails at the end of the connection."""
        events: list[Event] = []
        while not events or events[-1].type != last:
            event = await self.read()
            assert event is not None, f"closed after {[each.type for each in events]}"
            events.append(event)
        return events


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    async with wyoming_client.AsyncTcpClient("127.0.0.1", port) as wire:
        yield Client(wire)


def talk(it: Stage, conversation: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
    """One conversation over a connection of its own."""

    async def whole() -> None:
        async with client(it.port) as one:
            await conversation(one)

    asyncio.run(whole())


def sound(events: list[Event]) -> np.ndarray[Any, Any]:
    """All samples, int16."""
    chunks = [Sound.from_event(event) for event in events if Sound.is_type(event.type)]
    assert {(chunk.rate, chunk.width, chunk.channels) for chunk in chunks} <= {(RATE, 2, 1)}
    return np.frombuffer(b"".join(chunk.audio for chunk in chunks), "<i2")


def errors(events: list[Event]) -> list[Error]:
    return [Error.from_event(event) for event in events if Error.is_type(event.type)]


def test_it_describes_the_voices(tmp_path: Path) -> None:
    """Names, ids and languages of the voices that can speak, the default one first; a ping is answered."""

    async def conversation(one: Client) -> None:
        await one.send(Describe(), Ping(text="hi"))
        program = Info.from_event((await one.until("info"))[-1]).tts[0]
        assert program.installed
        assert program.supports_synthesize_streaming
        told = [(voice.name, voice.description, voice.languages, voice.installed) for voice in program.voices]
        assert told == [("hum", "Hum", ["en", "zh"], True), ("buzz", "Buzz", ["zh", "en"], True)]
        assert (await one.until("pong"))[-1].data["text"] == "hi"
        await one.send_raw(b'{"type": "ping", "data": {"text": "\\ud800"}}\n')
        assert (await one.until("pong"))[-1].data["text"] == "?"

    with stage(tmp_path) as it:
        talk(it, conversation)


def test_a_caller_is_known_by_its_address(tmp_path: Path) -> None:
    """It is told of the voices that it may use alone, hears by which rule another is refused, and goes on."""
    rules = {"callers": {"hall": {"addresses": ["127.0.0.0/8"], "voices": ["buzz"]}}}

    async def conversation(one: Client) -> None:
        await one.send(Describe())
        program = Info.from_event((await one.until("info"))[-1]).tts[0]
        assert [voice.name for voice in program.voices] == ["buzz"]
        await one.send(Synthesize(text="Hello.", voice=SynthesizeVoice(name="hum")))
        refused = errors(await one.until("audio-stop"))
        assert [(error.code, "access.callers.hall.voices" in error.text) for error in refused] == [
            ("AccessError", True)
        ]
        await one.send(Synthesize(text="Hello.", voice=SynthesizeVoice(name="buzz")))
        assert len(sound(await one.until("audio-stop")))

    with stage(tmp_path, access=rules) as it:
        talk(it, conversation)


def test_a_caller_that_is_denied_is_told_of_no_voice(tmp_path: Path) -> None:
    """By its address; what it asks for is refused by the list."""

    async def conversation(one: Client) -> None:
        await one.send(Describe())
        assert Info.from_event((await one.until("info"))[-1]).tts[0].voices == []
        await one.send(Synthesize(text="Hello."))
        refused = errors(await one.until("audio-stop"))
        assert [(error.code, "access.deny" in error.text) for error in refused] == [("AccessError", True)]

    with stage(tmp_path, access={"deny": ["127.0.0.1"]}) as it:
        talk(it, conversation)


def test_a_text_becomes_sound_with_the_reports_of_any_request(tmp_path: Path) -> None:
    """The header comes before the worker has begun; the sound is the synthesizer's; no loudspeaker plays it."""
    synthesizer = FakeSynthesizer()
    with stage(tmp_path, synthesizer) as it:

        async def conversation(one: Client) -> None:
            with it.jobs._condition:  # nothing can be queued
                await one.send(Synthesize(text="Hello.", voice=SynthesizeVoice(name="Buzz")))
                assert (await one.read()).type == "audio-start"
            events = await one.until("audio-stop")
            assert errors(events) == []
            samples = sound(events)
            assert len(samples) == int(0.3 * RATE)
            assert abs(int(samples.max()) - 16384) < 5

        talk(it, conversation)
        assert synthesizer.spoken == ["Hello."]
        assert [name for name, _ in it.stages()] == ["auto1"] * 4
        assert [name for _, name in it.stages()] == ["accepted", "started", "first_audio", "done"]
        assert it.notes.reports[1].details == {"voice": "buzz"}
        assert len(it.loudspeaker.heard) == 0


def test_a_text_that_is_still_written_is_spoken_by_sentences(tmp_path: Path) -> None:
    """A sentence is spoken once it is whole; the plain copy for older servers is not spoken, too."""
    synthesizer = FakeSynthesizer()

    async def conversation(one: Client) -> None:
        await one.send(SynthesizeStart(voice=SynthesizeVoice(name="hum")), SynthesizeChunk("It is 3."))
        await one.send(SynthesizeChunk("5 degrees. Dr. "), SynthesizeChunk("Smith "))
        events = await one.until("audio-chunk")
        while len(sound(events)) < int(0.3 * RATE):
            events += await one.until("audio-chunk")
        assert synthesizer.spoken == ["It is 3.5 degrees. "]
        text = "It is 3.5 degrees. Dr. Smith is here"
        await one.send(SynthesizeChunk("is here"), Synthesize(text=text), SynthesizeStop())
        events += await one.until("synthesize-stopped")
        assert [event.type for event in events].count("audio-start") == 1
        assert [event.type for event in events][-2:] == ["audio-stop", "synthesize-stopped"]

    with stage(tmp_path, synthesizer) as it:
        talk(it, conversation)
        assert synthesizer.spoken == ["It is 3.5 degrees. ", "Dr. Smith is here"]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("你好。再", "你好。"),
        ("Hello", ""),
        ("Hello!", "Hello!"),
        ("Hello.", ""),
        ("No. 5 is", ""),
        ("One\ntwo", "One\n"),
        ("", ""),
        ('He said "Yes." Then', 'He said "Yes." '),
    ],
)
def test_whole_sentences_end_whatever_follows(text: str, whole: str) -> None:
    """What may still go on stays behind, and nothing is lost between the two parts."""
    assert whole_sentences(text) == (whole, text.removeprefix(whole))


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (Synthesize(text="hi", voice=SynthesizeVoice(name="nobody")), "UnknownVoiceError", "no voice 'nobody'"),
        (Synthesize(text="hi", voice=SynthesizeVoice(language="tlh")), "TextError", "no language option 'tlh'"),
        (Synthesize(text=" "), "TextError", "empty"),
        (Synthesize(text="x" * 101), "TextError", "limits.text_chars is 100"),
        (Synthesize(text="!"), "TextError", "nothing in the text"),
        (Synthesize(text="bug"), "InternalError", "ZeroDivisionError"),
        (Synthesize(text=5), "PayloadError", "wyoming: key 'text'"),
    ],
)
def test_a_refused_request_gets_an_error_event_and_the_next_is_spoken(
    tmp_path: Path, asked: Synthesize, code: str, message: str
) -> None:
    """The error names what is wrong, `audio-stop` follows for clients that wait for it, and it is reported `failed`."""

    async def conversation(one: Client) -> None:
        await one.send(asked)
        [error] = errors(await one.until("audio-stop"))
        assert error.code == code
        assert message in error.text
        await one.send(Synthesize(text="fine", voice=SynthesizeVoice(language="en_GB")))
        assert len(sound(await one.until("audio-stop"))) > 0

    with stage(tmp_path) as it:
        talk(it, conversation)
        assert [name for _, name in it.stages()].count("failed") == 1


def test_a_written_text_has_the_limit_too(tmp_path: Path) -> None:
    """Beyond `limits.text_chars` one error comes, the rest is not spoken, and the end is told."""
    synthesizer = FakeSynthesizer()

    async def conversation(one: Client) -> None:
        await one.send(SynthesizeStart(), *[SynthesizeChunk("x" * 30) for _ in range(5)], SynthesizeStop())
        [error] = errors(await one.until("synthesize-stopped"))
        assert "limits.text_chars is 100" in error.text

    with stage(tmp_path, synthesizer) as it:
        talk(it, conversation)
        assert synthesizer.spoken == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"[]\n",
        b'{"type": "synthesize"}\n',
        b'{"type": "synthesize", "data": {"text": "hi", "voice": 5}}\n',
        b'{"type": 5, "data_length": "x"}\n',
        b'{"type": "synthesize", "data_length": 99999999}\n',
        b'{"type": "synthesize", "data_length": -5}\n{"no": 1}\n',
        b"[" * 900 + b"\n",
        b"x" * 5000,
    ],
)
def test_what_is_no_event_costs_its_connection_alone(tmp_path: Path, garbage: bytes) -> None:
    """It is answered by an error event and the connection is closed; the next client is served."""

    async def nonsense(one: Client) -> None:
        await one.send_raw(garbage)
        events = await one.until("error")
        assert errors(events)[0].code == "PayloadError"
        assert await one.read() is None

    async def sense(one: Client) -> None:
        await one.send(Describe())
        await one.until("info")

    with stage(tmp_path) as it:
        talk(it, nonsense)
        talk(it, sense)


def test_no_connection_is_left_behind(tmp_path: Path) -> None:
    """Whatever is under way when a connection ends, a write that has just been done too, its place is free again."""
    asked = json.dumps({"type": "synthesize", "data": {"text": " "}}).encode() + b"\n"

    async def many() -> None:
        for round_number in range(60):
            async with client(it.port) as one:
                await one.send_raw(asked * (1 + round_number % 4) + b"[]\n")
                while await one.read() is not None:
                    pass

    with stage(tmp_path) as it:
        asyncio.run(many())
        until(lambda: not it.server._clients)


def test_the_client_hears_something_while_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks come while the request waits, with a little silence where the client has nothing to play."""
    monkeypatch.setattr(client_session, "KEEP_ALIVE_S", 0.01)
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()

    async def conversation(one: Client) -> None:
        await one.send(Synthesize(text="hi"))
        events = []
        while [event.type for event in events].count("audio-chunk") < 20:
            event = await one.read()
            assert event is not None
            events.append(event)
        synthesizer.gate.set()
        events += await one.until("audio-stop")
        assert np.count_nonzero(sound(events)) > 0.25 * RATE
        assert any(Sound.from_event(event).audio == b"" for event in events if Sound.is_type(event.type))

    with stage(tmp_path, synthesizer) as it:
        talk(it, conversation)


def test_a_client_that_is_gone_ends_its_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a sentence or in the queue: the worker is free, and each job is reported `interrupted`."""
    monkeypatch.setattr(client_session, "KEEP_ALIVE_S", 0.01)
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:

        async def leave() -> None:
            async with client(it.port) as one, client(it.port) as other:
                await one.send(Synthesize(text="first"))
                await asyncio.to_thread(it.notes.wait, "auto1", "first_audio")
                await other.send(Synthesize(text="second"))
                await asyncio.to_thread(it.notes.wait, "auto2", "accepted")

        asyncio.run(leave())
        assert it.notes.wait("auto1", "interrupted").details == {"reason": "the client is gone"}
        assert it.notes.wait("auto2", "interrupted").details == {"reason": "the client is gone"}
        it.say("next")
        synthesizer.gate.set()
        it.notes.wait("next", "done")
        assert synthesizer.spoken[-1] == "text"


def test_a_stop_is_told_to_the_client(tmp_path: Path) -> None:
    """A `stop` or an alert ends the sound with an error event that says so."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:

        async def conversation(one: Client) -> None:
            await one.send(Synthesize(text="a story"))
            await one.until("audio-chunk")
            it.jobs.stop()
            [error] = errors(await one.until("audio-stop"))
            assert (error.code, error.text) == ("interrupted", "interrupted: stopped")

        talk(it, conversation)


class Endless(FakeSynthesizer):
    """Speaks for hours."""

    def stream(self, request: Any, voice: Any, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        while not should_stop():
            yield AudioChunk(np.ones(10 * RATE, np.float32), RATE, request.id, last=False)


def test_a_client_that_takes_no_sound_is_given_up(tmp_path: Path) -> None:
    """With the buffer full the worker waits as long as the sound so far lasts and half a minute; then it is free."""
    with stage(tmp_path, Endless()) as it:

        async def conversation(one: Client) -> None:
            await one.send(Synthesize(text="on and on"))
            await asyncio.to_thread(it.notes.wait, "auto1", "first_audio")
            while "interrupted" not in it.notes.stages("auto1"):
                it.clock.now += 1e6  # before the buffer is full this only says that the sound is late
                await asyncio.sleep(0.02)

        talk(it, conversation)
        assert "too slowly" in it.notes.wait("auto1", "interrupted").details["reason"]


def test_the_buffer_passes_everything_on_in_order(tmp_path: Path) -> None:
    """What the worker puts in comes out once, also when it is more than the buffer holds."""
    it = Rig()
    job = Job(sentence("a"))

    async def take() -> bytes:
        sink = ConnectionSink(runtime=it.runtime, loop=asyncio.get_running_loop(), caller=Caller("wyoming"))
        job.reply = sink.on_report
        chunks = [AudioChunk(np.full(RATE, i / 100, np.float32), RATE, "a", False) for i in range(int(BUFFER_S) + 9)]

        def work() -> None:
            for chunk in chunks:
                sink.play(job, chunk, lambda: None)
            assert sink.finish(job, lambda: None) == len(chunks)
            job.report(it.runtime, "done")

        thread = threading.Thread(target=work)
        thread.start()
        taken = b""
        while (piece := await asyncio.wait_for(sink.piece(), WAIT_S)) is not None:
            taken += piece
        thread.join(WAIT_S)
        return taken

    samples = np.frombuffer(asyncio.run(take()), "<i2").reshape(-1, RATE)
    assert [round(row[0] / 327.67) for row in samples] == list(range(int(BUFFER_S) + 9))


def test_a_gap_for_a_client_is_counted() -> None:
    """The next sound came later than a client that plays at once had any; not where sound still waits for it."""
    it = Rig()
    job = Job(sentence("a"))
    chunk = AudioChunk(np.full(RATE, 0.1, np.float32), RATE, "a", False)

    async def take() -> list[int]:
        sink = ConnectionSink(runtime=it.runtime, loop=asyncio.get_running_loop(), caller=Caller("wyoming"))
        counts = []
        for later_s, taken in ((0, True), (1.1, True), (1.5, False), (9.0, True)):
            it.clock.now += later_s
            sink.play(job, chunk, lambda: None)
            counts.append(job.underruns)
            if taken:
                await asyncio.wait_for(sink.piece(), WAIT_S)
        return counts

    assert asyncio.run(take()) == [0, 0, 1, 1]


def test_too_many_clients_are_told_so(tmp_path: Path) -> None:
    """One more than may connect gets an error; when one leaves there is room again."""

    async def crowd(port: int) -> None:
        wires = []
        for _ in range(MOST_CLIENTS):
            wire = wyoming_client.AsyncTcpClient("127.0.0.1", port)
            await wire.connect()
            wires.append(Client(wire))
            await wires[-1].send(Describe())
            await wires[-1].until("info")
        async with client(port) as late:
            [error] = errors(await late.until("error"))
            assert error.code == "QueueFullError"
        for each in wires:
            await each._wire.disconnect()

    async def again(one: Client) -> None:
        await one.send(Describe())
        await one.until("info")

    with stage(tmp_path) as it:
        asyncio.run(crowd(it.port))
        until(lambda: not it.server._clients)
        talk(it, again)


def test_who_is_not_named_may_not_connect(tmp_path: Path) -> None:
    """An address that is in no network of `wyoming.allow` is thrown out; one that is, and this machine, are not."""
    with stage(tmp_path, allow=["10.1.2.3", "192.168.2.7/24", "fd00::/8"]) as it:
        for address in ("10.1.2.3", "192.168.2.200", "::ffff:192.168.2.1", "fd12::1", "127.0.0.1", "::ffff:127.0.0.1"):
            assert it.server._may_connect(address), address
        for address in ("10.1.2.4", "192.168.3.1", "fe80::1%eth0", "::ffff:10.1.2.4"):
            assert not it.server._may_connect(address), address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "kitchen.lan"])
def test_without_a_list_it_listens_to_this_machine_alone(host: str) -> None:
    """A host that others reach is refused without `wyoming.allow`, by a sentence that says why and what to do."""
    with pytest.raises(ConfigError, match=r"wyoming.allow.*knows no passwords.*127\.0\.0\.1"):
        config_from({"wyoming": {"port": 10200, "host": host}}, folder=Path())
    config_from({"wyoming": {"port": 10200, "host": host, "allow": ["192.168.1.10"]}}, folder=Path())
    config_from({"wyoming": {"host": host}}, folder=Path())


def test_an_address_that_is_none_is_refused() -> None:
    """A host name in `wyoming.allow` would allow nobody."""
    with pytest.raises(ConfigError, match="kitchen"):
        config_from({"wyoming": {"allow": ["kitchen"]}}, folder=Path())
    assert Config().wyoming.port is None


def test_a_port_that_is_taken_costs_wyoming_alone(tmp_path: Path) -> None:
    """It is shown in the state with the reason, and the rest speaks."""
    running = Stage(tmp_path, FakeSynthesizer())
    with socket.create_server(("127.0.0.1", running.port)), running.running(), running.server:
        health = running.events.state.health["wyoming"]
        assert health.status == "failing"
        assert f"cannot listen at 127.0.0.1:{running.port}" in str(health.why)
        running.say("a")
        running.notes.wait("a", "done")


def test_a_stop_of_the_daemon_ends_the_connections(tmp_path: Path) -> None:
    """Clients that only listen, or are in the middle of a sentence, hold nobody up."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:
        idle = socket.create_connection(("127.0.0.1", it.port))
        busy = socket.create_connection(("127.0.0.1", it.port))
        busy.sendall(json.dumps({"type": "synthesize", "data": {"text": "hi"}}).encode() + b"\n")
        it.notes.wait("auto1", "first_audio")
    assert not it.server._thread.is_alive()
    for wire in (idle, busy):
        wire.settimeout(WAIT_S)
        while wire.recv(65536):
            pass
        wire.close()


def test_home_assistant_is_told_where_it_is() -> None:
    """Multicast DNS names the service with its address and port while the server runs."""
    zeroconf = pytest.importorskip("zeroconf.asyncio", reason="zeroconf IS NOT INSTALLED: it was not tested")

    async def look() -> tuple[list[str], int | None]:
        async with (
            zeroconf.AsyncZeroconf(interfaces=["127.0.0.1"]) as ear,
            announced("edge-tts toy", "127.0.0.1", 10200),
        ):
            info = await ear.async_get_service_info(SERVICE, f"edge-tts toy.{SERVICE}", timeout=1000 * WAIT_S)
            assert info is not None
            return info.parsed_addresses(), info.port

    assert asyncio.run(look()) == (["127.0.0.1"], 10200)
