"""Stage `speech`: a teacher reads sentences of its languages, its voices and a crowd of others in turn.

It goes on from the last whole part; interrupted, it loses one part."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from .cast import PROMPT
from .recorded import Part, Recorded, parts, stem, write
from .teachers.teacher import Job, Teacher
from .texts import Line, sentences
from .tones import judge, syllables

PART = 40
"""Utterances of a part."""
CROWD = 5
"""Every so many sentences of a language is read by somebody else."""


def jobs(teacher: Teacher, lines: Iterator[Line], seed: int) -> Iterator[Job]:
    """Who reads which sentence, the voices in turn within each language."""
    rng = random.Random(seed)
    turns: Counter[str] = Counter()
    for line in lines:
        if line.language not in teacher.languages:
            continue
        turn = turns[line.language]
        turns[line.language] += 1
        own = teacher.voices[(turn - turn // CROWD) % len(teacher.voices)]
        yield Job(line.text, line.language, teacher.crowd(rng) if turn % CROWD == CROWD - 1 else own)


def spoken_hours(folder: Path) -> dict[str, float]:
    """Hours of each language in the whole parts."""
    hours: defaultdict[str, float] = defaultdict(float)
    for path in parts(folder):
        for row in Part.read(path).rows:
            hours[row.language] += row.seconds / 3600
    return hours


def tone_shapes(rows: Sequence[Recorded]) -> str:
    """How many Mandarin syllables have the shape of their tone; empty without Mandarin."""
    right = judged = 0
    for row in rows:
        if row.language == "zh":
            found = judge(np.array(row.pitch, np.float32), syllables(row.phonemes, row.ends))
            right, judged = right + found[0], judged + found[1]
    return f"  tones {right / judged:.0%}" if judged else ""


def examination(teacher: Teacher, held_out: Mapping[str, Sequence[str]]) -> list[Job]:
    """The prompt by each voice, then the held-out sentences of its languages by the first."""
    jobs = [Job(PROMPT, "en", voice) for voice in teacher.voices]
    for language in teacher.languages:
        jobs += [Job(text, language, teacher.voices[0]) for text in held_out[language]]
    return jobs


def record(folder: Path, teacher: Teacher, some: Sequence[Job]) -> None:
    """Exactly these, in parts."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(parts(folder)), -(-len(some) // PART)):
        chosen = some[number * PART : (number + 1) * PART]
        write(stem(folder, number), chosen, teacher.say(chosen), teacher.rate)


def run(folder: Path, teacher: Teacher, *, hours: float, held_out: Sequence[str], seed: int) -> None:
    """Adds parts to `folder` until each of the teacher's languages has so many hours; prints a line a part."""
    folder.mkdir(parents=True, exist_ok=True)
    done = spoken_hours(folder)
    number = len(parts(folder))
    waiting = islice(jobs(teacher, sentences(seed, held_out), seed), number * PART, None)
    while min(done[language] for language in teacher.languages) < hours:
        begin = time.monotonic()
        some = list(islice(waiting, PART))
        rows = write(stem(folder, number), some, teacher.say(some), teacher.rate)
        number += 1
        for row in rows:
            done[row.language] += row.seconds / 3600
        pace = (time.monotonic() - begin) / max(0.01, sum(row.seconds for row in rows))
        state = "  ".join(f"{language} {done[language]:.2f} h" for language in teacher.languages)
        print(f"part {number}: {state}  {pace:.2f} s per second of sound{tone_shapes(rows)}", flush=True)
