"""What a teacher has said, on disk: parts of some minutes, each a file of samples and one of labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .teachers.teacher import FloatArray, Job, Utterance


@dataclass(frozen=True)
class Recorded:
    """One utterance; `samples` int16 values from `start` on in its part, `rate` a second."""

    text: str
    language: str
    speaker: str
    phonemes: tuple[str, ...]
    """Symbols of our front end."""
    ends: tuple[float, ...]
    """When each phoneme ends, in seconds."""
    pitch: tuple[int, ...]
    """Hz per 10 ms, 0 where unvoiced."""
    rate: int
    start: int
    samples: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


@dataclass(frozen=True)
class Part:
    """Some utterances; samples are mapped, not read."""

    rows: tuple[Recorded, ...]
    samples: npt.NDArray[np.int16]

    def wave(self, index: int) -> FloatArray:
        """float32 [samples] within -1 to 1."""
        row = self.rows[index]
        return self.samples[row.start : row.start + row.samples].astype(np.float32) / np.float32(32768)

    @staticmethod
    def read(labels: Path) -> Part:
        """Opens a file of labels and the samples beside it."""
        samples = labels.with_suffix(".i16")
        return Part(
            rows(labels), np.memmap(samples, np.int16, "r") if samples.stat().st_size else np.zeros(0, np.int16)
        )


def rows(labels: Path) -> tuple[Recorded, ...]:
    """The utterances of a file of labels."""
    return tuple(_row(json.loads(line)) for line in labels.read_text(encoding="utf-8").splitlines())


def _row(values: dict[str, object]) -> Recorded:
    return Recorded(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})  # type: ignore[arg-type]


def parts(folder: Path) -> list[Path]:
    """The labels of the parts that are whole, in their order."""
    return sorted(folder.glob("part-*.jsonl"))


def seconds_of(model_set: Path) -> Path:
    """Where a new set's export writes how long its teacher takes for each sentence of the test."""
    return model_set.with_name(f"{model_set.name}.seconds.json")


def stem(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}"


def write(stem: Path, jobs: Sequence[Job], said: Iterable[Utterance | None], rate: int) -> list[Recorded]:
    """Writes a part, samples first and labels last by a rename: labels say that it is whole."""
    made: list[Recorded] = []
    with stem.with_suffix(".i16").open("wb") as file:
        for job, utterance in zip(jobs, said, strict=True):
            if utterance is None:
                print(f"left out: {job.text}", flush=True)
                continue
            utterance = utterance.trimmed(rate)
            samples = (utterance.wave * 32767).round().astype("<i2")
            start = made[-1].start + made[-1].samples if made else 0
            pitch = tuple(int(value) for value in utterance.pitch.round())
            row = (
                job.text,
                job.language,
                job.speaker,
                utterance.phonemes,
                utterance.ends,
                pitch,
                rate,
                start,
                len(samples),
            )
            made.append(Recorded(*row))
            file.write(samples.tobytes())
    staged = stem.with_suffix(".partial")
    staged.write_text("".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    staged.rename(stem.with_suffix(".jsonl"))
    return made
