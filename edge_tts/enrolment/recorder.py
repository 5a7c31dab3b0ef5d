"""Making a recording: the tone, the hold on the queue, and the endpoint of speech."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import Enum

import numpy as np

from edge_tts.audio.devices import Microphone, OpenMicrophone
from edge_tts.audio.microphone_thread import MicrophoneThread
from edge_tts.audio.wave import Resampler
from edge_tts.enrolment.level_meter import LevelMeter
from edge_tts.errors import AudioError
from edge_tts.recordings.vad import SpeechDetector, Utterance
from edge_tts.speaking.on_demand import Speaker
from edge_tts.values import AudioChunk, FloatArray, Recording

TONE_S = 0.25
_TONE_HZ, _TONE_LEVEL = 880.0, 0.25
_VAD_RATE = 16000
_POLL_S = 0.05


class Ended(Enum):
    """Why a recording ended."""

    SILENCE = "silence"
    """After speech."""
    PRESSED = "pressed"
    TOO_LONG = "too long"
    NOBODY = "nobody"
    """No speech began."""
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """How a recording ends. Time is counted in samples, so a stalled microphone needs `stall_s`."""

    detector: SpeechDetector
    silence_s: float = 1.5
    """Silence that ends the recording; twice as much before the sentence can be over."""
    first_word_s: float = 10.0
    """Time-out for the first word."""
    longest_s: float = 30.0
    stall_s: float = 5.0
    """Time-out for a block of sound, and how far the samples may lag behind the clock."""


class QueueHold:
    """Holds the queue while a person records, so that nothing is spoken into the recording."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()
        self._released = threading.Event()

    def work(self, networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
        """The task: silent until released or stopped."""
        self.begun.set()
        while not should_stop() and not self._released.wait(_POLL_S):
            pass
        self.over.set()
        yield from ()

    def release(self) -> None:
        self._released.set()


def with_released_loudspeaker(
    open_microphone: OpenMicrophone, release_loudspeaker: Callable[[], bool]
) -> OpenMicrophone:
    """Retries with the loudspeaker closed: PortAudio finds a newly plugged microphone only while no device is open."""

    def open_it() -> Microphone:
        try:
            return open_microphone()
        except AudioError:
            if not release_loudspeaker():
                raise
            return open_microphone()

    return open_it


class _Announced:
    def __init__(self, microphone: Microphone, show: Callable[[bool], None], meter: LevelMeter) -> None:
        self.sample_rate = microphone.sample_rate
        self._microphone, self._show, self._meter = microphone, show, meter

    def read(self) -> FloatArray:
        block = self._microphone.read()
        self._meter.measure(block)
        return block

    def close(self) -> None:
        try:
            self._microphone.close()
        finally:
            self._meter.close()
            self._show(False)


def announced(open_microphone: OpenMicrophone, show: Callable[[bool], None], meter: LevelMeter) -> OpenMicrophone:
    """Calls `show` with True before the microphone is opened, with False only after it was closed. `meter` measures
    what is recorded."""

    def open_it() -> Microphone:
        show(True)
        try:
            return _Announced(open_microphone(), show, meter)
        except BaseException:
            show(False)
            raise

    return open_it


def tone(sample_rate: int, request_id: str = "tone") -> AudioChunk:
    """The tone before the recording, faded in and out against clicks."""
    times = np.arange(int(TONE_S * sample_rate)) / sample_rate
    envelope = np.sin(np.pi * times / TONE_S) ** 0.5
    samples = _TONE_LEVEL * envelope * np.sin(2 * np.pi * _TONE_HZ * times)
    return AudioChunk(samples.astype(np.float32), sample_rate, request_id, last=True)


def record(
    open_microphone: OpenMicrophone,
    endpoint_rules: EndpointRules,
    *,
    whole_s: float,
    pressed: Callable[[], bool],
    given_up: Callable[[], bool],
    clock: Callable[[], float],
) -> tuple[Recording, Ended]:
    """Record until the person has finished, `pressed`, `given_up` or a time-out.

    `whole_s`: seconds of speech that a slow reader needs for the sentence, whose words are not recognised here.
    Raises AudioError, also for a microphone that stalls.
    """
    endpoint_rules.detector.reset()
    utterance, seconds = Utterance(silence_s=endpoint_rules.silence_s, whole_s=whole_s), 0.0
    blocks: list[FloatArray] = [np.zeros(0, np.float32)]
    to_vad: Resampler | None = None
    began = last = clock()
    ended = None
    with closing(MicrophoneThread(open_microphone)) as microphone:
        while ended is None:
            block, rate = microphone.read(_POLL_S), microphone.sample_rate
            if block is None or not len(block):
                if clock() - last > endpoint_rules.stall_s:
                    lately = f"the microphone has given no sound for {endpoint_rules.stall_s:g} s"
                    raise AudioError(lately, stuck=block is None)
                ended = Ended.GIVEN_UP if given_up() else None
                continue
            if rate != _VAD_RATE and to_vad is None:
                to_vad = Resampler(source_hz=rate, target_hz=_VAD_RATE)
            last = clock()
            blocks.append(block)
            seconds += len(block) / rate
            at_vad_rate = to_vad.push(block) if to_vad else block
            utterance.push(endpoint_rules.detector.push(at_vad_rate))
            ended = _ended(
                utterance, max(seconds, last - began - endpoint_rules.stall_s), endpoint_rules, pressed(), given_up()
            )
    return Recording(np.concatenate(blocks), rate), ended


def _ended(
    utterance: Utterance, seconds: float, endpoint_rules: EndpointRules, pressed: bool, given_up: bool
) -> Ended | None:
    if given_up:
        return Ended.GIVEN_UP
    if pressed:
        return Ended.PRESSED
    if utterance.finished:
        return Ended.SILENCE
    if utterance.speech_s == 0 and seconds >= endpoint_rules.first_word_s:
        return Ended.NOBODY
    return Ended.TOO_LONG if seconds >= endpoint_rules.longest_s else None
