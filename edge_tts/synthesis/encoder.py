"""Recordings and their transcript to a `Voice` for one model set."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_tts import graphs
from edge_tts.audio.features import SAMPLE_RATE, SSL_RATE, filterbank, limit_peak, resample, spectrogram, to_mono
from edge_tts.engine.contract import Array, Buffer, Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import AudioError, TextError, VoiceError
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.sovits import mean_conditioning
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import EncodeRequest, FloatArray, IntArray, ModelSet, Recording, Segment, Voice

SHORTEST_S, LONGEST_S = 3.0, 10.0
_APPENDED_SILENCE = 9600  # 0.6 s at 16 kHz: upstream appends the samples of 0.3 s at 32 kHz

ShouldStop = Callable[[], bool]

log = logging.getLogger(__name__)


def no_voices() -> Sequence[Voice]:
    return ()


def raise_if_stopped(should_stop: ShouldStop) -> None:
    """Raise VoiceError when encoding should stop; called before each network."""
    if should_stop():
        raise VoiceError("the encoding was stopped")


@dataclass(frozen=True, slots=True)
class EncoderNetworks:
    ssl: Engine
    quantizer: Engine
    conditioning: Engine
    speaker: Engine | None = None
    """Speaker verification of the v2Pro families."""


@dataclass(frozen=True, kw_only=True)
class VoiceEncoder:
    """Encodes voices for the model set `model`."""

    model: ModelSet
    front_end: TextFrontEnd
    networks: EncoderNetworks
    bert: Callable[[Segment], FloatArray] | None = None
    lenders: Callable[[], Sequence[Voice]] = no_voices
    """Whose prompt a voice has that was recorded too shortly for one, or whose set wants no other: the set's own
    voices, not people."""

    def encode(self, request: EncodeRequest, should_stop: ShouldStop = lambda: False) -> Voice:
        """The voice of one speaker: the prompt is the first recording, the conditioning the mean over all.

        Of a first recording under 3 s, and for a set without `own_prompts`, the timbre alone is used; the prompt is
        that of the nearest of `lenders`.
        Raises `AudioError` for a recording of the wrong length, `TextError` for a transcript without words and
        `VoiceError` when stopped.
        """
        if not request.recordings:
            raise AudioError("a voice needs at least one recording")
        raise_if_stopped(should_stop)
        phoneme_ids, bert = self._pronounce(request.transcript, request.language)
        wave = resample(to_mono(request.recordings[0].samples), request.recordings[0].sample_rate, SSL_RATE)
        lenders = self._lenders(len(wave), request.language)
        if not lenders or len(wave) >= SHORTEST_S * SSL_RATE:
            check_prompt_length(len(wave))
        voice = Voice(
            id=request.id,
            name=request.name,
            language=request.language,
            prompt_tokens=np.zeros(0, np.int64) if lenders else self._prompt_tokens(wave, should_stop),
            prompt_phoneme_ids=phoneme_ids,
            prompt_bert=bert,
            conditioning=mean_conditioning([self._conditioning(one, should_stop) for one in request.recordings]),
        )
        return _with_prompt_of(lenders, voice) if lenders else voice

    def _lenders(self, samples: int, language: str) -> list[Voice]:
        """None where the recording's own prompt is used. A set that wants no other's takes one in any language rather
        than that."""
        if self.model.own_prompts and samples >= SHORTEST_S * SSL_RATE:
            return []
        lenders = self.lenders()
        of_language = [voice for voice in lenders if voice.language == language]
        return of_language if of_language or self.model.own_prompts else list(lenders)

    def _prompt_tokens(self, wave: FloatArray, should_stop: ShouldStop) -> IntArray:
        """int64 [tokens] of samples at 16 kHz, those of the appended silence included."""
        padded = np.concatenate([wave, np.zeros(_APPENDED_SILENCE, np.float32)])
        raise_if_stopped(should_stop)
        features = self.networks.ssl.run({graphs.SAMPLES: padded[None]})[graphs.SSL_FEATURES]
        raise_if_stopped(should_stop)
        codes: IntArray = self.networks.quantizer.run({graphs.SSL_FEATURES: features})[graphs.CODES][0]
        return codes

    def _conditioning(self, recording: Recording, should_stop: ShouldStop) -> FloatArray:
        """float32 [1, conditioning_width, 1] of a recording of any length."""
        wave = limit_peak(resample(to_mono(recording.samples), recording.sample_rate, SAMPLE_RATE))
        feeds: dict[str, Array | Buffer] = {graphs.SPECTROGRAM: spectrogram(wave)[None]}
        if self.networks.speaker is not None:
            bank = filterbank(resample(wave, SAMPLE_RATE, SSL_RATE))
            raise_if_stopped(should_stop)
            embedding = self.networks.speaker.run({graphs.FBANK: bank[None]})[graphs.EMBEDDING]
            feeds[graphs.SPEAKER_EMBEDDING] = embedding
        raise_if_stopped(should_stop)
        vector: FloatArray = self.networks.conditioning.run(feeds)[graphs.GE]
        return vector

    def _pronounce(self, transcript: str, language: str) -> tuple[IntArray, FloatArray]:
        segments = self.front_end.segments(transcript, language, split="cut0")  # uncut
        if not segments:
            raise TextError("the transcript has no words; write down what is said in the recording")
        ids = np.concatenate([segment.phoneme_ids for segment in segments])
        if self.bert is None:
            return ids, np.zeros((len(ids), self.model.sizes.bert_width), np.float32)
        return ids, np.concatenate([self.bert(segment) for segment in segments])


def load_voice_encoder(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    *,
    bert: Callable[[Segment], FloatArray] | None = None,
    lenders: Callable[[], Sequence[Voice]] = no_voices,
    load: Callable[[Path], Engine] = load_engine,
) -> VoiceEncoder:
    """Load the networks that encode with `load`; `stack` closes them. `bert` is the set's (`load_bert`).

    Raises `ModelError` that names the graph.
    """
    graph = GraphLoader(model, stack, load)
    networks = EncoderNetworks(
        ssl=graph(graphs.SSL),
        quantizer=graph(graphs.QUANTIZER),
        conditioning=graph(graphs.CONDITIONING),
        speaker=graph(graphs.SPEAKER) if model.sizes.speaker_width else None,
    )
    return VoiceEncoder(model=model, front_end=front_end, networks=networks, bert=bert, lenders=lenders)


def _with_prompt_of(lenders: Sequence[Voice], voice: Voice) -> Voice:
    nearest = min(lenders, key=lambda lender: float(np.linalg.norm(lender.conditioning - voice.conditioning)))
    log.info("%s has its own timbre and speaks in the manner of %s", voice.name, nearest.name)
    return replace(
        voice,
        prompt_tokens=nearest.prompt_tokens,
        prompt_phoneme_ids=nearest.prompt_phoneme_ids,
        prompt_bert=nearest.prompt_bert,
    )


def ssl_features(ssl: Engine, recording: Recording, should_stop: ShouldStop) -> FloatArray:
    """float32 [frames, width] of a recording of any length, at one level for all."""
    raise_if_stopped(should_stop)
    wave = resample(to_mono(recording.samples), recording.sample_rate, SSL_RATE)
    wave = wave * np.float32(0.5 / max(float(np.abs(wave).max(initial=0.0)), 1e-4))
    features: FloatArray = ssl.run({graphs.SAMPLES: wave[None]})[graphs.SSL_FEATURES][0].T
    return features


def check_prompt_length(samples: int) -> None:
    """Raise `AudioError` unless so many samples at 16 kHz last 3 to 10 s, both included."""
    if not SHORTEST_S * SSL_RATE <= samples <= LONGEST_S * SSL_RATE:
        seconds = samples / SSL_RATE
        raise AudioError(f"the recording lasts {seconds:.2f} s; a reference is {SHORTEST_S:g} to {LONGEST_S:g} s long")
