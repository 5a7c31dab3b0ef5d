"""Loudspeakers and microphones: what they can do, and PortAudio's. sounddevice's one home; knows no requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from edge_tts.audio.wave import Resampler
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

_LATENCY_S = 0.15
"""At least so much sound lies ready in the device: what some call high latency is two blocks, and a busy machine tears
holes into it. A stop is heard that much later."""
_PATIENCE_S = 0.5
"""So long a busy machine may leave the microphone alone without losing a sample."""
_PLUGGED_IN_LATE = "; what was plugged in since the start is found while no other device is open"


class Loudspeaker(Protocol):
    """Takes mono float32 samples at `sample_rate` Hz. Each call may wait; AudioError when the device is gone."""

    sample_rate: int

    def write(self, samples: FloatArray) -> None:
        """Play float32 [n]; returns when the device has taken them, which is before they are heard."""

    def drain(self) -> None:
        """Wait until everything written has been heard."""

    def close(self) -> None:
        """Give the device back. What has not been heard is lost."""


OpenLoudspeaker = Callable[[int], Loudspeaker]
"""Opens the loudspeaker for a sample rate in Hz."""


class _Streams:
    """Opens and closes PortAudio's streams. Safe from any thread.

    PortAudio counts the devices once, when it starts. One that is plugged in later is found by starting it anew, which
    ends every stream: that is done when a device is refused and no other stream is open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        """Streams that are open or about to be."""

    def open(self, sounddevice: ModuleType, make: Callable[[], Any], what: str) -> Any:
        """A stream from `make`, started. Raises AudioError."""
        with self._lock:
            self._open += 1
        try:
            try:
                return _started(make())
            except (sounddevice.PortAudioError, ValueError):
                if not self._count_devices(sounddevice):
                    raise
                return _started(make())
        except (sounddevice.PortAudioError, ValueError) as refused:
            with self._lock:
                self._open -= 1
                hint = _PLUGGED_IN_LATE if self._open else ""
            raise AudioError(f"{what}: {refused}{hint}") from refused

    def close(self, sounddevice: ModuleType, stream: Any, what: str) -> None:
        """Stop at once and free the device. Raises AudioError."""
        try:
            stream.abort()
            stream.close()
        except sounddevice.PortAudioError as gone:
            raise AudioError(f"the {what} could not be closed: {gone}") from gone
        finally:
            with self._lock:
                self._open -= 1

    def _count_devices(self, sounddevice: ModuleType) -> bool:
        """Start PortAudio anew unless somebody else would lose a stream by it; whether that was done."""
        with self._lock:
            if self._open > 1:
                return False
            with suppress(sounddevice.PortAudioError):  # it may be down since the last try
                sounddevice._terminate()
            sounddevice._initialize()
            return True


_STREAMS = _Streams()
"""The only one, as PortAudio itself: it belongs to the process."""


