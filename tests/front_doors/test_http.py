"""The HTTP server as OpenAI's own client, plain HTTP and a fuzzer meet it."""

from __future__ import annotations

import http.client
import io
import json
import socket
import struct
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import RATE, WAIT_S, FakeSynthesizer, until
from http_stage import SECRET, Stage, stage

from edge_tts.audio.sound_files import read_sound
from edge_tts.audio.sound_stream import SoundStream, available_formats
from edge_tts.config import Config, LimitsConfig, config_from
from edge_tts.errors import ConfigError
from edge_tts.front_doors.http import http_door, http_server, speech_response
from edge_tts.front_doors.http.tokens import read_tokens
from edge_tts.runtime.event_bus import PartHealth
from edge_tts.values import AudioChunk

pytest.importorskip("starlette", reason="THE PACKAGE starlette IS NOT INSTALLED: no HTTP server was tested")
pytest.importorskip("uvicorn", reason="THE PACKAGE uvicorn IS NOT INSTALLED: no HTTP server was tested")


def said(**keys: Any) -> dict[str, Any]:
    """What OpenAI's clients send."""
    return {"model": "tts-1", "input": "Hello.", "voice": "hum", **keys}


def loudest(samples: np.ndarray[Any, Any]) -> float:
    return float(np.abs(samples).max())


@pytest.mark.parametrize("name", ["wav", "flac", "pcm", "opus", "mp3"])
def test_openais_client_hears_every_format(tmp_path: Path, name: Any) -> None:
    """The real client streams 0.3 s of sound in each format, with its media type and the reports of any request."""
    openai = pytest.importorskip("openai", reason="THE PACKAGE openai IS NOT INSTALLED: its client was not tried")
    if name not in available_formats():
        pytest.skip(f"THIS libsndfile WRITES NO {name}: it was not tested")
    with stage(tmp_path, token=True) as it:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{it.port}/v1", api_key=SECRET, max_retries=0)
        with (
            client,
            client.audio.speech.with_streaming_response.create(
                model="gpt-4o-mini-tts", voice="Hum", input="Hello.", response_format=name, speed=1.5
            ) as answer,
        ):
            data = b"".join(answer.iter_bytes())
            assert answer.headers["content-type"].startswith("audio/")
        assert it.stages() == ["accepted", "started", "first_audio", "done"]
        assert it.notes.reports[1].details["voice"] == "hum"
        assert len(it.loudspeaker.heard) == 0
    if name == "pcm":  # 24 kHz, as OpenAI's
        samples, rate = np.frombuffer(data, "<i2") / 32768, 24000
    else:
        recording = read_sound(data, what=name)
        samples, rate = recording.samples, recording.sample_rate
    assert len(samples) / rate == pytest.approx(0.3, abs=0.25)  # MP3: whole frames
    assert loudest(samples) == pytest.approx(0.5, abs=0.1)


def test_openais_client_is_told_what_is_wrong(tmp_path: Path) -> None:
    """A wrong key and an unknown voice are the client's own exceptions, with our words and the error's name."""
    openai = pytest.importorskip("openai", reason="THE PACKAGE openai IS NOT INSTALLED: its client was not tried")
    with stage(tmp_path, token=True) as it:
        for key, voice, kind, words in (
            ("wrong", "hum", openai.AuthenticationError, "http.token_file"),
            (SECRET, "alloy", openai.NotFoundError, "no voice 'alloy'"),
        ):
            url = f"http://127.0.0.1:{it.port}/v1"
            with openai.OpenAI(base_url=url, api_key=key, max_retries=0) as client, pytest.raises(kind, match=words):
                client.audio.speech.create(model="tts-1", voice=voice, input="Hello.")


