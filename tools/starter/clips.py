"""Recorded utterances on disk: one file of 16 kHz samples and one line of labels each. Knows nothing of networks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 16000
PHONES = tuple(
    "pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k "
    "l m n ng ow oy p r s sh t th uh uw v w y z zh".split()
)
"""Flite's American phone set; index = label."""
LABELS_PER_SECOND = 100


@dataclass(frozen=True)
class Clip:
    """One utterance: `samples` int16 values from `start` on; `phones` are (name, end in seconds)."""

    text: str
    speaker: int
    voice: str
    start: int
    samples: int
    phones: tuple[tuple[str, float], ...]

    def labels(self) -> npt.NDArray[np.int64]:
        """Phone index per 10 ms frame, int64 [samples // 160]."""
        frames = self.samples * LABELS_PER_SECOND // RATE
        ends = np.array([round(end * LABELS_PER_SECOND) for _, end in self.phones])
        which = np.searchsorted(ends, np.arange(frames), side="right").clip(max=len(ends) - 1)
        labels: npt.NDArray[np.int64] = np.array([PHONES.index(name) for name, _ in self.phones], np.int64)[which]
        return labels


@dataclass(frozen=True)
class Clips:
    """A set of utterances; samples are mapped, not read."""

    clips: tuple[Clip, ...]
    samples: npt.NDArray[np.int16]

    def wave(self, index: int) -> npt.NDArray[np.float32]:
        """float32 [samples] within -1 to 1."""
        clip = self.clips[index]
        whole = self.samples[clip.start : clip.start + clip.samples]
        return whole.astype(np.float32) / np.float32(32768)

    def hours(self) -> float:
        """Length of all utterances."""
        return sum(clip.samples for clip in self.clips) / RATE / 3600

    @staticmethod
    def read(stem: Path) -> Clips:
        """Opens `stem.jsonl` and `stem.i16`."""
        rows = [json.loads(line) for line in stem.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]
        clips = tuple(Clip(**{**row, "phones": tuple((name, end) for name, end in row["phones"])}) for row in rows)
        return Clips(clips, np.memmap(stem.with_suffix(".i16"), np.int16, "r"))


def write(stem: Path, clips: Sequence[Clip], waves: Iterable[npt.NDArray[np.int16]]) -> None:
    """Writes samples first and labels last, so that a label file says that the set is whole."""
    with stem.with_suffix(".i16").open("wb") as file:
        for wave in waves:
            file.write(wave.tobytes())
    staged = stem.with_suffix(".partial")
    staged.write_text("".join(json.dumps(asdict(clip)) + "\n" for clip in clips), encoding="utf-8")
    staged.rename(stem.with_suffix(".jsonl"))