class PortAudioLoudspeaker:
    """A sound card by way of PortAudio. Resamples when the device refuses the rate of the voice."""

    def __init__(self, *, sample_rate: int, device: str | int | None = None) -> None:
        self.sample_rate = sample_rate
        self._sounddevice = _sounddevice()
        self._rate = sample_rate
        what = f"loudspeaker {_named(device)}"
        self._stream: Any = _STREAMS.open(self._sounddevice, lambda: self._start(device), what)
        same = self._rate == sample_rate
        self._resampler = None if same else Resampler(source_hz=sample_rate, target_hz=self._rate)
        self._tail = np.zeros(int(self._rate * self._stream.latency) + 1, np.float32)

    def write(self, samples: FloatArray) -> None:
        """Play float32 [n] at `sample_rate`."""
        self._put(self._resampler.push(samples) if self._resampler else samples)

    def drain(self) -> None:
        """Push a buffer's length of silence behind the last sample: once it is taken, all before it was played."""
        if self._resampler:
            self._put(self._resampler.push(np.zeros(0, np.float32), last=True))
        self._put(self._tail)

    def close(self) -> None:
        """Stop at once and free the device."""
        _STREAMS.close(self._sounddevice, self._stream, "loudspeaker")

    def __enter__(self) -> PortAudioLoudspeaker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _put(self, samples: FloatArray) -> None:
        try:
            self._stream.write(np.ascontiguousarray(samples, dtype=np.float32).reshape(-1, 1))
        except self._sounddevice.PortAudioError as gone:
            raise AudioError(f"the loudspeaker stopped taking sound: {gone}") from gone

    def _start(self, device: str | int | None) -> Any:
        """The device's stream, at the voice's rate if the device takes it, else at its own."""
        found, self._rate = self._sounddevice.query_devices(device, "output"), self.sample_rate
        try:
            self._sounddevice.check_output_settings(device=device, channels=1, samplerate=self._rate)
        except (self._sounddevice.PortAudioError, ValueError):
            self._rate = int(found["default_samplerate"])
        latency = max(_LATENCY_S, found["default_high_output_latency"])
        return self._sounddevice.OutputStream(
            samplerate=self._rate, device=device, channels=1, dtype="float32", latency=latency
        )


class Microphone(Protocol):
    """Gives mono float32 samples at `sample_rate` Hz. `read` waits; AudioError when the device is gone."""

    sample_rate: int

    def read(self) -> FloatArray:
        """The next samples, float32 [n], in the order they were heard and without gaps."""

    def close(self) -> None:
        """Give the device back."""


OpenMicrophone = Callable[[], Microphone]
"""Opens the microphone."""


class PortAudioMicrophone:
    """A microphone by way of PortAudio: `device` is a number or a part of a name, `sample_rate` None is its own."""

    def __init__(self, *, device: str | int | None = None, sample_rate: int | None = None) -> None:
        self._sounddevice = _sounddevice()

        def start() -> Any:
            own = self._sounddevice.query_devices(device, "input")["default_samplerate"]
            self.sample_rate = int(sample_rate or own)
            return self._sounddevice.InputStream(
                samplerate=self.sample_rate, device=device, channels=1, dtype="float32", latency=_PATIENCE_S
            )

        self._stream: Any = _STREAMS.open(self._sounddevice, start, f"microphone {_named(device)}")

    def read(self) -> FloatArray:
        """The next 50 ms. Raises AudioError when some were lost: a recording with a gap is no evidence of anything."""
        try:
            samples, overflowed = self._stream.read(self.sample_rate // 20)
        except self._sounddevice.PortAudioError as gone:
            raise AudioError(f"the microphone stopped giving sound: {gone}") from gone
        if overflowed:
            raise AudioError("the machine was too busy to record without gaps; try again")
        heard: FloatArray = samples[:, 0].copy()
        return heard

    def close(self) -> None:
        """Stop and free the device."""
        _STREAMS.close(self._sounddevice, self._stream, "microphone")


def has_loudspeaker() -> bool:
    """Whether PortAudio is installed and finds a device to play on."""
    try:
        sounddevice = _sounddevice()
    except AudioError:
        return False
    try:
        sounddevice.query_devices(None, "output")
    except (sounddevice.PortAudioError, ValueError):
        return False
    return True


def _started(stream: Any) -> Any:
    """The stream, running; it is given back when it does not start."""
    try:
        stream.start()
    except BaseException:
        stream.close()
        raise
    return stream


def _named(device: str | int | None) -> str | int:
    return "(default)" if device is None else device


def _sounddevice() -> ModuleType:
    """sounddevice, imported on first use: without libportaudio the import fails, and a WAV file needs no sound card."""
    try:
        import sounddevice
    except OSError as missing:
        raise AudioError("PortAudio is not installed: apt install libportaudio2") from missing
    return sounddevice  # type: ignore[no-any-return]  # sounddevice ships no types
