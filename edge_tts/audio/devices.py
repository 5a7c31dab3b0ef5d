"""Loudspeakers and microphones: protocols, and PortAudio by sounddevice."""

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

_OUTPUT_LATENCY_S = 0.15
"""Least buffer: some drivers' high latency is two blocks, which a busy machine underruns. A stop is heard that much
later."""
_INPUT_LATENCY_S = 0.5
"""How long a busy machine may leave the microphone unread."""
_RESCAN_HINT = "; what was plugged in since the start is found while no other device is open"


class Loudspeaker(Protocol):
    """Plays mono float32 at `sample_rate` Hz. Calls may block; AudioError when the device is gone."""

    sample_rate: int

    def write(self, samples: FloatArray) -> None:
        """Play float32 [n]; returns before they are heard."""

    def drain(self) -> None:
        """Wait until everything is heard."""

    def close(self) -> None:
        """Free the device; drops what has not been heard."""


OpenLoudspeaker = Callable[[int], Loudspeaker]
"""Sample rate in Hz -> an open loudspeaker."""


class _Streams:
    """Opens and closes PortAudio's streams. Thread-safe.

    PortAudio lists the devices when it starts. To find a new one it is restarted, which ends every stream: only after a
    refusal, with no other stream open.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        """Including those about to open."""

    def open(self, sounddevice: ModuleType, make: Callable[[], Any], what: str) -> Any:
        """A stream from `make`, started. Raises AudioError."""
        with self._lock:
            self._open += 1
        try:
            try:
                return _started(make())
            except Exception:
                if not self._restart(sounddevice):
                    raise
                return _started(make())
        except Exception as error:
            with self._lock:
                self._open -= 1
                hint = _RESCAN_HINT if self._open else ""
            raise AudioError(f"{what}: {error}{hint}") from error

    def close(self, sounddevice: ModuleType, stream: Any, what: str) -> None:
        """Stop at once and free the device. Raises AudioError."""
        try:
            stream.abort()
            stream.close()
        except Exception as error:
            raise AudioError(f"the {what} could not be closed: {error}") from error
        finally:
            with self._lock:
                self._open -= 1

    def _restart(self, sounddevice: ModuleType) -> bool:
        """Restarts PortAudio; False where another stream would end."""
        with self._lock:
            if self._open > 1:
                return False
            with suppress(Exception):  # a failed restart leaves it down
                sounddevice._terminate()
            sounddevice._initialize()
            return True


_STREAMS = _Streams()
"""One per process, as PortAudio itself."""


class PortAudioLoudspeaker:
    """A loudspeaker through PortAudio. Resamples when the device refuses the voice's rate."""

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
        self._put(self._resampler.push(samples) if self._resampler else samples)

    def drain(self) -> None:
        """Write a buffer's length of silence: once it is taken, all before it was played."""
        if self._resampler:
            self._put(self._resampler.push(np.zeros(0, np.float32), last=True))
        self._put(self._tail)

    def close(self) -> None:
        _STREAMS.close(self._sounddevice, self._stream, "loudspeaker")

    def __enter__(self) -> PortAudioLoudspeaker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _put(self, samples: FloatArray) -> None:
        try:
            self._stream.write(np.ascontiguousarray(samples, dtype=np.float32).reshape(-1, 1))
        except Exception as error:
            raise AudioError(f"the loudspeaker stopped taking sound: {error}") from error

    def _start(self, device: str | int | None) -> Any:
        """The device's stream, at the voice's rate if the device takes it, else at its own."""
        defaults, self._rate = self._sounddevice.query_devices(device, "output"), self.sample_rate
        try:
            self._sounddevice.check_output_settings(device=device, channels=1, samplerate=self._rate)
        except Exception:  # noqa: BLE001 - the device's own rate is the next try
            self._rate = int(defaults["default_samplerate"])
        latency = max(_OUTPUT_LATENCY_S, defaults["default_high_output_latency"])
        return self._sounddevice.OutputStream(
            samplerate=self._rate, device=device, channels=1, dtype="float32", latency=latency
        )


class Microphone(Protocol):
    """Records mono float32 at `sample_rate` Hz. `read` blocks; AudioError when the device is gone."""

    sample_rate: int

    def read(self) -> FloatArray:
        """The next samples, float32 [n], in order and without gaps."""

    def close(self) -> None:
        """Free the device."""


OpenMicrophone = Callable[[], Microphone]


class PortAudioMicrophone:
    """A microphone through PortAudio. `device`: number or part of a name; `sample_rate`: None is the device's own."""

    def __init__(self, *, device: str | int | None = None, sample_rate: int | None = None) -> None:
        self._sounddevice = _sounddevice()

        def start() -> Any:
            own = self._sounddevice.query_devices(device, "input")["default_samplerate"]
            self.sample_rate = int(sample_rate or own)
            return self._sounddevice.InputStream(
                samplerate=self.sample_rate, device=device, channels=1, dtype="float32", latency=_INPUT_LATENCY_S
            )

        self._stream: Any = _STREAMS.open(self._sounddevice, start, f"microphone {_named(device)}")

    def read(self) -> FloatArray:
        """The next 50 ms. Raises AudioError when samples were lost: a recording with a gap is no evidence."""
        try:
            samples, overflowed = self._stream.read(self.sample_rate // 20)
        except Exception as error:
            raise AudioError(f"the microphone stopped giving sound: {error}") from error
        if overflowed:
            raise AudioError("the machine was too busy to record without gaps; try again")
        mono: FloatArray = samples[:, 0].copy()
        return mono

    def close(self) -> None:
        _STREAMS.close(self._sounddevice, self._stream, "microphone")


def find_loudspeaker(device: str | int | None = None) -> None:
    """Raises AudioError unless PortAudio is installed and finds a device to play on."""
    sounddevice = _sounddevice()
    try:
        sounddevice.query_devices(device, "output")
    except Exception as error:
        raise AudioError(f"loudspeaker {_named(device)}: {error}") from error


def has_loudspeaker() -> bool:
    """Whether PortAudio finds a device to play on."""
    try:
        find_loudspeaker()
    except AudioError:
        return False
    return True


def _started(stream: Any) -> Any:
    try:
        stream.start()
    except BaseException:
        stream.close()
        raise
    return stream


def _named(device: str | int | None) -> str | int:
    return "(default)" if device is None else device


def _sounddevice() -> ModuleType:
    """Imported on first use: the import fails without libportaudio, which WAV files do not need."""
    try:
        import sounddevice
    except (OSError, ModuleNotFoundError) as missing:
        raise AudioError(f"PortAudio is not installed ({missing}): apt install libportaudio2") from missing
    except Exception as broken:
        hint = "look for mistakes in /etc/asound.conf, ~/.asoundrc and what ALSA_CONFIG_PATH names (`aplay -l`)"
        raise AudioError(f"the sound system does not start: {broken}; {hint}") from broken
    return sounddevice  # type: ignore[no-any-return]  # sounddevice ships no types
