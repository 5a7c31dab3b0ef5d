"""The worker's networks: loaded at the start, unloaded when they are idle, loaded again by whoever needs them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

from edge_tts.request import SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.values import AudioChunk, EncodeRequest, FloatArray, Recording, Voice

log = logging.getLogger(__name__)


class Encoder(Protocol):
    """Makes a voice from recordings; `OnDemandEncoder` in production."""

    def encode(self, request: EncodeRequest, should_stop: Callable[[], bool]) -> Voice:
        """Calls `should_stop` before each network. Raises VoiceError, also when it returns True."""


class Speaker(Encoder, Protocol):
    """Makes sound, too; `Networks` in production."""

    def ssl(self, recordings: Sequence[Recording], should_stop: Callable[[], bool]) -> list[FloatArray]:
        """The `ssl` features of each, float32 [frames, width]. Raises VoiceError when `should_stop` returns True."""

    def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        """Yields each chunk as soon as it is vocoded."""


class OnDemandNetworks:
    """A `Speaker`. Used, loaded and closed in one thread, to which their CUDA context belongs."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        load: Callable[[], AbstractContextManager[Speaker]],
        unload_after_s: float | None = None,
        unloaded: Callable[[], None] = lambda: None,
    ) -> None:
        """`unload_after_s` None: they stay. `unloaded` is called when nothing refers to them any more."""
        self._runtime, self._load = runtime, load
        self._unload_after_s, self._unloaded = unload_after_s, unloaded
        self._speaker: Speaker | None = None
        self._stack = ExitStack()
        self._used_at = 0.0

    def __enter__(self) -> OnDemandNetworks:
        """Loads them. Raises what loading raises."""
        self._loaded()
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def stream(self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        with self._in_use() as speaker:
            yield from speaker.stream(request, voice, should_stop)

    def encode(self, request: EncodeRequest, should_stop: Callable[[], bool]) -> Voice:
        with self._in_use() as speaker:
            return speaker.encode(request, should_stop)

    def ssl(self, recordings: Sequence[Recording], should_stop: Callable[[], bool]) -> list[FloatArray]:
        with self._in_use() as speaker:
            return speaker.ssl(recordings, should_stop)

    def unload_if_idle(self) -> None:
        """Unload them when they were not used for `unload_after_s`."""
        idle_s = self._runtime.clock() - self._used_at
        if self._speaker is None or self._unload_after_s is None or idle_s < self._unload_after_s:
            return
        self._close()
        self._unloaded()
        self._runtime.events.update(networks="unloaded")
        log.info("the networks were idle for %.0f s and are unloaded", idle_s)

    @contextmanager
    def _in_use(self) -> Iterator[Speaker]:
        try:
            yield self._loaded()
        finally:
            self._used_at = self._runtime.clock()

    def _close(self) -> None:
        self._speaker = None
        self._stack.close()

    def _loaded(self) -> Speaker:
        """The networks; loads them first where they are not. Raises ModelError."""
        if self._speaker is None:
            self._runtime.events.update(networks="loading")
            began = self._runtime.clock()
            try:
                self._speaker = self._stack.enter_context(self._load())
            except BaseException:
                self._runtime.events.update(networks="unloaded")
                raise
            self._used_at = self._runtime.clock()
            self._runtime.events.update(networks="loaded", cold_start_s=round(self._used_at - began, 2))
        return self._speaker
