"""Stage `evaluate`: how well the shipped graphs speak, through the product's own Synthesizer.

Needs no torch and no teacher: the listeners ship in packages, and how long the teacher took lies beside the sentences.
A table, one line a sentence, and last one line of JSON. With the project's own test sentences the figures also go into
the manifest."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from edge_tts.durable.atomic import replacing
from edge_tts.engine.load import load_engine
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.synthesizer import Synthesizer, load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import Voice
from edge_tts.voices.builtin import BuiltinVoices

from . import by_teacher, further
from .heard import Errors
from .judges import Judges, Row, load_judges
from .readings import mandarin_readings
from .recorded import seconds_of
from .speech import spoken
from .teachers.teacher import Teacher

REST_S = 0.08
COMMAND = "tools/train_starter evaluate"
SECONDS = Path(__file__).with_name("test_seconds.json")
"""Test sentence -> how long the teacher of the set in the repository takes for it."""
MARKS = frozenset(",，")


def speak_all(
    synthesizer: Synthesizer, voices: Sequence[Voice], sentences: Mapping[str, Sequence[str]], judges: Judges
) -> Iterator[Row]:
    """Every voice says every sentence."""
    for voice in voices:
        for language, texts in sentences.items():
            for text in texts:
                wave = spoken(synthesizer, voice, text, language=language)
                yield judges.row(voice.id, language, text, wave, synthesizer.model.sample_rate)


def work_per_second(synthesizer: Synthesizer, voice: Voice, sentences: Mapping[str, Sequence[str]]) -> float:
    """Seconds of work per second of sound on one core."""
    begin, samples = time.process_time(), 0
    for language, texts in sentences.items():
        samples += sum(len(spoken(synthesizer, voice, text, language=language)) for text in texts[: further.SOME])
    return (time.process_time() - begin) * synthesizer.model.sample_rate / samples


def figures(rows: Sequence[Row], default_voice: str) -> dict[str, float]:
    """Errors, opinion and level of each voice and language; durations and rests of the default voice."""
    found: dict[str, float] = {}
    levels: dict[str, float] = {}
    for voice in dict.fromkeys(row.voice for row in rows):
        own = [row for row in rows if row.voice == voice]
        levels[voice] = float(np.mean([row.level for row in own if row.level is not None]))
        for language in dict.fromkeys(row.language for row in own):
            some = [row for row in own if row.language == language]
            for unit in some[0].errors:
                found[f"{unit}_errors_{voice}_{language}"] = sum((r.errors[unit] for r in some), Errors()).share
            found[f"dnsmos_overall_{voice}_{language}"] = float(np.mean([row.opinion.overall for row in some]))
            found[f"dnsmos_p808_{voice}_{language}"] = float(np.mean([row.opinion.p808 for row in some]))
            if judged := sum(row.shapes[1] for row in some):
                found[f"tone_shapes_{voice}_{language}"] = sum(row.shapes[0] for row in some) / judged
    default = [row for row in rows if row.voice == default_voice]
    ratios = [row.ratio for row in default if row.ratio is not None]
    if ratios:
        found |= {"duration_ratio_min": min(ratios), "duration_ratio_max": max(ratios)}
    kept = [row.rest_s >= REST_S for row in default if MARKS & set(row.text)]
    if kept:
        found["commas_with_a_rest"] = sum(kept) / len(kept)
    return {**found, "voices_apart_lu": max(levels.values()) - min(levels.values()), "sentences": len(default)}


def run(
    out: Path,
    sentences: Mapping[str, Sequence[str]],
    *,
    quality: Path,
    work: Path,
    record: bool,
    teacher: Teacher | None = None,
) -> None:
    """Measures the set `out` with sentences by language; `record` writes the figures into its manifest.

    With a `teacher` it also measures what is compared with it, and with its recordings of the test in the folder `work`
    the shapes of the tones."""
    model = read_model_set(out)
    wanted = {language: texts for language, texts in sentences.items() if language in model.languages}
    voices = [BuiltinVoices(model).load(name) for name in model.voices]
    default = next(voice for voice in voices if voice.id == model.default_voice)
    with ExitStack() as stack:
        beside = seconds_of(out)
        seconds = json.loads((beside if beside.exists() else SECONDS).read_text(encoding="utf-8"))
        readings = mandarin_readings(work / "test") if "zh" in wanted else {}
        judges = load_judges(quality, list(wanted), stack, teacher_s=seconds, readings=readings)
        synthesizer = load_synthesizer(model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        rows = []
        for row in speak_all(synthesizer, voices, wanted, judges):
            print(row.line(), flush=True)
            rows.append(row)
        found = {**figures(rows, default.id), "real_time_factor": work_per_second(synthesizer, default, wanted)}
        if "en" in wanted:
            found |= further.figures(synthesizer, voices, wanted["en"], judges)
        if "en" in wanted and teacher is not None:
            found |= by_teacher.figures(synthesizer, default, wanted["en"], judges, teacher)
    found = {name: round(value, 4) for name, value in found.items()}
    if record:
        remember(out, found)
    print(json.dumps(found))


def remember(out: Path, figures: Mapping[str, float]) -> None:
    """Puts the figures and the command that made them into the manifest."""
    path = out / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["quality"] = {"command": COMMAND, **figures}
    with replacing(path) as beside:
        beside.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
