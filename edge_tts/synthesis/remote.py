"""Another machine's voice: segments are spoken by an appliance or a farm, over HTTP (docs/http.md)."""

from __future__ import annotations

import base64
import http.client
import json
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol, get_args
from urllib.parse import urlsplit

from edge_tts.audio.wave import from_pcm16, read_stream_header
from edge_tts.errors import AudioError, TransportError
from edge_tts.values import Fault, FloatArray, GuardCounts, ModelSet, Priority, Sampling

PATH = "/v1/audio/speech"
RETRY_S = 30.0
"""How long a machine that failed is not asked again."""
STALL_S = 3.0
"""How long it may keep silent in mid-sentence."""
_TICK_S = 0.05
_MOST_WAITING = 64
"""Events that may wait for the listener."""
_LONGEST_EVENT = 1 << 24
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLine:
    """What is to be said, as it would be said here."""

    text: str
    voice: str
    """Its id, which a synced voice has on every machine."""
    language: str
    sampling: Sampling
    speed: float
    priority: Priority


class Elsewhere(Protocol):
    """Who speaks for us; see `RemoteVoices`."""

    def is_due(self) -> bool: ...

    def speak(self, line: RemoteLine, should_stop: Callable[[], bool]) -> Generator[FloatArray, None, GuardCounts]: ...


class RemoteVoices:
    """One machine that speaks for us. For one thread."""

    def __init__(
        self,
        url: str,
        model: ModelSet,
        *,
        token: str | None = None,
        first_audio_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`first_audio_s` bounds the wait for the first sound of a segment."""
        self._url, self._model, self._token = urlsplit(url), model, token
        self._first_audio_s, self._clock, self._not_before = first_audio_s, clock, float("-inf")

    @property
    def where(self) -> str:
        """Host and port."""
        return self._url.netloc.rpartition("@")[2]

    def is_due(self) -> bool:
        """Whether to ask; for `RETRY_S` after a failure it is not."""
        return self._clock() >= self._not_before

    def speak(self, line: RemoteLine, should_stop: Callable[[], bool]) -> Generator[FloatArray, None, GuardCounts]:
        """The samples, float32 [n] each at the set's rate, as they come, then what the other guard did; ends early when
        stopped.

        Raises TransportError when the machine refuses, is too slow, falls silent or breaks off.
        """
        try:
            with closing(
                _Listening(self._connect(), self._request(line), WavStream(self._model.sample_rate))
            ) as listening:
                return (yield from self._heard(listening, should_stop))
        except TransportError as error:
            self._not_before = self._clock() + RETRY_S
            raise TransportError(f"{self.where}: {error}") from error

    def _heard(
        self, listening: _Listening, should_stop: Callable[[], bool]
    ) -> Generator[FloatArray, None, GuardCounts]:
        patience_s, since = self._first_audio_s, self._clock()
        while not should_stop():
            heard = listening.next(_TICK_S)
            if isinstance(heard, GuardCounts):
                return heard
            if heard is not None and len(heard):
                yield heard
                patience_s, since = STALL_S, self._clock()
            elif self._clock() - since >= patience_s:
                raise TransportError(f"no sound within {patience_s:g} s")
        return GuardCounts()

    def _connect(self) -> http.client.HTTPConnection:
        url = self._url
        host, port = url.hostname or "", url.port
        if url.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=self._first_audio_s, context=context)
        return http.client.HTTPConnection(host, port, timeout=self._first_audio_s)

    def _request(self, line: RemoteLine) -> dict[str, Any]:
        keys = {name: value for name, value in asdict(line.sampling).items() if value is not None}
        body = {
            "input": line.text,
            "model": self._model.name,
            "voice": line.voice,
            "language": line.language,
            "speed": line.speed,
            "priority": line.priority,
            "split": "cut0",
            "fragment_interval": 0,
            "response_format": "wav",
            "stream_format": "sse",
            **keys,
        }
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        path = self._url.path.rstrip("/") + PATH
        return {"method": "POST", "url": path, "body": json.dumps(body).encode(), "headers": headers}


class WavStream:
    """Samples out of a WAV that comes in pieces."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate, self._held, self._begun = sample_rate, b"", False

    def push(self, data: bytes) -> FloatArray:
        """Raises TransportError for another sample rate, AudioError for anything but mono WAV of 16 bits."""
        self._held += data
        if not self._begun and (header := read_stream_header(self._held)) is not None:
            rate, start = header
            if rate != self._sample_rate:
                raise TransportError(f"speaks at {rate} Hz, this set at {self._sample_rate}: is its set another one?")
            self._held, self._begun = self._held[start:], True
        whole = len(self._held) & ~1 if self._begun else 0
        samples, self._held = from_pcm16(self._held[:whole]), self._held[whole:]
        return samples


_Heard = FloatArray | GuardCounts
"""Samples, or the end."""


class _Listening:
    """A request, and the thread that waits for its answer: the caller's thread must be able to stop."""

    def __init__(self, connection: http.client.HTTPConnection, request: dict[str, Any], stream: WavStream) -> None:
        self._connection, self._request, self._stream = connection, request, stream
        self._heard: queue.Queue[_Heard | TransportError] = queue.Queue(_MOST_WAITING)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote-voice")
        self._thread.start()

    def next(self, timeout_s: float) -> _Heard | None:
        """What comes next; None after `timeout_s`. Raises TransportError."""
        try:
            heard = self._heard.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(heard, TransportError):
            raise heard
        return heard

    def close(self) -> None:
        """The other side hears that nobody listens any more."""
        self._over.set()
        connected = self._connection.sock
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._connection.connect()
            self._connection.sock.settimeout(None)  # from here on the caller's patience counts, and `close` ends a wait
            self._connection.request(**self._request)
            answer = self._connection.getresponse()
            if answer.status != 200:
                raise TransportError(f"answers {answer.status}: {_reason(answer.read(4096))}")
            self._listen(answer)
        except (TransportError, AudioError) as error:
            self._put(TransportError(str(error)))
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError, AttributeError) as error:
            self._put(TransportError(f"cannot be asked: {error or type(error).__name__}"))
        finally:
            self._connection.close()

    def _listen(self, answer: http.client.HTTPResponse) -> None:
        """Server-sent events, as of OpenAI. Raises TransportError, and whatever rubbish raises."""
        while line := answer.readline(_LONGEST_EVENT):
            if not line.startswith(b"data: "):
                continue
            event = json.loads(line[6:])
            if event["type"] == "error":
                raise TransportError(str(event["error"]["message"]))
            if event["type"] == "speech.audio.done":
                self._put(guard_counts(event))
                return
            self._put(self._stream.push(base64.b64decode(event["audio"], validate=True)))
        raise TransportError("broke off in mid-sentence")

    def _put(self, heard: _Heard | TransportError) -> None:
        while not self._over.is_set():
            with suppress(queue.Full):
                self._heard.put(heard, timeout=_TICK_S)
                return


def guard_counts(event: dict[str, Any]) -> GuardCounts:
    """What an appliance adds to OpenAI's last event, and to `done` over MQTT."""
    faults = {fault: int(event.get("guard", {}).get(fault, 0)) for fault in get_args(Fault)}
    return GuardCounts(segments=1, retried=int(event.get("retried", 0)), faults={k: v for k, v in faults.items() if v})


def _reason(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return body[:80].decode("utf-8", "replace")
