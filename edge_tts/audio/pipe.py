"""A loudspeaker that is a pipe: raw PCM for a program that carries it on, as Snapcast and ffmpeg do."""

from __future__ import annotations

import fcntl
import os
import select
import stat
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from edge_tts.audio.wave import Resampler, to_pcm16
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

PATIENCE_S = 5.0
"""How long a reader may take nothing."""
READER_S = 2.0
"""How long a reader is waited for."""
_AHEAD_S = 0.2
"""How much a reader that takes everything at once is ahead of what is heard."""
_CAPACITY = 1 << 14
"""Bytes in the pipe, 0.17 s at 48 kHz: a stop is heard that much later."""
_TICK_S = 0.02


class PipeLoudspeaker:
    """Writes 16-bit little-endian mono PCM at `pipe_rate` Hz into a FIFO, no faster than it is heard.

    Raises AudioError for a FIFO that nobody reads, when the reader ends, and when it takes nothing for PATIENCE_S.
    """

    def __init__(self, *, path: Path, sample_rate: int, pipe_rate: int) -> None:
        self.sample_rate = sample_rate
        self._path, self._rate = path, pipe_rate
        same = sample_rate == pipe_rate
        self._resampler = None if same else Resampler(source_hz=sample_rate, target_hz=pipe_rate)
        self._heard_until = 0.0
        """When the last that was written is over, by the monotonic clock."""
        self._pipe = _open(path)

    def write(self, samples: FloatArray) -> None:
        self._put(self._resampler.push(samples) if self._resampler else samples)

    def drain(self) -> None:
        """Return when all was heard, and taken."""
        if self._resampler:
            self._put(self._resampler.push(np.zeros(0, np.float32), last=True))
        time.sleep(max(0.0, self._heard_until - time.monotonic()))
        until = time.monotonic() + PATIENCE_S
        while self._unread():
            if time.monotonic() > until:
                raise self._slow()
            time.sleep(_TICK_S)

    def close(self) -> None:
        os.close(self._pipe)

    def _put(self, samples: FloatArray) -> None:
        data = memoryview(to_pcm16(samples).tobytes())
        until = time.monotonic() + len(samples) / self._rate + PATIENCE_S
        while data:
            data = data[self._push(data) :]
            left = until - time.monotonic()
            if data and (left <= 0 or not select.select((), (self._pipe,), (), left)[1]):
                raise self._slow()
        self._heard_until = max(self._heard_until, time.monotonic()) + len(samples) / self._rate
        time.sleep(max(0.0, self._heard_until - time.monotonic() - _AHEAD_S))

    def _push(self, data: memoryview) -> int:
        try:
            return os.write(self._pipe, data)
        except BlockingIOError:
            return 0
        except OSError as gone:
            raise AudioError(f"{self._path}: the program that read this pipe has ended ({gone.strerror})") from gone

    def _unread(self) -> int:
        """Bytes in the pipe; 0 where the reader has ended, too."""
        with suppress(OSError):
            return int.from_bytes(fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4)), sys.byteorder)
        return 0

    def _slow(self) -> AudioError:
        return AudioError(f"{self._path}: the program that reads this pipe has taken nothing for {PATIENCE_S:g} s")


def _open(path: Path) -> int:
    """A FIFO, made if need be, that does not block and that somebody reads. Raises AudioError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.mkfifo(path, 0o660)
        if not stat.S_ISFIFO(path.stat().st_mode):
            raise AudioError(f"{path}: is no pipe; remove it, or name another in audio.pipe")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without one, opening it for writing is refused
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        finally:
            os.close(reader)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written ({error.strerror})") from error
    if not _await_reader(pipe):
        os.close(pipe)
        raise AudioError(f"{path}: no program reads this pipe")
    with suppress(OSError):  # only a longer wait at a stop
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CAPACITY)
    return pipe


def _await_reader(pipe: int) -> bool:
    """Whether somebody reads: Snapcast looks in now and then, and stays only where somebody writes."""
    poll, until = select.poll(), time.monotonic() + READER_S
    poll.register(pipe, 0)  # POLLERR, which needs no asking: nobody reads
    while poll.poll(0):
        if time.monotonic() > until:
            return False
        time.sleep(_TICK_S)
    return True
