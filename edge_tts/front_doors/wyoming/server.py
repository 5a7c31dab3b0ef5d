"""The listener: a thread with an event loop, and who may connect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address, ip_network

from edge_tts.config import WyomingConfig, is_loopback
from edge_tts.errors import PayloadError, TransportError
from edge_tts.front_doors.message import plain_address
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.front_doors.wyoming import protocol
from edge_tts.front_doors.wyoming.announcement import announced
from edge_tts.front_doors.wyoming.client_session import ClientSession
from edge_tts.front_doors.wyoming.protocol import BoundedReader
from edge_tts.runtime.part import OptionalPart

log = logging.getLogger(__name__)

MOST_CLIENTS = 8
_RETRY_S, _CLOSE_S = 10.0, 1.0


class WyomingServer(OptionalPart):
    """Serves each client in a task of its own. Raises ConfigError without the library."""

    def __init__(self, *, device: str, config: WyomingConfig, context: SessionContext) -> None:
        protocol.check_library()
        advice = "is another program on that port (`ss -ltnp`), is wyoming.host an address of this machine?"
        super().__init__(name="wyoming", runtime=context.runtime, advice=advice, retry_s=_RETRY_S)
        self._device, self._config, self._context = device, config, context
        self._allowed = [ip_network(address, strict=False) for address in config.allow]
        self._clients: set[asyncio.Task[None]] = set()
        self._refused = ""
        self._stop: Callable[[], object] = lambda: None

    def work(self) -> None:
        asyncio.run(self._serve())

    def wake(self) -> None:
        self._stop()

    async def _serve(self) -> None:
        """Raises TransportError."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        try:
            server = await loop.create_server(self._connection, self._config.host, self._config.port)
        except OSError as refused:
            where = f"{self._config.host}:{self._config.port}"
            raise TransportError(f"wyoming cannot listen at {where}: {refused.strerror or refused}") from refused
        try:
            self.status.ok()
            self.ready()
            if not self.stopping.is_set():
                await self._until(stop)
        finally:
            self._stop = lambda: None
            server.close()
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _until(self, stop: asyncio.Event) -> None:
        if is_loopback(self._config.host):  # nobody else may connect
            await stop.wait()
            return
        async with announced(f"edge-tts {self._device}", self._config.host, self._config.port or 0):
            await stop.wait()

    def _connection(self) -> asyncio.StreamReaderProtocol:
        reader = BoundedReader(largest=self._context.limits.payload_bytes)
        return asyncio.StreamReaderProtocol(reader, lambda _, writer: self._accept(reader, writer))

    def _accept(self, reader: BoundedReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("peername")[0])
        if not self._may_connect(address):
            if address != self._refused:
                log.warning("wyoming: %s may not connect; wyoming.allow names those that may", address)
            self._refused = address
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve_client(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    def _may_connect(self, address: str) -> bool:
        ip = ip_address(plain_address(address))
        return is_loopback(str(ip)) or any(ip in network for network in self._allowed)

    async def _serve_client(self, reader: BoundedReader, writer: asyncio.StreamWriter) -> None:
        session = ClientSession(self._context, reader, writer)
        try:
            if len(self._clients) > MOST_CLIENTS:
                await session.send(protocol.error(f"{MOST_CLIENTS} clients are connected already", "QueueFullError"))
            else:
                await session.run()
        except PayloadError as wrong:
            log.warning("wyoming: %s", wrong)
            with suppress(OSError):
                await session.send(protocol.error(str(wrong), type(wrong).__name__))
        except (OSError, EOFError) as gone:
            log.info("wyoming: a client is gone: %s", gone)
        except Exception:
            log.exception("wyoming: one client met a defect of this program; please report it")
        finally:
            await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Let the last events out, if the client takes them."""
    writer.close()
    try:
        with suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), _CLOSE_S)
    finally:
        writer.transport.abort()
