"""Segments that another machine speaks: a real HTTP appliance, and servers that fail in every way."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import RATE, FakeClock, FakeSynthesizer, until
from http_stage import SECRET, stage
from toy_model_sets import write_model_set

from edge_tts.audio.wave import read_stream_header, wav_header
from edge_tts.errors import AudioError, TransportError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.remote import RETRY_S, RemoteLine, RemoteVoices
from edge_tts.values import FloatArray, GuardCounts, ModelSet, Sampling

LINE = RemoteLine(
    text="Dinner is ready.", voice="hum", language="en", sampling=Sampling(seed=7), speed=1.0, priority="normal"
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@pytest.fixture
def model(tmp_path: Path) -> ModelSet:
    return replace(read_model_set(write_model_set(tmp_path / "set")), sample_rate=RATE)


def voices(model: ModelSet, port: int, *, token: str | None = None) -> RemoteVoices:
    return RemoteVoices(f"http://127.0.0.1:{port}", model, token=token, first_audio_s=20.0)


def spoken(
    remote: RemoteVoices, line: RemoteLine = LINE, should_stop: Callable[[], bool] = lambda: False
) -> tuple[FloatArray, GuardCounts]:
    """All that is heard, and what the guard did."""
    heard: list[FloatArray] = []

    def run() -> Iterator[FloatArray]:
        nonlocal counts
        counts = yield from remote.speak(line, should_stop)

    counts = GuardCounts()
    heard.extend(run())
    return np.concatenate([np.zeros(0, np.float32), *heard]), counts


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where one caller is answered by `answer`, after its request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked = b""
                while not asked.endswith(b"}"):  # what is left unread would reset the connection
                    asked += connection.recv(65536)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def event(**values: object) -> bytes:
    return b"data: " + json.dumps(values).encode() + b"\n\n"


def sound(data: bytes) -> bytes:
    return event(type="speech.audio.delta", audio=base64.b64encode(data).decode())


def test_an_appliance_speaks_for_another(model: ModelSet, tmp_path: Path) -> None:
    """What the other one's voice said arrives sample for sample; the request has text."""
    synthesizer = FakeSynthesizer()
    with stage(tmp_path, synthesizer, token=True) as other:
        heard, counts = spoken(voices(model, other.port, token=SECRET), replace(LINE, priority="alert"))
    assert (len(heard) > 0, counts.faults, counts.retried) == (True, {}, 0)
    assert synthesizer.spoken == [LINE.text]


def test_a_stop_reaches_the_other_machine(model: ModelSet, tmp_path: Path) -> None:
    """When the listener stops, so does the request over there."""
    stopping, synthesizer = threading.Event(), FakeSynthesizer()
    synthesizer.gate.clear()  # it stands still in mid-sentence
    with stage(tmp_path, synthesizer) as other:
        remote = voices(model, other.port)
        for _ in remote.speak(LINE, stopping.is_set):
            stopping.set()
        until(lambda: "interrupted" in other.stages())
    assert remote.is_due()


@pytest.mark.parametrize(
    ("token", "line", "reason"),
    [
        ("wrong", LINE, "answers 401"),
        (SECRET, replace(LINE, voice="nobody"), "answers 404: there is no voice 'nobody'"),
    ],
)
def test_a_refusal_is_told(model: ModelSet, tmp_path: Path, token: str, line: RemoteLine, reason: str) -> None:
    """The other machine's own words are in the error, and it is left alone for a while."""
    with stage(tmp_path, token=True) as other:
        remote = voices(model, other.port, token=token)
        with pytest.raises(TransportError, match=reason):
            spoken(remote, line)
    assert not remote.is_due()


def test_nobody_there_is_told(model: ModelSet) -> None:
    """A closed port is an error at once, and asked again after a while."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    clock = FakeClock()
    remote = RemoteVoices(f"http://127.0.0.1:{port}", model, first_audio_s=20.0, clock=clock)
    with pytest.raises(TransportError, match=f"127.0.0.1:{port}: cannot be asked"):
        spoken(remote)
    clock.now += RETRY_S - 1
    assert not remote.is_due()
    clock.now += 1
    assert remote.is_due()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "cannot be asked"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be asked"),
        (HEAD, "broke off"),
        (HEAD + sound(wav_header(RATE, 0) + b"\1\0" * 50), "broke off in mid-sentence"),
        (HEAD + sound(wav_header(RATE * 2, 0) + b"\1\0" * 50), "speaks at 16000 Hz, this set at 8000"),
        (HEAD + sound(b"OggS" + b"\0" * 60), "not a mono WAV"),
        (HEAD + b"data: [1]\n\n", "cannot be asked"),
        (HEAD + b"data: {\n\n", "cannot be asked"),
        (HEAD + event(type="speech.audio.delta"), "cannot be asked"),
        (HEAD + event(type="speech.audio.delta", audio="%%%"), "cannot be asked"),
        (HEAD + event(type="speech.audio.done", guard=[1]), "cannot be asked"),
        (HEAD + event(type="error", error={"message": "the queue is full"}), "the queue is full"),
    ],
)
def test_rubbish_is_an_error_by_name(model: ModelSet, sent: bytes, reason: str) -> None:
    """Whatever comes instead of speech ends the segment, and no exception but TransportError leaves."""
    with server(lambda connection: connection.sendall(sent)) as port, pytest.raises(TransportError, match=reason):
        spoken(voices(model, port))


def test_silence_is_not_waited_for(model: ModelSet) -> None:
    """A machine that takes the request and says nothing is given up after the configured time by the caller's clock;
    the socket has no time-out of its own that could come first and say something else."""
    clock, over = FakeClock(), threading.Event()

    def silence(connection: socket.socket) -> None:
        over.wait(0.3)  # longer than the time-out, which no clock has seen pass
        clock.now += 0.1
        over.wait(60)

    with server(silence) as port:
        remote = RemoteVoices(f"http://127.0.0.1:{port}", model, first_audio_s=0.1, clock=clock)
        with pytest.raises(TransportError, match=r"no sound within 0.1 s"):
            spoken(remote)
        over.set()


def test_what_the_other_guard_did_is_counted(model: ModelSet) -> None:
    """Retries and faults come with the last event; sound in odd pieces is put together."""
    samples = np.arange(-50, 50, dtype="<i2").tobytes()
    whole = wav_header(RATE, 0) + samples
    pieces = b"".join(sound(whole[start : start + 7]) for start in range(0, len(whole), 7))
    last = event(type="speech.audio.done", usage={}, retried=2, guard={"loop": 1, "other": 5})
    with server(lambda connection: connection.sendall(HEAD + pieces + last)) as port:
        heard, counts = spoken(voices(model, port))
    assert np.round(heard * 32767).astype("<i2").tobytes() == samples
    assert (counts.retried, counts.faults) == (2, {"loop": 1})


def test_a_stream_header_is_found_behind_others() -> None:
    """Its rate and the place of its sound, with metadata before the sound, and only when all of it is there."""
    header = wav_header(48000, 0, b"LIST\x05\0\0\0INFOx\0")
    assert read_stream_header(header + b"xx") == (48000, len(header))
    assert all(read_stream_header(header[:size]) is None for size in range(len(header)))
    with pytest.raises(AudioError, match="mono WAV"):
        read_stream_header(b"fLaC" + b"\0" * 40)
