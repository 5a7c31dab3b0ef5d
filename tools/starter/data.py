"""Stage `data`: teachers from Debian's flite packages read the sentences, as themselves and as many warped speakers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import clips, corpus
from .clips import Clip, Clips
from .teachers.flite import Flite, Speaker, warped
from .teachers.teacher import Job

PART = 2000
"""Utterances between two points from which an interrupted stage goes on."""


def speakers(count: int, rng: random.Random) -> list[Speaker]:
    """The four teachers themselves, then warped ones in turn."""
    voices = ("slt", "rms", "awb", "kal16")
    made = [Speaker(voice) for voice in voices]
    return made + [warped(voices[index % len(voices)], rng) for index in range(len(made), count)]


def read_aloud(flite: Flite, jobs: Sequence[tuple[int, Speaker, str]], stem: Path) -> None:
    """Speaks (speaker number, speaker, text) jobs into the clip set `stem`."""
    made: list[Clip] = []
    waves: list[npt.NDArray[np.int16]] = []
    start = 0
    spoken = flite.read([Job(text, "en", speaker.name) for _, speaker, text in jobs])
    for (number, speaker, text), (wave, phones) in zip(jobs, spoken, strict=True):
        made.append(Clip(text, number, speaker.voice, start, len(wave), phones))
        waves.append((wave * 32767).astype(np.int16))
        start += len(wave)
    clips.write(stem, made, waves)


def read_in_parts(flite: Flite, jobs: Sequence[tuple[int, Speaker, str]], stem: Path) -> None:
    """`read_aloud` in parts that survive an interruption, joined at the end."""
    parts: list[Path] = []
    for start in range(0, len(jobs), PART):
        parts.append(stem.with_name(f"{stem.name}-{len(parts):03d}"))
        if not parts[-1].with_suffix(".jsonl").exists():
            read_aloud(flite, jobs[start : start + PART], parts[-1])
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
    flite = Flite()
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
            read_in_parts(flite, jobs, folder / name)
        print(f"{name}: {len(jobs)} utterances, {Clips.read(folder / name).hours():.2f} h", flush=True)
