"""A loudspeaker on a thread of its own: what it raises, and that one that never returns holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from fakes import WAIT_S, FakeLoudspeaker, until

from edge_tts.audio.loudspeaker_thread import LoudspeakerThread, within
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

BLOCK = np.ones(10, np.float32)


class Odd(FakeLoudspeaker):
    """Does what it is told to in `write`, `drain` and `close`."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act
        self.given_back = threading.Event()

    def write(self, samples: FloatArray) -> None:
        self._act()

    def close(self) -> None:
        self.given_back.set()
        self._act()


def hold(free: threading.Event) -> None:
    """A driver that returns once it is free."""
    free.wait(WAIT_S)


@pytest.mark.parametrize("error", [OSError("gone"), KeyError("card"), SystemExit(1), AudioError("pulled out")])
def test_whatever_a_driver_raises_is_an_audio_error(error: BaseException) -> None:
    """Callers have one kind of exception to catch, when opening and when writing; closing raises none."""

    def act() -> None:
        raise error

    def refuse(rate: int) -> FakeLoudspeaker:
        raise error

    loudspeaker = LoudspeakerThread(lambda rate: Odd(act), 8000)
    loudspeaker.open()
    with pytest.raises(AudioError) as raised:
        loudspeaker.write(BLOCK)
    assert not raised.value.stuck
    loudspeaker.close()
    with pytest.raises(AudioError):
        LoudspeakerThread(refuse, 8000).open()


def test_a_driver_that_never_returns_is_left_behind() -> None:
    """The caller goes on after the time-out, and the device is given back if the driver ever returns."""
    free, ticks = threading.Event(), threading.Semaphore(0)
    device = Odd(lambda: hold(free))
    loudspeaker = LoudspeakerThread(lambda rate: device, 8000, timeout_s=0.5, waiting=ticks.release)
    loudspeaker.open()
    with pytest.raises(AudioError, match="does not answer") as raised:
        loudspeaker.write(BLOCK)
    assert raised.value.stuck
    assert ticks.acquire(blocking=False)
    assert loudspeaker.is_alive
    free.set()
    loudspeaker.close()
    assert device.given_back.wait(WAIT_S)
    until(lambda: not loudspeaker.is_alive)


def test_a_stop_does_not_wait_for_the_time_out() -> None:
    """In a hurry a driver has a second."""
    free = threading.Event()
    loudspeaker = LoudspeakerThread(lambda rate: Odd(lambda: hold(free)), 8000, timeout_s=WAIT_S, in_hurry=lambda: True)
    loudspeaker.open()
    with pytest.raises(AudioError, match="within 1 s"):
        loudspeaker.write(BLOCK)
    free.set()
    loudspeaker.close()


def test_a_sound_system_that_does_not_answer_is_an_audio_error() -> None:
    """A call with a time-out gives its result, or an AudioError for what it raises and for no answer."""
    free = threading.Event()
    assert within(WAIT_S, lambda: 3) == 3
    with pytest.raises(AudioError, match="KeyError"):
        within(WAIT_S, lambda: {}["card"])
    with pytest.raises(AudioError, match="does not answer"):
        within(0.01, lambda: free.wait(WAIT_S))
    free.set()