def test_sound_leaves_while_the_rest_is_made(tmp_path: Path) -> None:
    """Nothing waits for the end: the first sound arrives while the synthesizer stands still after it."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:
        wire = http.client.HTTPConnection("127.0.0.1", it.port, timeout=WAIT_S)
        wire.request(
            "POST", "/v1/audio/speech", json.dumps(said(response_format="wav")), {"content-type": "application/json"}
        )
        answer = wire.getresponse()
        assert answer.read1(44)[:4] == b"RIFF"
        assert "done" not in it.stages()
        synthesizer.gate.set()
        assert len(answer.read()) >= 2 * int(0.2 * RATE)
        wire.close()


def test_server_sent_events_carry_the_sound(tmp_path: Path) -> None:
    """With `stream_format: sse` the sound comes as deltas in base64, then one event says that it is done."""
    import base64

    with stage(tmp_path) as it:
        answer, data = it.ask("POST", "/v1/audio/speech", said(response_format="wav", stream_format="sse"))
        assert answer.getheader("content-type") == "text/event-stream"
        events = [json.loads(line[6:]) for line in data.decode().split("\n\n") if line]
    assert [event["type"] for event in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    assert events[-1]["type"] == "speech.audio.done"
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert len(sound.partition(b"data")[2]) == 4 + 2 * int(0.3 * RATE)


def test_play_speaks_at_the_device(tmp_path: Path) -> None:
    """With `play` the loudspeaker speaks, the answer comes at once, and an id is spoken once."""
    with stage(tmp_path) as it:
        answer, data = it.ask("POST", "/v1/audio/speech", said(play=True, id="bell", priority="alert"))
        assert (answer.status, json.loads(data)) == (202, {"id": "bell", "duplicate": False})
        it.notes.wait("bell", "done")
        assert len(it.loudspeaker.heard) >= int(0.3 * RATE)
        answer, data = it.ask("POST", "/v1/audio/speech", said(play=True, id="bell", priority="alert"))
        assert json.loads(data) == {"id": "bell", "duplicate": True}
        assert it.refused("POST", "/v1/audio/speech", said(play=True, voice="nobody"))[:2] == (404, "UnknownVoiceError")


def test_a_gpt_sovits_client_is_served(tmp_path: Path) -> None:
    """api_v2's parameters work by GET and POST; without streaming the WAV's header has its length."""
    synthesizer = FakeSynthesizer()
    keys = {
        "text": "Hi.", "text_lang": "EN", "ref_audio_path": "", "aux_ref_audio_paths": [], "prompt_text": "",
        "prompt_lang": "zh", "top_k": 5, "top_p": 1, "temperature": 1, "text_split_method": "cut5", "batch_size": 1,
        "batch_threshold": 0.75, "split_bucket": True, "speed_factor": 1.2, "fragment_interval": 0.3, "seed": -1,
        "parallel_infer": True, "repetition_penalty": 1.35, "sample_steps": 32, "super_sampling": False,
        "streaming_mode": False, "overlap_length": 2, "min_chunk_length": 16, "media_type": "wav",
    }  # fmt: skip
    with stage(tmp_path, synthesizer) as it:
        _, posted = it.ask("POST", "/tts", keys)
        _, got = it.ask("GET", "/tts?text=Hi.&text_lang=en&top_k=5&streaming_mode=false&seed=-1&speed_factor=1.2")
        answer, raw = it.ask("GET", "/tts?text=Hi.&media_type=raw&streaming_mode=1&voice=buzz&volume=50")
        assert answer.getheader("content-type") == "audio/raw"
        assert it.notes.reports[-3].details["voice"] == "buzz"
    for data in (posted, got):
        with wave.open(io.BytesIO(data)) as file:
            assert (file.getframerate(), file.getnframes()) == (RATE, int(0.3 * RATE))
    assert loudest(np.frombuffer(raw, "<i2") / 32768) == pytest.approx(0.25, abs=0.01)
    assert synthesizer.spoken == ["Hi."] * 3


def test_a_long_wav_is_not_held_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a whole WAV is streamed after all, and complete."""
    monkeypatch.setattr(speech_response, "MOST_WHOLE", 2000)
    with stage(tmp_path) as it:
        answer, data = it.ask("GET", "/tts?text=Hi.")
        assert answer.getheader("content-length") is None
        assert len(data.partition(b"data")[2]) == 4 + 2 * int(0.3 * RATE)


