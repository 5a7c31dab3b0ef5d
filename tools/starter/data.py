"""Stage `data`: teachers from Debian's flite packages read the sentences, as themselves and as many warped speakers."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from . import clips, corpus
from .clips import Clip, Clips

HERE = Path(__file__).parent
PACKAGES = "flite1-dev gcc libc6-dev"
VOICE_NAMES = ("slt", "rms", "awb", "kal16")
LIBRARIES = (*(f"flite_cmu_us_{name}" for name in VOICE_NAMES), "flite_usenglish", "flite_cmulex", "flite", "m")
PITCH = {"slt": (171.0, 24.0), "rms": (102.0, 17.0), "awb": (124.0, 22.0), "kal16": (105.0, 14.0)}
"""Mean and deviation of each teacher's fundamental frequency in Hz."""
PEAK = 0.6
PART = 2000
"""Utterances between two points from which an interrupted stage goes on."""


@dataclass(frozen=True)
class Speaker:
    """A teacher, warped: formants times `formants`, mean pitch times `pitch`, its spread times `spread`."""

    voice: str
    formants: float = 1.0
    pitch: float = 1.0
    spread: float = 1.0
    stretch: float = 1.0

    def job(self, text: str) -> str:
        """The line for the teacher program; resampling by `formants` afterwards restores pitch and tempo."""
        mean, deviation = PITCH[self.voice]
        scale = self.pitch / self.formants
        values = (mean * scale, deviation * scale * self.spread, self.stretch * self.formants)
        return "\t".join([self.voice, *(f"{value:.3f}" for value in values), text]) + "\n"


def speakers(count: int, rng: random.Random) -> list[Speaker]:
    """The four teachers themselves, then warped ones in turn."""
    made = [Speaker(voice) for voice in PITCH]
    for index in range(len(made), count):
        voice = list(PITCH)[index % len(PITCH)]
        pitch = rng.uniform(0.7, 1.2) if voice == "slt" else rng.uniform(0.8, 1.45)
        made.append(Speaker(voice, rng.uniform(0.84, 1.2), pitch, rng.uniform(0.7, 1.4), rng.uniform(0.88, 1.15)))
    return made


def compile_teacher(folder: Path) -> Path:
    """Builds the teacher program; RuntimeError names the Debian packages when something is missing."""
    program = folder / "teacher"
    compiler = shutil.which("gcc")
    if compiler is None:
        raise RuntimeError(f"no C compiler: apt-get install {PACKAGES}")
    command = [compiler, "-O2", "-o", str(program), str(HERE / "teacher.c"), *(f"-l{name}" for name in LIBRARIES)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"cannot build the teacher (apt-get install {PACKAGES}):\n{result.stderr}")
    return program


def read_aloud(program: Path, jobs: Sequence[tuple[int, Speaker, str]], stem: Path) -> None:
    """Speaks (speaker number, speaker, text) jobs into the clip set `stem`."""
    raw = stem.with_suffix(".raw")
    lines = "".join(speaker.job(text) for _, speaker, text in jobs)
    answer = subprocess.run([program, raw], input=lines, capture_output=True, text=True, check=True).stdout
    samples = np.memmap(raw, np.int16, "r")
    made: list[Clip] = []
    waves: list[npt.NDArray[np.int16]] = []
    position = start = 0
    for (number, speaker, text), line in zip(jobs, answer.splitlines(), strict=True):
        length, labels = line.split("\t")
        wave = samples[position : position + int(length)].astype(np.float32)
        position += int(length)
        if speaker.formants != 1.0:
            wave = soxr.resample(wave, clips.RATE * speaker.formants, clips.RATE)
        wave *= PEAK * 32767 / max(1.0, float(np.abs(wave).max()))
        pairs = (label.rsplit(":", 1) for label in labels.split())
        phones = tuple((name, round(float(end) / speaker.formants, 4)) for name, end in pairs)
        made.append(Clip(text, number, speaker.voice, start, len(wave), phones))
        waves.append(wave.astype(np.int16))
        start += len(wave)
    clips.write(stem, made, waves)
    raw.unlink()


def read_in_parts(program: Path, jobs: Sequence[tuple[int, Speaker, str]], stem: Path) -> None:
    """`read_aloud` in parts that survive an interruption, joined at the end."""
    parts: list[Path] = []
    for start in range(0, len(jobs), PART):
        parts.append(stem.with_name(f"{stem.name}-{len(parts):03d}"))
        if not parts[-1].with_suffix(".jsonl").exists():
            read_aloud(program, jobs[start : start + PART], parts[-1])
            print(f"{stem.name}: {min(len(jobs), start + PART)} of {len(jobs)} utterances", flush=True)
    sets = [Clips.read(part) for part in parts]
    joined: list[Clip] = []
    before = 0
    for part in sets:
        joined += [replace(clip, start=clip.start + before) for clip in part.clips]
        before += len(part.samples)
    clips.write(stem, joined, (part.samples for part in sets))
    for path in parts:
        path.with_suffix(".jsonl").unlink()
        path.with_suffix(".i16").unlink()


def lexicon() -> set[str]:
    """Words of the CMU dictionary that comes with pocketsphinx."""
    import pocketsphinx  # heavy, and only the training tool's extra installs it

    lines = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if "(" not in line.split(" ")[0]}


def run(folder: Path, *, sentences: int, warped: int, each: int, held_out: Sequence[str], seed: int) -> None:
    """Makes `sentences.txt`, the clip sets `teacher` (one voice), `speakers` (many) and `test`; skips what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    program = compile_teacher(folder)
    rng = random.Random(seed)
    texts = corpus.build(sentences, lexicon(), held_out, seed)
    (folder / "sentences.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    main = Speaker("rms")
    crowd = speakers(warped, rng)
    sets = {
        "test": [(0, main, text) for text in held_out],
        "teacher": [(0, main, text) for text in texts],
        "speakers": [
            (n, who, rng.choice(texts)) for n, who in enumerate(crowd) for _ in range(each * (1 + 2 * (n < 4)))
        ],
    }
    for name, jobs in sets.items():
        if not (folder / f"{name}.jsonl").exists():
            read_in_parts(program, jobs, folder / name)
        print(f"{name}: {len(jobs)} utterances, {Clips.read(folder / name).hours():.2f} h", flush=True)
