"""CMU Flite as a teacher: English at 16 kHz, from Debian's packages alone.

A speaker is a voice, or a voice with `formants/pitch/spread/stretch` behind it: factors of the throat, the mean pitch,
its deviation and the duration."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from edge_tts.text.front_end import TextFrontEnd

from ..alignment import align
from ..pitch import track
from .teacher import FloatArray, Job, Utterance

HERE = Path(__file__).parent
PACKAGES = "flite1-dev gcc libc6-dev"
PITCH = {"rms": (102.0, 17.0), "slt": (171.0, 24.0), "awb": (124.0, 22.0), "kal16": (105.0, 14.0)}
"""Mean and deviation of each voice's fundamental frequency in Hz."""
LIBRARIES = (*(f"flite_cmu_us_{name}" for name in PITCH), "flite_usenglish", "flite_cmulex", "flite", "m")
PEAK = 0.6
Phone = tuple[str, float]
"""Flite's name of it, and its end in seconds."""


@dataclass(frozen=True)
class Speaker:
    """A voice, warped."""

    voice: str
    formants: float = 1.0
    pitch: float = 1.0
    spread: float = 1.0
    stretch: float = 1.0

    @property
    def name(self) -> str:
        """As a teacher's speaker."""
        factors = (self.formants, self.pitch, self.spread, self.stretch)
        return "/".join([self.voice, *(f"{factor:.3f}" for factor in factors)])

    @staticmethod
    def parse(name: str) -> Speaker:
        """Raises ValueError for a voice that Flite does not have and for what is no number."""
        voice, *factors = name.split("/")
        if voice not in PITCH:
            raise ValueError(f"{name}: Flite has the voices {', '.join(PITCH)}")
        return Speaker(voice, *map(float, factors))

    def job(self, text: str) -> str:
        """The line for the program; resampling by `formants` afterwards restores pitch and tempo."""
        mean, deviation = PITCH[self.voice]
        scale = self.pitch / self.formants
        values = (mean * scale, deviation * scale * self.spread, self.stretch * self.formants)
        return "\t".join([self.voice, *(f"{value:.3f}" for value in values), text]) + "\n"


def warped(voice: str, rng: random.Random) -> Speaker:
    """The voice with another throat, pitch and tempo."""
    pitch = rng.uniform(0.7, 1.2) if voice == "slt" else rng.uniform(0.8, 1.45)
    return Speaker(voice, rng.uniform(0.84, 1.2), pitch, rng.uniform(0.7, 1.4), rng.uniform(0.88, 1.15))


class Flite:
    """The teacher; see the module."""

    rate = 16000
    languages: tuple[str, ...] = ("en",)
    voices: tuple[str, ...] = tuple(PITCH)

    def __init__(self) -> None:
        """Builds the program; RuntimeError names the Debian packages when something is missing."""
        self._folder = tempfile.TemporaryDirectory(prefix="flite")
        self._program = Path(self._folder.name) / "flite"
        self._front_end = TextFrontEnd()
        compiler = shutil.which("gcc")
        if compiler is None:
            raise RuntimeError(f"no C compiler: apt-get install {PACKAGES}")
        libraries = [f"-l{name}" for name in LIBRARIES]
        command = [compiler, "-O2", "-o", str(self._program), str(HERE / "flite.c"), *libraries]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f"cannot build the teacher (apt-get install {PACKAGES}):\n{result.stderr}")

    def crowd(self, rng: random.Random) -> str:
        """A voice with another throat, pitch and tempo."""
        return warped(rng.choice(list(PITCH)), rng).name

    def say(self, jobs: Sequence[Job]) -> Iterator[Utterance | None]:
        """See `Teacher`."""
        for job, (wave, phones) in zip(jobs, self.read(jobs), strict=True):
            segments = self._front_end.segments(job.text, job.language, split="cut0")
            phonemes = tuple(symbol for segment in segments for symbol in segment.phonemes)
            yield Utterance(wave, phonemes, clock(phonemes, phones), track(wave)) if phonemes else None

    def read(self, jobs: Sequence[Job]) -> Iterator[tuple[FloatArray, tuple[Phone, ...]]]:
        """Sound and Flite's own phones, all in one run of the program."""
        speakers = [Speaker.parse(job.speaker) for job in jobs]
        lines = "".join(speaker.job(job.text) for speaker, job in zip(speakers, jobs, strict=True))
        raw = Path(self._folder.name) / "samples"
        answer = subprocess.run([self._program, raw], input=lines, capture_output=True, text=True, check=True).stdout
        samples, start = np.fromfile(raw, np.int16), 0
        for speaker, line in zip(speakers, answer.splitlines(), strict=True):
            length, labels = line.split("\t")
            wave = samples[start : start + int(length)].astype(np.float32)
            start += int(length)
            if speaker.formants != 1.0:
                wave = soxr.resample(wave, self.rate * speaker.formants, self.rate)
            wave = wave * np.float32(PEAK / max(1.0, float(np.abs(wave).max())))
            pairs = (label.rsplit(":", 1) for label in labels.split())
            yield wave, tuple((name, round(float(end) / speaker.formants, 4)) for name, end in pairs)


def clock(phonemes: Sequence[str], phones: Sequence[Phone]) -> tuple[float, ...]:
    """When each of our phonemes ends; one that Flite does not say ends when the one before it does."""
    found, now = list[float](), 0.0
    for partner in align(phonemes, [name for name, _ in phones]):
        now = phones[partner][1] if partner is not None else now
        found.append(now)
    return tuple(found)