@pytest.mark.parametrize(
    ("keys", "status", "code", "words"),
    [
        (said(voice="nobody"), 404, "UnknownVoiceError", "no voice 'nobody'"),
        (said(input=" "), 422, "TextError", "empty"),
        (said(input="x" * 101), 422, "TextError", "limits.text_chars is 100"),
        (said(input="!"), 422, "TextError", "nothing in the text"),
        (said(input="bug"), 500, "InternalError", "ZeroDivisionError"),
        (said(language="tlh"), 422, "TextError", "no language option 'tlh'"),
        (said(input=5), 422, "PayloadError", "key 'input'"),
        (said(speed=9), 422, "PayloadError", "key 'speed'"),
        ({"text": "x"}, 422, "PayloadError", "unknown key 'text'; here it is called 'input'"),
        (said(response_format="aac"), 422, "PayloadError", "no 'aac'"),
        (said(instructions="whisper"), 422, "PayloadError", "none can be followed"),
        ({"voice": "hum"}, 422, "PayloadError", "key 'input' is missing"),
        ([said()], 400, "PayloadError", ""),
        (b"{'input': 5}", 400, "PayloadError", "single quotes"),
        (b"\xff\xfe", 400, "PayloadError", "not UTF-8"),
        (b"[" * 900, 400, "PayloadError", ""),
        (b"x" * 1001, 413, "PayloadError", "limits.payload_bytes"),
    ],
)
def test_a_refused_request_is_told_why(tmp_path: Path, keys: Any, status: int, code: str, words: str) -> None:
    """The status is apt, the error named and the sentence says what is wrong; the next request is served."""
    with stage(tmp_path) as it:
        told = it.refused("POST", "/v1/audio/speech", keys, content_type="application/json")
        assert told[:2] == (status, code)
        assert words in told[2]
        assert it.ask("GET", "/tts?text=Hi.")[0].status == 200
        assert it.stages().count("failed") == (status not in (413,))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("text=Hi.&ref_audio_path=/a.wav&prompt_lang=zh", "voices are enrolled"),
        ("text=Hi.&media_type=aac", "no 'aac'"),
        ("text=Hi.&text_split_method=cut9", "did you mean"),
        ("text=Hi.&text_language=zh", "unknown key 'text_language'"),
        ("text=Hi.&top_k=many", "key 'top_k'"),
        ("text_lang=en", "key 'text' is missing"),
    ],
)
def test_a_gpt_sovits_client_is_told_what_is_wrong(tmp_path: Path, query: str, words: str) -> None:
    """The message names the parameter as GPT-SoVITS calls it, and says what would be right."""
    with stage(tmp_path) as it:
        status, code, message = it.refused("GET", f"/tts?{query}")
        assert (status, code) == (422, "PayloadError")
        assert words in message


def test_what_is_not_there_is_said_in_the_same_form(tmp_path: Path) -> None:
    """Unknown paths, methods and media types have their status and a named error; a fresh reader finds the document."""
    with stage(tmp_path) as it:
        assert it.refused("GET", "/nothing")[:2] == (404, "not_found")
        assert it.refused("GET", "/v1/audio/speech")[:2] == (405, "method_not_allowed")
        assert it.refused("POST", "/v1/audio/speech", b"input=x")[:2] == (415, "PayloadError")
        assert it.ask("DELETE", "/tts")[0].getheader("allow") is not None


