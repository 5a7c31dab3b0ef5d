"""A loudspeaker on a thread of its own: one whose driver never returns holds up nobody else. Knows no devices."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from edge_tts.audio.devices import Loudspeaker, OpenLoudspeaker
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

log = logging.getLogger(__name__)

T = TypeVar("T")

_TICK_S, _CLOSING_S = 0.25, 1.0


def no_hurry() -> bool:
    return False


class LoudspeakerThread:
    """A `Loudspeaker` that opens, feeds and closes another one, all on one thread.

    Raises AudioError whatever the driver raises, and with `stuck` when a call takes longer than `timeout_s`. Then the
    thread is left behind; should the driver ever return, the device is given back.
    """

    def __init__(
        self,
        open_loudspeaker: OpenLoudspeaker,
        sample_rate: int,
        *,
        timeout_s: float = 10.0,
        waiting: Callable[[], None] = lambda: None,
        in_hurry: Callable[[], bool] = no_hurry,
    ) -> None:
        """`waiting` is called during each call, `in_hurry` too: True cuts the time-out to a second."""
        self._timeout_s, self._waiting, self._in_hurry = timeout_s, waiting, in_hurry
        self._asked: queue.SimpleQueue[Callable[[Loudspeaker], None] | None] = queue.SimpleQueue()
        self._given: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        """Per call; what it raised."""
        self.sample_rate = sample_rate
        self._thread = threading.Thread(target=self._main, args=(open_loudspeaker,), name="loudspeaker", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread still runs: after `close` or an AudioError its driver has not returned."""
        return self._thread.is_alive()

    def open(self) -> None:
        """Once, before everything else."""
        self._thread.start()
        try:
            self._answer("opened")
        except AudioError:
            self.close()
            raise

    def write(self, samples: FloatArray) -> None:
        """In blocks: a call takes as long as what it plays, and must end within `timeout_s`."""
        for begin in range(0, len(samples), self.sample_rate):
            block = samples[begin : begin + self.sample_rate]
            self._do(partial(_write, samples=block), "played on")

    def drain(self) -> None:
        self._do(lambda loudspeaker: loudspeaker.drain(), "drained")

    def close(self) -> None:
        """Give the device back, or leave the thread behind after a second. Never raises."""
        self._asked.put(None)
        self._thread.join(_CLOSING_S)
        if self._thread.is_alive():
            log.info("the loudspeaker's driver does not answer; its thread is left alone")

    def _do(self, work: Callable[[Loudspeaker], None], what: str) -> None:
        self._asked.put(work)
        self._answer(what)

    def _answer(self, what: str) -> None:
        """Wait for the end of a call. Raises AudioError."""
        waited_s = hurried_s = 0.0
        while waited_s < self._timeout_s and hurried_s < _CLOSING_S:
            try:
                given = self._given.get(timeout=_TICK_S)
            except queue.Empty:
                waited_s += _TICK_S
                hurried_s = hurried_s + _TICK_S if self._in_hurry() else 0.0
                self._waiting()
                continue
            if isinstance(given, AudioError):
                raise given
            if isinstance(given, BaseException):
                raise AudioError(f"the loudspeaker failed: {type(given).__name__}: {given}") from given
            return
        raise AudioError(f"the loudspeaker could not be {what} within {waited_s:g} s: it does not answer", stuck=True)

    def _main(self, open_loudspeaker: OpenLoudspeaker) -> None:
        loudspeaker: Loudspeaker | None = None
        try:
            loudspeaker = open_loudspeaker(self.sample_rate)
            self._given.put(None)
            while (work := self._asked.get()) is not None:
                work(loudspeaker)
                self._given.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._given.put(error)
        finally:
            self._give_back(loudspeaker)

    def _give_back(self, loudspeaker: Loudspeaker | None) -> None:
        try:
            if loudspeaker is not None:
                loudspeaker.close()
        except BaseException as error:  # noqa: BLE001 - the device is gone, and nobody waits
            log.info("the loudspeaker could not be closed: %s", error)


def _write(loudspeaker: Loudspeaker, *, samples: FloatArray) -> None:
    loudspeaker.write(samples)


def within(timeout_s: float, work: Callable[[], T]) -> T:
    """The result of a call into a sound system. Raises AudioError, also when it does not return in time."""
    given: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        try:
            given.put((work(), None))
        except BaseException as error:  # noqa: BLE001 - raised again below
            given.put((None, error))

    threading.Thread(target=run, name="sound system", daemon=True).start()
    try:
        result, error = given.get(timeout=timeout_s)
    except queue.Empty:
        raise AudioError(f"the sound system does not answer within {timeout_s:g} s", stuck=True) from None
    if isinstance(error, AudioError):
        raise error
    if error is not None:
        raise AudioError(f"the sound system failed: {type(error).__name__}: {error}") from error
    found: T = result
    return found
