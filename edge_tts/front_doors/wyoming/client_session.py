"""One client: its events in their order, and sound, errors and signs of life back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from edge_tts.errors import PayloadError
from edge_tts.front_doors.connection_sink import ConnectionSink
from edge_tts.front_doors.message import plain_address
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.front_doors.wyoming import protocol
from edge_tts.front_doors.wyoming.protocol import BoundedReader, ClientEvent
from edge_tts.request import SpeakMessage
from edge_tts.schema import check
from edge_tts.text.chunking import whole_sentences
from edge_tts.values import Caller

T = TypeVar("T")

KEEP_ALIVE_S, SILENCE_S = 1.0, 0.1
"""After so many seconds without an event it gets silence, or an empty chunk while it still has sound to play."""
FIRST_SOUND_S = 120.0
"""How long a request may wait in the queue."""
STALL_S = 30.0
"""How long a client may take for one event."""
IDLE_S = 300.0
"""How long a client may be silent while it has nothing to listen to."""
WAITING = 256
"""Events of a client that are read ahead."""


class ClientSession:
    """Owns a connection."""

    def __init__(self, context: SessionContext, reader: BoundedReader, writer: asyncio.StreamWriter) -> None:
        self._context, self._reader, self._writer = context, reader, writer
        self._caller = Caller("wyoming", address=plain_address(writer.get_extra_info("peername")[0]))
        self._loop = asyncio.get_running_loop()
        self._requests: asyncio.Queue[ClientEvent | None] = asyncio.Queue(WAITING)
        self._writing = asyncio.Lock()
        self._busy = False
        self._plays_until = 0.0
        """When a client that plays at once runs out of sound, by the loop's clock."""

    async def run(self) -> None:
        """Until the client is gone and its requests are served. Raises OSError or EOFError when the connection breaks,
        PayloadError for what is no event."""
        tasks = [asyncio.create_task(self._read_all()), asyncio.create_task(self._serve_all())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def send(self, event: Any) -> None:
        """Raises OSError, also for a client that takes nothing."""
        async with self._writing:
            # Not wait_for: before Python 3.12 it swallows a cancellation that comes as the write ends.
            writing = asyncio.create_task(protocol.write(self._writer, event))
            try:
                if not (await asyncio.wait({writing}, timeout=STALL_S))[0]:
                    raise ConnectionAbortedError("the client takes no sound")
                writing.result()
            finally:
                writing.cancel()

    async def _read_all(self) -> None:
        """A client that sends no more may still listen."""
        while (request := await self._read()) is not None:
            if request.kind == "describe":
                await self._describe()
            elif request.kind == "ping":
                await self.send(protocol.pong(request.text))
            else:
                await self._requests.put(request)
        await self._requests.put(None)

    async def _describe(self) -> None:
        context, default = self._context, self._context.runtime.events.state.voice
        voices = sorted(context.voices_for(self._caller), key=lambda voice: voice.id != default)
        await self.send(protocol.info(voices, context.model.languages, context.version))

    async def _read(self) -> ClientEvent | None:
        reading = asyncio.create_task(protocol.read(self._reader))
        try:
            while not (await asyncio.wait({reading}, timeout=IDLE_S))[0]:
                if not self._busy:
                    return None
            return reading.result()
        finally:
            reading.cancel()

    async def _serve_all(self) -> None:
        while (request := await self._requests.get()) is not None:
            self._busy = True
            if request.kind == "synthesize":
                await self.send(protocol.audio_start(self._context.model.sample_rate))
                await self._speak(request, request.text)
                await self.send(protocol.audio_stop())
            elif request.kind == "synthesize-start":
                await self.send(protocol.audio_start(self._context.model.sample_rate))
                await self._stream(request)
                await self.send(protocol.audio_stop())
                await self.send(protocol.synthesize_stopped())
            self._busy = False

    async def _stream(self, start: ClientEvent) -> None:
        """Speak whole sentences while the rest of the text is still being written."""
        text, length, goes_on, ended = "", 0, True, False
        while not ended:
            request = await self._alive(self._requests.get(), partial(self._give_up, self._loop.time() + IDLE_S))
            if request is None:
                self._requests.put_nowait(None)  # for `_serve_all`
            ended = request is None or request.kind == "synthesize-stop"
            if request is not None and request.kind == "synthesize-chunk" and goes_on:
                length += len(str(request.text))
                if length > self._context.limits.text_chars:
                    await self._refuse_length(length)
                    goes_on = False
                text += str(request.text)
            ready, text = (text, "") if ended else ("", text) if start.ssml else whole_sentences(text)
            if goes_on and ready.strip() and (ended or self._requests.empty()):
                goes_on = await self._speak(start, ready)
            else:
                text = ready + text

    def _give_up(self, limit: float) -> None:
        if self._loop.time() > limit:
            raise ConnectionAbortedError(f"no text within {IDLE_S:g} s")

    async def _refuse_length(self, length: int) -> None:
        most = self._context.limits.text_chars
        await self.send(
            protocol.error(f"the text has {length} characters or more; limits.text_chars is {most}", "TextError")
        )

    async def _speak(self, request: ClientEvent, text: Any) -> bool:
        """False after a stop: then the client's other sentences are not wanted either."""
        context = self._context
        sink = ConnectionSink(runtime=context.runtime, loop=self._loop, caller=self._caller)
        request_id = context.runtime.new_id()
        context.speak_into(sink, lambda: self._message(request, text, request_id), request_id)
        limit = self._loop.time() + FIRST_SOUND_S
        try:
            while (samples := await self._alive(sink.piece(), partial(self._too_late, request_id, limit))) is not None:
                await self._send_sound(samples)
                limit = float("inf")
        finally:
            if sink.closing is None:
                context.jobs.stop(request_id, reason="the client is gone")
        return await self._end(sink)

    def _too_late(self, request_id: str, limit: float) -> None:
        if self._loop.time() > limit:
            self._context.jobs.stop(request_id, reason=f"no sound within {FIRST_SOUND_S:g} s")

    async def _end(self, sink: ConnectionSink) -> bool:
        """Tell how the job ended, unless well."""
        assert sink.closing is not None
        stage, details = sink.closing.stage, sink.closing.details
        if stage == "failed":
            await self.send(protocol.error(details["message"], details["error"]))
        elif stage != "done":
            await self.send(protocol.error(f"{stage}: {details.get('reason') or details.get('message')}", stage))
        return stage in ("done", "failed")

    async def _send_sound(self, samples: bytes) -> None:
        rate = self._context.model.sample_rate
        await self.send(protocol.audio_chunk(rate, samples))
        now, seconds = self._loop.time(), len(samples) / (protocol.WIDTH * rate)
        self._plays_until = max(self._plays_until, now) + seconds

    async def _alive(self, work: Coroutine[Any, Any, T], tick: Callable[[], None] = lambda: None) -> T:
        """The result of `work`; meanwhile the client gets an event now and then, and `tick` is called."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=KEEP_ALIVE_S))[0]:
                tick()
                starving = self._loop.time() >= self._plays_until
                samples = int(SILENCE_S * self._context.model.sample_rate) if starving else 0
                await self._send_sound(bytes(protocol.WIDTH * samples))
            return task.result()
        finally:
            task.cancel()

    def _message(self, request: ClientEvent, text: Any, request_id: str) -> SpeakMessage:
        """Raises PayloadError."""
        values = {"id": request_id, "text": text, "voice": request.voice, "ssml": request.ssml}
        if request.language is not None:  # en, en_GB, zh-CN
            values["language"] = re.split("[-_]", str(request.language).casefold())[0]
        return check(SpeakMessage, values, error=PayloadError, what="wyoming")