def test_voices_and_health_are_listed(tmp_path: Path) -> None:
    """`/v1/voices` has every voice and the default; `/healthz` is 503 as soon as a part does not do well."""
    with stage(tmp_path) as it:
        told = json.loads(it.ask("GET", "/v1/voices")[1])
        assert told["default"] == "hum"
        assert told["voices"][0] == {"id": "buzz", "name": "Buzz", "language": "zh", "builtin": True}
        answer, data = it.ask("GET", "/healthz")
        assert (answer.status, json.loads(data)["status"]) == (200, "ok")
        it.events.set_health("loudspeaker", PartHealth("failing", why="pulled out"))
        answer, data = it.ask("GET", "/healthz")
        assert (answer.status, json.loads(data)["parts"]["loudspeaker"]) == (503, "failing")


def test_a_full_queue_is_429_and_says_when_to_try_again(tmp_path: Path) -> None:
    """Requests over HTTP have the queue's limit like all others."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer, capacity=1) as it:
        it.say("first")
        it.notes.wait("first", "started")
        it.say("second")
        answer, data = it.ask("POST", "/v1/audio/speech", said())
        assert (answer.status, json.loads(data)["error"]["code"]) == (429, "QueueFullError")
        assert answer.getheader("retry-after") == "1"
        synthesizer.gate.set()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": SECRET}, 401),
        ({"authorization": "Bearer \xfc"}, 401),
        ({"authorization": f"bearer {SECRET}"}, 200),
        ({"authorization": f"Bearer {SECRET}", "origin": "http://elsewhere.example"}, 200),
    ],
)
def test_with_a_token_only_who_has_it_is_served(tmp_path: Path, fields: dict[str, str], status: int) -> None:
    """Without it there is 401 in OpenAI's form, and a probe of the health needs none."""
    with stage(tmp_path, token=True) as it:
        assert it.ask("GET", "/v1/voices", **fields)[0].status == status
        assert it.ask("GET", "/healthz")[0].status == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:1"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "[::1"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
    ],
)
def test_without_a_token_web_pages_of_others_are_kept_out(tmp_path: Path, fields: dict[str, str], status: int) -> None:
    """A browser on this machine is no way in: neither across sites nor by a name that leads here."""
    with stage(tmp_path) as it:
        assert it.ask("GET", "/v1/voices", **fields)[0].status == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "kitchen.lan"])
def test_without_a_token_it_listens_to_this_machine_alone(host: str) -> None:
    """A host that others reach is refused without `http.token_file`, by a sentence that says why and what to do."""
    with pytest.raises(ConfigError, match=r"http.token_file.*other machines.*127\.0\.0\.1"):
        config_from({"http": {"port": 8080, "host": host}}, folder=Path())
    config_from({"http": {"port": 8080, "host": host, "token_file": "token"}}, folder=Path())
    assert Config().http.port is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b" \n", "is empty"),
        (b"\xff", "not UTF-8"),
        (b"a b c", "line 1 .* is no name"),
        (b"shop secret\nShop other", "line 2 .* is no name"),
        (b"shop secret\nkitchen secret", "line 2 .* an earlier line has"),
        (b"shop secret\nshop other", "line 2 .* an earlier line has"),
        (b"# shop\n# kitchen", "comments alone"),
        ("kitchen se\u00e9cret".encode(), "as a header does"),
    ],
)
def test_a_token_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A missing or empty file never means that everybody may ask."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_tokens(path)


def test_a_file_of_one_word_is_a_token_and_one_of_lines_names_each(tmp_path: Path) -> None:
    """The file of an earlier version stays valid, whatever its word begins with."""
    path = tmp_path / "token"
    path.write_text("\ufeff#secret\n", encoding="utf-8")
    assert read_tokens(path) == {"#secret": ""}
    path.write_text("# who has which\nkitchen one\n\n  shop\ttwo\n", encoding="utf-8")
    assert read_tokens(path) == {"one": "kitchen", "two": "shop"}
    assert read_tokens(None) is None


