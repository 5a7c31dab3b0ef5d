"""Loads a model set and speaks a phrase with it, without playing it: the proof that it works here."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np

from edge_tts.config import EngineConfig
from edge_tts.engine.load import EngineLoader
from edge_tts.errors import ModelError
from edge_tts.model_sets.activation import PHRASES, a_voice, activate, open_loader
from edge_tts.model_sets.flavour import optimized
from edge_tts.model_sets.proving import prove
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.networks import Networks, load_networks
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import ModelSet, Voice


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one phrase took."""

    load_s: float
    first_audio_ms: float
    synthesis_s: float
    audio_s: float
    loudest: float
    """The largest sample, 0 to 1; NaN when any sample is."""

    @property
    def rtf(self) -> float:
        """Seconds of computing per second of sound."""
        return self.synthesis_s / self.audio_s if self.audio_s else 0.0


def rehearse(model: ModelSet, engine: EngineConfig, *, waiting: Callable[[], None] = lambda: None) -> Spoken:
    """Prove a set, build and judge its engines and speak with them; closes all networks.

    `waiting` is called now and then and may raise to end it. Raises ModelError when the set is silent.
    """
    prove(model, engine, waiting=waiting)
    with open_loader(engine, waiting=waiting) as loader:
        activate(model, loader)
        waiting()
        fast = optimized(model, engine, loader, waiting=waiting)
        spoken = speak_phrase(fast, a_voice(model), loader, time.perf_counter, waiting=waiting)
    if not spoken.loudest > 0:  # NaN too
        raise ModelError(f"{model.directory}: the model set gives no sound for a golden phrase")
    return spoken


def speak_phrase(
    model: ModelSet,
    voice: Voice,
    loader: EngineLoader,
    clock: Callable[[], float],
    *,
    waiting: Callable[[], None] = lambda: None,
) -> Spoken:
    """Speak a phrase twice and time the second: the first run is slower."""
    language = next((name for name in PHRASES if name in model.languages), "en")
    request = SpeakRequest(text=PHRASES[language], id="doctor", voice=voice.id, language=language, seed=1)
    with ExitStack() as stack:
        began = clock()
        networks = load_networks(model, TextFrontEnd(), stack, load=loader.load)
        loaded = clock() - began
        for _ in range(2):
            spoken = time_request(networks, request, voice, clock, waiting=waiting)
    return replace(spoken, load_s=loaded)


def time_request(
    networks: Networks,
    request: SpeakRequest,
    voice: Voice,
    clock: Callable[[], float],
    *,
    waiting: Callable[[], None] = lambda: None,
) -> Spoken:
    """Speak a request of one segment without playing it."""
    began, first, samples, loudest = clock(), 0.0, 0, 0.0
    for chunk in networks.stream(request, voice):
        waiting()
        first = first or clock() - began
        samples += len(chunk.samples)
        loudest = float(np.max(np.abs(chunk.samples), initial=loudest))
    took = clock() - began
    audio_s = max(0.0, samples / networks.model.sample_rate - request.fragment_interval)
    return Spoken(load_s=0.0, first_audio_ms=first * 1000, synthesis_s=took, audio_s=audio_s, loudest=loudest)
