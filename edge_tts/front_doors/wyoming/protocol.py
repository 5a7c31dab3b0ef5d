"""Wyoming's events as values of ours. The optional library's one home."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from edge_tts.errors import ConfigError, PayloadError, install_hint
from edge_tts.voices.builtin import VoiceCard

Kind = Literal["describe", "ping", "synthesize", "synthesize-start", "synthesize-chunk", "synthesize-stop"]
WIDTH, CHANNELS = 2, 1
"""Bytes of a sample; mono."""


@dataclass(frozen=True, slots=True)
class ClientEvent:
    """An event of a client."""

    kind: Kind
    text: Any = None
    """Unchecked."""
    voice: Any = None
    language: Any = None
    ssml: bool = False


class BoundedReader(asyncio.StreamReader):
    """Refuses an event that says it is huge: the library reads as many bytes as it is told."""

    def __init__(self, *, largest: int) -> None:
        super().__init__(limit=largest)
        self._largest = largest

    async def readexactly(self, n: int) -> bytes:
        if not 0 <= n <= self._largest:
            raise ValueError(f"an event of {n} bytes; limits.payload_bytes is {self._largest}")
        return await super().readexactly(n)


def check_library() -> None:
    """Raises ConfigError where it is not installed."""
    if find_spec("wyoming") is None:
        raise ConfigError(f"wyoming.port: the package wyoming is not installed; {install_hint('wyoming')}")


async def read(reader: BoundedReader) -> ClientEvent | None:
    """The next event that concerns us; None at the end. Raises PayloadError for what is no event, or too large a one,
    EOFError or OSError when the connection breaks."""
    from wyoming.event import async_read_event

    while True:
        try:
            event = await async_read_event(reader)
            request = None if event is None else _request(event)
        except (LookupError, TypeError, AttributeError, RecursionError) as malformed:
            raise PayloadError(f"this is no Wyoming event ({type(malformed).__name__}: {malformed})") from malformed
        if event is None and not reader.at_eof():  # the library says no more
            raise PayloadError("this is no Wyoming event, or one beyond limits.payload_bytes")
        if event is None or request is not None:
            return request


def _request(event: Any) -> ClientEvent | None:
    """None for an event that does not concern us."""
    from wyoming import tts
    from wyoming.info import Describe
    from wyoming.ping import Ping

    if Describe.is_type(event.type):
        return ClientEvent("describe")
    if Ping.is_type(event.type):
        return ClientEvent("ping", event.data.get("text"))
    if tts.SynthesizeChunk.is_type(event.type):
        return ClientEvent("synthesize-chunk", event.data["text"])
    if tts.SynthesizeStop.is_type(event.type):
        return ClientEvent("synthesize-stop")
    kind: Kind
    said: Any
    if tts.Synthesize.is_type(event.type):
        kind, said = "synthesize", tts.Synthesize.from_event(event)
    elif tts.SynthesizeStart.is_type(event.type):
        kind, said = "synthesize-start", tts.SynthesizeStart.from_event(event)
    else:
        return None
    voice = said.voice or tts.SynthesizeVoice()
    ssml = said.text_format == tts.SynthesizeTextFormat.SSML
    return ClientEvent(kind, event.data.get("text"), voice.name, voice.language, ssml)


async def write(writer: asyncio.StreamWriter, event: Any) -> None:
    from wyoming.event import async_write_event

    await async_write_event(event, writer)


def info(voices: Sequence[VoiceCard], languages: Sequence[str], version: str) -> Any:
    """Describes the voices: each speaks every language of the model set, its own first. Clients name one by its id."""
    from wyoming.info import Attribution, Info, TtsProgram, TtsVoice

    ours = Attribution(name="edge-tts", url="")
    offered = [
        TtsVoice(
            name=voice.id,
            description=voice.name,
            attribution=ours,
            installed=True,
            version=None,
            languages=sorted(languages, key=lambda language: language != voice.language),
        )
        for voice in voices
    ]
    program = TtsProgram(
        name="edge-tts",
        description="GPT-SoVITS on the device",
        attribution=ours,
        installed=True,
        version=version,
        voices=offered,
        supports_synthesize_streaming=True,
    )
    return Info(tts=[program]).event()


def audio_start(rate: int) -> Any:
    from wyoming.audio import AudioStart

    return AudioStart(rate=rate, width=WIDTH, channels=CHANNELS).event()


def audio_chunk(rate: int, samples: bytes) -> Any:
    """`samples`: little-endian int16."""
    from wyoming.audio import AudioChunk

    return AudioChunk(rate=rate, width=WIDTH, channels=CHANNELS, audio=samples).event()


def audio_stop() -> Any:
    from wyoming.audio import AudioStop

    return AudioStop().event()


def synthesize_stopped() -> Any:
    from wyoming.tts import SynthesizeStopped

    return SynthesizeStopped().event()


def error(message: str, code: str) -> Any:
    from wyoming.error import Error

    return Error(text=message, code=code).event()


def pong(text: Any) -> Any:
    from wyoming.ping import Pong

    # Half a character, as JSON can have, cannot be sent.
    return Pong(text=text.encode(errors="replace").decode() if isinstance(text, str) else None).event()