def test_without_the_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port in the configuration and no extra is one clear error."""
    monkeypatch.setattr(http_door, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"starlette and uvicorn.*pip install '.\[http\]'"):
        http_door.check_library()


class Endless(FakeSynthesizer):
    """Speaks for hours."""

    def stream(self, request: Any, voice: Any, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        while not should_stop():
            yield AudioChunk(np.ones(10 * RATE, np.float32), RATE, request.id, last=False)


def begin(it: Stage, **keys: Any) -> socket.socket:
    """A request whose answer nobody reads yet."""
    body = json.dumps(said(**keys)).encode()
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.settimeout(WAIT_S)
    wire.connect(("127.0.0.1", it.port))
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    wire.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return wire


def test_a_caller_that_is_gone_ends_its_job(tmp_path: Path) -> None:
    """In the middle of a sentence or in the queue: each job is reported `interrupted`, and the worker is free."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:
        first = begin(it, id="one")
        it.notes.wait("one", "first_audio")
        second = begin(it, id="two")
        it.notes.wait("two", "accepted")
        for wire in (first, second):
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.close()
        for name in ("one", "two"):
            assert it.notes.wait(name, "interrupted").details == {"reason": "the client is gone"}
        synthesizer.gate.set()
        it.say("next")
        it.notes.wait("next", "done")


def test_a_caller_that_takes_no_sound_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is free again although the connection stays open."""
    monkeypatch.setattr(speech_response, "STALL_S", 0.05)
    with stage(tmp_path, Endless()) as it:
        wire = begin(it, id="slow", response_format="wav")
        assert it.notes.wait("slow", "interrupted").details == {"reason": "the client is gone"}
        wire.close()


def test_an_interrupted_answer_does_not_pass_for_a_whole_one(tmp_path: Path) -> None:
    """A stop in the middle ends the connection without the end of the body; before the first sound it is 503."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:
        wire = begin(it, id="one", response_format="wav")
        it.notes.wait("one", "first_audio")
        waiting = begin(it, id="two")
        it.notes.wait("two", "accepted")
        it.jobs.stop()
        answers = []
        for each in (wire, waiting):
            answer = http.client.HTTPResponse(each)
            answer.begin()
            answers.append(answer)
        with pytest.raises(http.client.IncompleteRead):
            answers[0].read()
        assert (answers[1].status, json.loads(answers[1].read())["error"]["code"]) == (503, "interrupted")
        wire.close()
        waiting.close()


