"""An appliance in a replica: the HTTP front door alone, without broker, loudspeaker and microphone."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edge_tts.app.appliance import Appliance, Surroundings, loudspeaker_for
from edge_tts.config import Config
from edge_tts.durable.folders import make_folder
from edge_tts.errors import DeviceLostError
from edge_tts.front_doors.http.answers import Scope
from edge_tts.front_doors.http.http_door import HttpDoor
from edge_tts.front_doors.http.tokens import Tokens, read_tokens
from edge_tts.model_sets.loading import open_model, open_networks
from edge_tts.voices.local_voices import open_store, voice_sync

log = logging.getLogger(__name__)

Event = dict[str, Any]
"""Of ASGI, on its way to a caller."""
DRAIN_S = 60.0
"""How long a set that gives way to another may still speak."""
_AHEAD = 8
"""Events that may wait for a caller."""


class HeadlessAppliance:
    """Serves one model set until it is closed. Its voices are the bucket's, in a folder of its own that goes with it.

    Raises EdgeTTSError when it cannot start.
    """

    def __init__(self, config: Config, model_set: str) -> None:
        self._failure: BaseException | None = None
        self._answering, self._change = 0, threading.Condition()
        self.closed, self._stack = False, ExitStack()
        with ExitStack() as stack:
            folders = make_folder(config.state_dir / "replicas")
            folder = Path(stack.enter_context(TemporaryDirectory(dir=folders, ignore_cleanup_errors=True)))
            config = headless(config, folder, model_set)
            _fetch_voices(config)
            model = open_model(config)
            surroundings = Surroundings(
                load=lambda: open_networks(model, config),
                open_loudspeaker=loudspeaker_for(config.audio),
                fatal=self._fail,
            )
            self._appliance = stack.enter_context(Appliance(config, model, surroundings))
            tokens = Tokens(read_tokens(config.http.token_file))
            self.model_set = model_set
            self._app = HttpDoor(self._appliance.session_context(), tokens, device=config.device).application()
            self._stack = stack.pop_all()

    def check(self) -> None:
        """Housekeeping, every few seconds. Raises DeviceLostError when a part has ended or is stuck."""
        stuck = self._appliance.poll()
        if self._failure is not None or stuck:
            raise DeviceLostError(f"the replica has to end: {self._failure or f'no progress from {stuck}'}")

    async def answer(self, scope: Scope, body: bytes) -> AsyncIterator[Event]:
        """The answer to an HTTP request, as ASGI's events; closing the iterator stops the speech."""
        events: asyncio.Queue[Event | None] = asyncio.Queue(_AHEAD)
        bodies = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Event:
            event = next(bodies, None)
            return await asyncio.Future() if event is None else event  # the caller's end cancels us

        async def serve() -> None:
            try:
                await self._app(scope, receive, events.put)
            finally:
                await events.put(None)

        self._count(1)
        serving = asyncio.create_task(serve())
        try:
            while (event := await events.get()) is not None:
                yield event
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            self._count(-1)

    def close(self) -> None:
        """Give way to another set, after the answers that have begun, or `DRAIN_S`."""
        with self._change:
            self._change.wait_for(lambda: self._answering == 0, timeout=DRAIN_S)
            if self.closed:
                return
            self.closed = True
        self._stack.close()

    __del__ = close  # what Ray calls

    def _count(self, change: int) -> None:
        with self._change:
            self._answering += change
            self._change.notify_all()

    def _fail(self, part: str, error: BaseException) -> None:
        log.critical("%s failed: %r", part, error, exc_info=error)
        self._failure = error


class SharedAppliance:
    """For one of several voices of a set: the others keep the appliance when this one gives way."""

    def __init__(self, appliance: HeadlessAppliance) -> None:
        self.answer = appliance.answer


def headless(config: Config, folder: Path, model_set: str) -> Config:
    """`config` for a replica that keeps its state in `folder`."""
    changes: dict[str, dict[str, Any]] = {
        "mqtt": {"enabled": False},
        "http": {"port": None},
        "wyoming": {"port": None},
        "audio": {"output": "none"},
        "enrolment": {"enabled": False},
        "models": {"name": model_set},
        "voices": {"dir": folder / "voices"},
        "cache": {"dir": folder / "phrases"},
    }
    sections = {name: getattr(config, name).model_copy(update=update) for name, update in changes.items()}
    return config.model_copy(update={**sections, "state_dir": folder})


def _fetch_voices(config: Config) -> None:
    """Before the first request; a bucket that is away is tried again by the appliance."""
    sync = voice_sync(config, open_store(config))
    if sync is not None:
        report = sync()
        if report.status == "failed":
            log.warning("the bucket's voices come later: %s", report.error)
