"""Stage `evaluate`: how well the shipped graphs speak, through the product's own Synthesizer. Needs no torch.

A table, one line a sentence, and last one line of JSON. With the project's own test sentences the figures also go into
the manifest."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from edge_tts.durable.atomic import replacing
from edge_tts.engine.load import load_engine
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.synthesis.synthesizer import load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import ModelSet
from edge_tts.voices.builtin import BuiltinVoices
from tools.judging.recognisers import RATE, Pocketsphinx

from . import data, further
from . import picture as drawing
from .clips import Clips
from .edits import distance, words
from .silence import longest_rest
from .speech import spoken

FloatArray = npt.NDArray[np.float32]
REST_S = 0.08
COMMAND = "tools/train_starter evaluate"


@dataclass(frozen=True)
class Row:
    """One sentence as it was spoken."""

    text: str
    heard: str
    errors: int
    count: int
    seconds: float
    teacher_s: float
    rest_s: float
    """The longest silence inside."""

    @property
    def ratio(self) -> float:
        """Duration against the teacher's."""
        return self.seconds / self.teacher_s

    def line(self) -> str:
        """As the table shows it."""
        return (
            f"{self.errors:3d}/{self.count:<3d} {self.seconds:5.2f} s x{self.ratio:4.2f}  {self.text}  |  {self.heard}"
        )


def teacher(sentences: Sequence[str], folder: Path, voice: str = "rms") -> list[FloatArray]:
    """The sentences as the teacher reads them, 16 kHz. Raises RuntimeError naming the packages it needs."""
    program = data.compile_teacher(folder)
    data.read_aloud(program, [(0, data.Speaker(voice), text) for text in sentences], folder / "teacher_test")
    clips = Clips.read(folder / "teacher_test")
    return [clips.wave(index) for index in range(len(clips.clips))]


def measure(listener: Pocketsphinx, text: str, wave: FloatArray, rate: int, teacher_s: float) -> Row:
    """Listens to one sentence."""
    heard = listener.hear(soxr.resample(wave, rate, RATE) if rate != RATE else wave)
    wanted = words(text)
    errors = distance(wanted, words(heard))
    return Row(text, heard, errors, len(wanted), len(wave) / rate, teacher_s, longest_rest(wave, rate))


def word_error_rate(rows: Sequence[Row]) -> float:
    """Errors per word over all sentences."""
    return sum(row.errors for row in rows) / max(1, sum(row.count for row in rows))


def by_teacher(sentences: Sequence[str], originals: Sequence[FloatArray]) -> list[Row]:
    """The teacher's own sentences under the same ears: what nobody trained on them can undercut for good."""
    listener = Pocketsphinx()
    pairs = zip(sentences, originals, strict=True)
    return [measure(listener, text, wave, RATE, len(wave) / RATE) for text, wave in pairs]


def rests(rows: Sequence[Row]) -> float:
    """Share of the sentences with a comma inside that rest somewhere for at least `REST_S`."""
    kept = [row.rest_s >= REST_S for row in rows if "," in row.text]
    return sum(kept) / max(1, len(kept))


def by_text(
    model: ModelSet, voice_id: str, sentences: Sequence[str], teachers: Sequence[FloatArray]
) -> tuple[list[Row], float]:
    """Text -> speech: a row a sentence, and seconds of work per second of sound on one core."""
    listener = Pocketsphinx()
    rows, work, sound = [], 0.0, 0.0
    with ExitStack() as stack:
        synthesizer = load_synthesizer(model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        voice = BuiltinVoices(model).load(voice_id)
        for text, original in zip(sentences, teachers, strict=True):
            begin = time.process_time()
            wave = spoken(synthesizer, voice, text)
            work += time.process_time() - begin
            sound += len(wave) / model.sample_rate
            rows.append(measure(listener, text, wave, model.sample_rate, len(original) / RATE))
    return rows, work / sound


def run(out: Path, sentences: Sequence[str], *, quality: Path, record: bool, picture: Path | None = None) -> None:
    """Measures the set `out`; `record` writes the figures into its manifest, `picture` is where to draw."""

    model = read_model_set(out)
    with tempfile.TemporaryDirectory() as scratch:
        originals = teacher(sentences, Path(scratch))
    assert model.default_voice is not None
    rows, factor = by_text(model, model.default_voice, sentences, originals)
    for row in rows:
        print(row.line(), flush=True)
    if picture is not None:
        draw(model, sentences[0], originals[0], picture)
    figures: dict[str, float] = {
        "wer": word_error_rate(rows),
        "wer_teacher": word_error_rate(by_teacher(sentences, originals)),
        "duration_ratio_min": min(row.ratio for row in rows),
        "duration_ratio_max": max(row.ratio for row in rows),
        "sentences": len(rows),
        "real_time_factor": factor,
        "commas_with_a_rest": rests(rows),
        **further.figures(model, sentences, originals, quality),
    }
    figures = {name: round(value, 4) for name, value in figures.items()}
    if record:
        remember(out, figures)
    print(json.dumps(figures))


def draw(model: ModelSet, text: str, original: FloatArray, path: Path) -> None:
    """The default voice's spectrogram above the teacher's."""
    with ExitStack() as stack:
        synthesizer = load_synthesizer(model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        wave = spoken(synthesizer, BuiltinVoices(model).load(model.default_voice or ""), text)
    drawing.write(soxr.resample(wave, model.sample_rate, RATE), original, path)


def remember(out: Path, figures: dict[str, float]) -> None:
    """Puts the figures and the command that made them into the manifest."""
    path = out / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["quality"] = {"command": COMMAND, **figures}
    with replacing(path) as beside:
        beside.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