def test_a_request_that_does_not_begin_in_time_is_told_so(tmp_path: Path) -> None:
    """`ttl_s` bounds the wait for the first sound."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    with stage(tmp_path, synthesizer) as it:
        it.say("first")
        it.notes.wait("first", "started")
        status, code, message = it.refused("POST", "/v1/audio/speech", said(ttl_s=0.05))
        assert (status, code) == (503, "interrupted")
        assert "no sound within 0.05 s" in message
        synthesizer.gate.set()


def test_a_request_that_never_arrives_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not come costs its connection alone."""
    monkeypatch.setattr(http_door, "BODY_S", 0.05)
    with stage(tmp_path) as it, socket.create_connection(("127.0.0.1", it.port), WAIT_S) as wire:
        wire.sendall(
            b"POST /tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
        assert wire.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_a_caller_that_is_gone_before_its_request_is_no_defect(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a body and a closed connection leave no error in the log."""
    with stage(tmp_path) as it:
        with socket.create_connection(("127.0.0.1", it.port), WAIT_S) as wire:
            head = b"POST /tts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
            wire.sendall(head + b"Expect: 100-continue\r\n\r\n")
            assert wire.recv(4096).startswith(b"HTTP/1.1 100 ")  # it is being read
            wire.sendall(b"{")
        assert it.ask("GET", "/healthz")[0].status == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_who_only_connects_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections without a whole request are dropped and make room; one in service is left alone."""
    synthesizer = FakeSynthesizer()
    synthesizer.gate.clear()
    monkeypatch.setattr(http_server, "IDLE_S", 0.5)
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 3)
    with stage(tmp_path, synthesizer) as it:
        busy = begin(it, id="busy", response_format="wav")
        it.notes.wait("busy", "first_audio")
        idle = [socket.create_connection(("127.0.0.1", it.port), WAIT_S) for _ in range(3)]
        idle[0].sendall(b"GET /healthz HTTP/1.1\r\nHost")
        for wire in idle:
            assert wire.recv(1) == b""
            wire.close()
        assert it.ask("GET", "/healthz")[0].status == 200
        synthesizer.gate.set()
        answer = http.client.HTTPResponse(busy)
        answer.begin()
        assert len(answer.read().partition(b"data")[2]) == 4 + 2 * int(0.3 * RATE)
        busy.close()


def test_a_port_that_is_taken_costs_http_alone(tmp_path: Path) -> None:
    """It is shown in the state with the reason, and the rest speaks."""
    running = Stage(tmp_path, FakeSynthesizer())
    with socket.create_server(("127.0.0.1", running.port)), running.running(), running.server:
        health = running.events.state.health["http"]
        assert health.status == "failing"
        assert f"cannot listen at 127.0.0.1:{running.port}" in str(health.why)
        running.say("a")
        running.notes.wait("a", "done")


def test_a_stop_of_the_daemon_ends_the_connections(tmp_path: Path) -> None:
    """Callers that are idle, in the middle of a sentence, or take nothing hold nobody up."""
    with stage(tmp_path, Endless()) as it:
        idle = socket.create_connection(("127.0.0.1", it.port))
        slow = begin(it, id="slow", response_format="wav")
        it.notes.wait("slow", "first_audio")
    until(lambda: not it.server._thread.is_alive())
    idle.close()
    slow.close()


@pytest.mark.parametrize("name", available_formats())
def test_a_stream_in_pieces_is_the_sound(name: str) -> None:
    """In every format, at a rate that some do not know, what is decoded has the length and the loudness of what went
    in."""
    stream, pieces = SoundStream(name, sample_rate=32000), b""
    sine = (16384 * np.sin(2 * np.pi * 200 * np.arange(3 * 32000) / 32000)).astype("<i2")
    for begin_ in range(0, len(sine), 9000):
        pieces += stream.push(sine[begin_ : begin_ + 9000].tobytes())
    pieces += stream.close()
    if name in ("pcm", "raw"):
        samples, rate = np.frombuffer(pieces, "<i2") / 32768, 24000 if name == "pcm" else 32000
    else:
        recording = read_sound(pieces, what=name)
        samples, rate = recording.samples, recording.sample_rate
    assert len(samples) / rate == pytest.approx(3, abs=0.1)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.5 / np.sqrt(2), abs=0.03)


def test_what_is_documented_is_true(tmp_path: Path) -> None:
    """schemathesis asks for hundreds of right and wrong things by `/openapi.json`: no crash, no status or answer that
    is not documented, and nothing wrong is taken for right."""
    schemathesis = pytest.importorskip("schemathesis", reason="THE PACKAGE schemathesis IS NOT INSTALLED: not fuzzed")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import positive_data_acceptance

    with stage(tmp_path, FakeSynthesizer(chunks=1, chunk_s=0.01), limits=LimitsConfig()) as it:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{it.port}/openapi.json")
        modes, asked = schemathesis.GenerationMode, 0
        for operation in schema.get_all_operations():
            for mode in modes if operation.ok().body or operation.ok().query else [modes.POSITIVE]:
                strategy = operation.ok().as_strategy(generation_mode=mode)

                @settings(
                    max_examples=40,
                    deadline=None,
                    derandomize=True,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=strategy)
                def ask(case: Any) -> None:
                    nonlocal asked
                    for keys in (case.body, case.query):
                        if case.meta.generation.mode is modes.POSITIVE and isinstance(keys, dict):
                            keys.pop("ttl_s", None)  # which is too short for anybody
                    # A text that is a string may still be nothing to speak.
                    case.call_and_validate(excluded_checks=[positive_data_acceptance])
                    asked += 1

                ask()
        assert asked > 100
        assert it.ask("GET", "/healthz")[0].status == 200
