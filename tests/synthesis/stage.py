"""A synthesizer on toy networks that records its events, with a voice, a model set and a request."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts.request import SpeakRequest
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.synthesis.t2s import SemanticDecoder
from edge_tts.text.reader import Reader
from edge_tts.values import ModelSet, Run, Segment, Voice

from .toys import CONDITIONING, SIZES, WIDTH, ToyGpt, toy_sovits

RATE = 200
SCRIPT = [index % 30 for index in range(70)]
MODEL = ModelSet(
    name="toy",
    version="1",
    family="v2",
    precision="fp32",
    directory=Path("nowhere"),
    sample_rate=RATE,
    languages=("en",),
    licence="MIT",
    sizes=SIZES,
    default_voice=None,
    voices=(),
    files={},
)
VOICE = Voice(
    id="v",
    name="V",
    language="en",
    prompt_tokens=np.array([4, 5], np.int64),
    prompt_phoneme_ids=np.array([6, 7, 8], np.int64),
    prompt_bert=np.zeros((3, WIDTH), np.float32),
    conditioning=CONDITIONING,
)


def hurried() -> Callable[[], float]:
    """The clock of a machine so slow that every listener has heard everything: pieces are the shortest."""
    return itertools.count(0.0, 1000.0).__next__


class ToyFrontEnd:
    """Every word is a segment of one phoneme per letter; what is not ASCII letters is zh by default."""

    def __init__(self) -> None:
        self.join: bool | None = None
        self.reader = Reader()

    def read_by(self, reader: Reader) -> ToyFrontEnd:
        self.reader = reader
        return self

    def segments(self, text: str, language: str, **options: Any) -> list[Segment]:
        self.join = options["join"]
        return [self._segment(word, language) for word in text.split()]

    def _segment(self, word: str, language: str) -> Segment:
        found = "en" if language == "en" or (word.isascii() and word.isalpha()) else "zh"
        return Segment(text=word, runs=(Run(found, word, word, tuple(word), None),), phoneme_ids=np.arange(len(word)))


class Stage:
    """A synthesizer on toys, with what happened in order."""

    def __init__(
        self, *, model: ModelSet = MODEL, gain: float = 1.0, rows: int = 1, front_end: Any = None, **options: Any
    ) -> None:
        self.events: list[str] = []
        self.front_end = ToyFrontEnd()
        gpt = ToyGpt(SCRIPT)
        sovits = toy_sovits(attention=0.5, gain=gain)
        self.prefill, self.step = gpt.prefill, gpt.step
        self._spy(gpt.step, "token")
        self._spy(sovits._wave, "wave")
        decoder = SemanticDecoder(
            prefill=gpt.prefill, step=gpt.step, limits=SIZES.limits, max_positions=256, batch=rows
        )
        self.synthesizer = Synthesizer(
            model=model,
            front_end=front_end or self.front_end,
            decoder=decoder,
            vocoder=sovits,
            **{"clock": hurried(), **options},
        )

    def _spy(self, engine: Any, event: str) -> None:
        compute = engine._compute

        def watched(**feeds: Any) -> Any:
            self.events.append(event)
            return compute(**feeds)

        engine._compute = watched


def request(text: str = "hello", **options: Any) -> SpeakRequest:
    keys = {"text": text, "id": "r", "voice": "v", "top_k": 1, "repetition_penalty": 1.0, "seed": 1, **options}
    return SpeakRequest.model_validate(keys)
