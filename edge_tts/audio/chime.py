"""The chime before an announcement or an alert, made here or read from a file, and the marks of a machine's voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_tts.audio.features import resample
from edge_tts.audio.foreign_sound import decode_file
from edge_tts.config import AudioConfig
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray, Priority

LONGEST_S = 10.0
_LEVEL, _ATTACK_S = 0.3, 0.005
_NOTES: dict[str, tuple[tuple[float, float], ...]] = {
    "alert": ((880.0, 0.14),) * 3,
    "normal": ((659.26, 0.3), (523.25, 0.6)),
}
"""Hz and seconds of each note; `low` has those of `normal`."""


def chimes(audio: AudioConfig, sample_rate: int) -> dict[Priority, FloatArray]:
    """Priority -> float32 [n]; those without a chime are left out. Raises AudioError for a file that cannot be read, or
    is longer than LONGEST_S."""
    if audio.chime is None:
        return {}
    if isinstance(audio.chime, Path):
        return dict.fromkeys(audio.chime_before, _read(audio.chime, sample_rate))
    return {
        priority: np.concatenate([_note(*note, sample_rate) for note in _NOTES.get(priority, _NOTES["normal"])])
        for priority in audio.chime_before
    }


def prelude(audio: AudioConfig, sample_rate: int, priority: Priority = "normal") -> FloatArray:
    """float32 [n]: what is heard after a pause, before speech: the lead-in and the chime. Raises AudioError."""
    lead_in = np.zeros(int(audio.lead_in_ms / 1000 * sample_rate), np.float32)
    chime = chimes(audio, sample_rate).get(priority)
    return lead_in if chime is None else np.concatenate([lead_in, chime])


def cue_sound(kind: str, sample_rate: int) -> FloatArray:
    """float32 [n]: `chime`, two notes that rise, or `morse`, A I. A pause is at its end."""
    if kind == "chime":
        sound = np.concatenate([_note(hertz, 0.18, sample_rate) for hertz in (784.0, 1174.66)])
    else:
        signs = {".": 1.0, "-": 3.0}
        sound = np.concatenate(
            [_beep(signs[sign], sample_rate) if sign != " " else _rest(2, sample_rate) for sign in ".- .."]
        )
    return np.concatenate([sound, _rest(3, sample_rate)])


def bleep(seconds: float, sample_rate: int) -> FloatArray:
    """float32 [n]: a tone for a word that is not said."""
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    edges = np.minimum(np.minimum(times, times[::-1]) / _ATTACK_S, 1.0)
    return (_BLEEP_LEVEL * edges * np.sin(2 * np.pi * 1000.0 * times)).astype(np.float32)


_BLEEP_LEVEL = 0.15
_UNIT_S = 0.06
"""Length of a dot: 20 words a minute."""


def _beep(units: float, sample_rate: int) -> FloatArray:
    """A sign of so many units and the pause of one behind it."""
    times = np.arange(int(units * _UNIT_S * sample_rate)) / sample_rate
    edges = np.minimum(np.minimum(times, times[::-1]) / _ATTACK_S, 1.0)
    tone = (_LEVEL * edges * np.sin(2 * np.pi * 700.0 * times)).astype(np.float32)
    return np.concatenate([tone, _rest(1, sample_rate)])


def _rest(units: float, sample_rate: int) -> FloatArray:
    return np.zeros(int(units * _UNIT_S * sample_rate), np.float32)


def _note(hertz: float, seconds: float, sample_rate: int) -> FloatArray:
    """A struck bar: it begins softly and dies away, to nothing at its end."""
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    envelope = np.minimum(times / _ATTACK_S, 1.0) * np.exp(-4 * times / seconds) * (1 - times / seconds)
    tone = np.sin(2 * np.pi * hertz * times) + 0.25 * np.sin(4 * np.pi * hertz * times)
    return (_LEVEL * envelope * tone).astype(np.float32)


def _read(path: Path, sample_rate: int) -> FloatArray:
    recording = decode_file(path)
    samples = recording.samples if recording.samples.ndim == 1 else recording.samples.mean(axis=1)
    if len(samples) > LONGEST_S * recording.sample_rate:
        raise AudioError(f"audio.chime: {path} is longer than {LONGEST_S:g} s")
    return resample(samples.astype(np.float32), recording.sample_rate, sample_rate)
