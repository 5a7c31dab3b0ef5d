"""What the rest of the evaluation needs no teacher for: how distinct the voices are, and a real person's timbre."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np

from edge_tts.audio.features import resample
from edge_tts.engine.load import load_engine
from edge_tts.recordings.speaker_embedding import SpeakerEmbedder
from edge_tts.synthesis.encoder import load_voice_encoder
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import FloatArray, Voice
from tools.judging.recognisers import RATE

from . import person
from .judges import Judges
from .speech import spoken

SOME = 10
"""Sentences for the figures that need no more."""


def figures(
    synthesizer: Synthesizer, voices: Sequence[Voice], sentences: Sequence[str], judges: Judges
) -> dict[str, float]:
    """English sentences."""
    some = sentences[:SOME]
    own = said(synthesizer, judges.identity, voices, some)
    default = next(voice for voice in voices if voice.id == synthesizer.model.default_voice)
    with ExitStack() as stack:
        encoder = load_voice_encoder(synthesizer.model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        people = person.figures(synthesizer, encoder, judges, default, some)
    return {"voices_most_alike": float((own @ own.T)[np.triu_indices(len(own), 1)].max(initial=0.0)), **people}


def said(
    synthesizer: Synthesizer, identity: SpeakerEmbedder, voices: Sequence[Voice], sentences: Sequence[str]
) -> FloatArray:
    """How each voice sounds to the identity network, unit vectors [voices, 256]."""
    rate = synthesizer.model.sample_rate
    rows = ([spoken(synthesizer, voice, text) for text in sentences] for voice in voices)
    return np.stack([identity.embed(resample(np.concatenate(waves), rate, RATE)) for waves in rows])
