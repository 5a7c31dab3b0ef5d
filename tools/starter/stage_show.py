"""Stage `show`: a page with what the voices and their teacher say, to judge by ear and eye.

Sounds as FLAC and, for each language, a PNG of two spectrograms: the default voice above its teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from html import escape
from pathlib import Path

import numpy as np
import soundfile
import soxr

from edge_tts.engine.load import load_engine
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.synthesizer import load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.voices.builtin import BuiltinVoices

from . import picture
from .cast import PROMPT
from .library import Library
from .speech import spoken
from .teachers.teacher import FloatArray

RATE = picture.RATE
SECONDS = (2.0, 3.2)
"""What a sentence may last: long enough to hear a manner, short enough for a page below 1 MB."""
TEACHER = "teacher"
HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The starter voice</title>
<style>body { font: 16px sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em } img { max-width: 100% }
td { padding: .2em 1em .2em 0 }</style>
<h1>The starter voice</h1>
"""


def examples(test: Library) -> dict[str, tuple[str, FloatArray]]:
    """Language -> the first sentence of the test of a fitting length, and the teacher's reading at `RATE`.

    Raises RuntimeError where a language of the test has none."""
    found: dict[str, tuple[str, FloatArray]] = {}
    for at, item in enumerate(test.items):
        row = item.row
        if row.language not in found and row.text != PROMPT and SECONDS[0] <= row.seconds <= SECONDS[1]:
            found[row.language] = (row.text, test.wave(at, RATE))
    missing = {item.row.language for item in test.items} - set(found)
    if missing:
        raise RuntimeError(f"no sentence of the test lasts {SECONDS[0]} to {SECONDS[1]} s in {', '.join(missing)}")
    return found


def speak(out: Path, texts: Mapping[str, str]) -> Iterator[tuple[str, str, FloatArray]]:
    """Language, voice and wave at `RATE`: every text by every voice of the set, the default voice first."""
    model = read_model_set(out)
    names = sorted(model.voices, key=lambda name: name != model.default_voice)
    with ExitStack() as stack:
        synthesizer = load_synthesizer(model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        for language, text in texts.items():
            for name in names:
                wave = spoken(synthesizer, BuiltinVoices(model).load(name), text, language=language)
                yield language, name, np.asarray(soxr.resample(wave, model.sample_rate, RATE), np.float32)


def page(texts: Mapping[str, str], sounds: Mapping[str, Sequence[str]]) -> str:
    """HTML; `sounds` names those who speak each language."""
    parts = [HEAD]
    for language, text in texts.items():
        rows = "\n".join(
            f'<tr><td>{escape(who)}<td><audio controls preload="none" src="{language}-{who}.flac"></audio>'
            for who in sounds[language]
        )
        parts.append(f'<h2 lang="{language}">{escape(text)}</h2>\n<table>\n{rows}\n</table>\n')
        parts.append(f'<p><img src="{language}.png" alt="Two spectrograms: {sounds[language][0]}, {TEACHER}">\n')
    return "".join(parts)


def run(work: Path, out: Path, folder: Path) -> None:
    """Writes the page of the set `out` into `folder`; the teacher's readings are those of the stage `speech`."""
    chosen = examples(Library.read(work / "test"))
    texts = {language: text for language, (text, _) in chosen.items()}
    sounds: dict[str, list[str]] = {language: [] for language in texts}
    folder.mkdir(parents=True, exist_ok=True)
    for language, who, wave in speak(out, texts):
        if not sounds[language]:
            picture.write(wave, chosen[language][1], folder / f"{language}.png")
        sounds[language].append(who)
        soundfile.write(folder / f"{language}-{who}.flac", wave, RATE)
    for language, (_, wave) in chosen.items():
        sounds[language].append(TEACHER)
        soundfile.write(folder / f"{language}-{TEACHER}.flac", wave, RATE)
    (folder / "index.html").write_text(page(texts, sounds), encoding="utf-8")
    total = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {total / 1e6:.2f} MB", flush=True)
