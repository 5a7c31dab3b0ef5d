"""The listener: a thread with an event loop. uvicorn's one home."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from edge_tts.config import HttpConfig
from edge_tts.errors import TransportError
from edge_tts.front_doors.http.http_door import HttpDoor, check_library
from edge_tts.front_doors.http.tokens import Tokens, read_tokens
from edge_tts.front_doors.session_context import SessionContext
from edge_tts.runtime.part import OptionalPart

MOST_CONNECTIONS = 64
"""Of more, each is answered 503."""
IDLE_S = 30.0
"""A connection without a request for so long, twice at most, is dropped; so is one that does not take its answer."""
_RETRY_S, _CLOSE_S, _GONE_S = 10.0, 1, 30


class HttpServer(OptionalPart):
    """Raises ConfigError without the libraries, or for a token that cannot be used."""

    def __init__(self, *, device: str, config: HttpConfig, context: SessionContext) -> None:
        check_library()
        advice = "is another program on that port (`ss -ltnp`), is http.host an address of this machine?"
        super().__init__(name="http", runtime=context.runtime, advice=advice, retry_s=_RETRY_S)
        self._config = config
        tokens = Tokens(read_tokens(config.token_file))
        self._door = HttpDoor(context, tokens, device=device, metrics_only=config.metrics_only)
        self._stop: Callable[[], object] = lambda: None

    def work(self) -> None:
        with self._listener() as listener:
            asyncio.run(self._serve(listener))

    def wake(self) -> None:
        self._stop()

    async def _serve(self, listener: socket.socket) -> None:
        import uvicorn

        server = uvicorn.Server(
            uvicorn.Config(
                self._door.application(),
                access_log=False,
                http="h11",
                lifespan="off",
                limit_concurrency=MOST_CONNECTIONS,
                log_config=None,
                log_level=logging.CRITICAL,  # what goes wrong is answered and logged here
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=_CLOSE_S,
                timeout_keep_alive=int(IDLE_S),
                ws="none",
            )
        )
        self._stop = lambda: setattr(server, "should_exit", True)
        server.should_exit = self.stopping.is_set()
        self.status.ok()
        self.ready()
        sweeping = asyncio.create_task(_drop_idle(server))
        try:
            await server.serve(sockets=[listener])
        finally:
            sweeping.cancel()

    def _listener(self) -> socket.socket:
        """Its connections end when the other machine is gone, or takes nothing. Raises TransportError."""
        host, port = self._config.host, self._config.port or 0
        try:
            family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
            listener = socket.create_server((host, port), family=family)
        except OSError as refused:
            raise TransportError(f"http cannot listen at {host}:{port}: {refused.strerror or refused}") from refused
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        with suppress(AttributeError):  # Linux
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _GONE_S)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _GONE_S)
        return listener


async def _drop_idle(server: Any) -> None:
    """Or whoever only connects would keep others out: uvicorn waits for a first request as long as it takes."""
    before: dict[Any, Any] = {}
    while True:
        await asyncio.sleep(IDLE_S)
        now = {one: one.cycle for one in server.server_state.connections if _is_idle(one)}
        for connection in now:
            if connection in before and before[connection] is now[connection]:
                connection.transport.abort()
        before = now


def _is_idle(connection: Any) -> bool:
    return connection.cycle is None or connection.cycle.response_complete or connection.transport.is_closing()
