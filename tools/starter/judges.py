"""Who judges speech: recognisers for words, DNSMOS for quality, a network for likeness; and what they find.

All ship in the repository or in packages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edge_tts.audio.features import resample
from edge_tts.audio.loudness import loudness
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import EdgeTTSError
from edge_tts.recordings.dnsmos import MosEstimator, Opinion
from edge_tts.recordings.speaker_embedding import SpeakerEmbedder
from edge_tts.values import FloatArray
from tools.judging.recognisers import (
    RATE,
    MandarinWhisper,
    Recogniser,
    Whisper,
    has_mandarin_whisper,
    has_whisper,
)

from .heard import Errors, Unit, compare
from .readings import Reading, tone_shapes
from .silence import longest_rest

LISTENERS: Mapping[str, tuple[type[Whisper], Callable[[], bool]]] = {
    "en": (Whisper, has_whisper),
    "zh": (MandarinWhisper, has_mandarin_whisper),
}


@dataclass(frozen=True)
class Row:
    """One sentence as a voice spoke it."""

    voice: str
    language: str
    text: str
    heard: str
    errors: Mapping[Unit, Errors]
    seconds: float
    rest_s: float
    """The longest silence inside."""
    level: float | None
    """LUFS."""
    opinion: Opinion
    ratio: float | None
    """Duration against the teacher's, where that is known."""
    shapes: tuple[int, int]
    """Mandarin syllables whose pitch has the shape of their tone, and those judged: none where the teacher's reading of
    the text is not there to say when they are said."""

    def line(self) -> str:
        """As the table shows it."""
        wrong = " ".join(f"{error.wrong:2d}/{error.count:<2d}" for error in self.errors.values())
        against = f"x{self.ratio:4.2f}" if self.ratio is not None else "     "
        return f"{self.voice} {wrong} {self.seconds:5.2f} s {against}  {self.text}  |  {self.heard}"


@dataclass(frozen=True)
class Judges:
    """Who listens; `recognisers` by language, `teacher_s` how long the teacher takes for a text, `readings` how it said
    those in Mandarin."""

    recognisers: Mapping[str, Recogniser]
    estimator: MosEstimator
    identity: SpeakerEmbedder
    teacher_s: Mapping[str, float]
    readings: Mapping[str, Reading]

    def row(self, voice: str, language: str, text: str, wave: FloatArray, rate: int) -> Row:
        sound = resample(wave, rate, RATE)
        heard = self.recognisers[language].hear(sound)
        seconds = len(wave) / rate
        return Row(
            voice=voice,
            language=language,
            text=text,
            heard=heard,
            errors=compare(language, text, heard),
            seconds=seconds,
            rest_s=longest_rest(wave, rate),
            level=loudness(wave, rate),
            opinion=self.estimator.opinion(sound),
            ratio=seconds / self.teacher_s[text] if text in self.teacher_s else None,
            shapes=tone_shapes(sound, self.readings[text]) if text in self.readings else (0, 0),
        )


def recognisers(languages: Sequence[str]) -> dict[str, Recogniser]:
    """A listener a language. Raises EdgeTTSError that says what to install."""
    deaf = [language for language in languages if not LISTENERS[language][1]()]
    if deaf:
        raise EdgeTTSError(f"no recogniser is installed for {', '.join(deaf)}: pip install .[listen,listen-zh]")
    return {language: LISTENERS[language][0](threads=1) for language in languages}


def load_judges(
    quality: Path,
    languages: Sequence[str],
    stack: ExitStack,
    *,
    teacher_s: Mapping[str, float],
    readings: Mapping[str, Reading],
) -> Judges:
    """`quality`: the folder of the networks; `stack` closes them. Raises EdgeTTSError as `recognisers` does."""
    load = partial(load_engine, threads=1)

    def judge(name: str) -> Engine:
        engine = load(quality / f"{name}.onnx")
        stack.callback(engine.close)
        return engine

    heard = recognisers(languages)
    estimator = MosEstimator(p835=judge("dnsmos"), p808=judge("dnsmos_p808"))
    return Judges(heard, estimator, SpeakerEmbedder(engine=judge("speaker")), teacher_s, readings)
