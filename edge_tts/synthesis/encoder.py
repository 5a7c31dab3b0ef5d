"""A recording and what was said in it become a `Voice` for one model set. It knows no devices, files or consent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from edge_tts import graphs
from edge_tts.audio.features import SAMPLE_RATE, SSL_RATE, filterbank, limit_peak, resample, spectrogram, to_mono
from edge_tts.engine.contract import Array, Buffer, Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import AudioError, ModelError, TextError, VoiceError
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.sovits import mean_conditioning
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import EncodeRequest, FloatArray, IntArray, ModelSet, Recording, Segment, Voice

SHORTEST_S, LONGEST_S = 3.0, 10.0
_APPENDED_SILENCE = 9600  # samples at 16 kHz: upstream takes 0.3 s at 32 kHz, which is 0.6 s here

Resampler = Callable[[FloatArray, int, int], FloatArray]
"""(mono samples, source Hz, target Hz) -> samples."""

ShouldStop = Callable[[], bool]


def raise_if_stopped(should_stop: ShouldStop) -> None:
    """Raise VoiceError when encoding should stop. Asked before each network, so that nobody waits for more than one."""
    if should_stop():
        raise VoiceError("the encoding was stopped")


class VoiceEncoder:
    """Derives from recordings what the networks of `model` need to speak as their speaker.

    `resampler` makes the 16 kHz signal of the prompt (upstream uses soxr there); the other signals are resampled as the
    networks were trained. `speaker` is the speaker verification network of the v2Pro families, None elsewhere.
    """

    def __init__(
        self,
        *,
        model: ModelSet,
        front_end: TextFrontEnd,
        ssl: Engine,
        quantizer: Engine,
        conditioning: Engine,
        speaker: Engine | None = None,
        bert: Callable[[Segment], FloatArray] | None = None,
        resampler: Resampler = resample,
    ) -> None:
        if model.sizes.speaker_width and speaker is None:
            raise ModelError(f"{model.name}: a {model.family} model set needs its speaker verification network")
        self._model, self._front_end = model, front_end
        self._ssl, self._quantizer, self._conditioning, self._speaker = ssl, quantizer, conditioning, speaker
        self._bert, self._resampler = bert, resampler

    def encode(self, request: EncodeRequest, should_stop: ShouldStop = lambda: False) -> Voice:
        """The voice of the speaker of all recordings: the prompt is the first one, the conditioning the mean over all.

        Raises `AudioError` for a recording of the wrong length, `TextError` for a transcript without words and
        `VoiceError` when stopped.
        """
        if not request.recordings:
            raise AudioError("a voice needs at least one recording")
        raise_if_stopped(should_stop)
        phoneme_ids, bert = self._pronounce(request.transcript, request.language)
        return Voice(
            id=request.id,
            name=request.name,
            language=request.language,
            prompt_tokens=self.prompt_tokens(request.recordings[0], should_stop),
            prompt_phoneme_ids=phoneme_ids,
            prompt_bert=bert,
            conditioning=mean_conditioning([self.conditioning(take, should_stop) for take in request.recordings]),
        )

    def prompt_tokens(self, recording: Recording, should_stop: ShouldStop = lambda: False) -> IntArray:
        """Semantic tokens int64 [tokens] of a recording of 3 to 10 s, those of 0.6 s appended silence included."""
        wave = self._resampler(to_mono(recording.samples), recording.sample_rate, SSL_RATE)
        check_prompt_length(len(wave))
        padded = np.concatenate([wave, np.zeros(_APPENDED_SILENCE, np.float32)])
        raise_if_stopped(should_stop)
        features = self._ssl.run({graphs.SAMPLES: padded[None]})[graphs.SSL_FEATURES]
        raise_if_stopped(should_stop)
        codes: IntArray = self._quantizer.run({graphs.SSL_FEATURES: features})[graphs.CODES][0]
        return codes

    def conditioning(self, recording: Recording, should_stop: ShouldStop = lambda: False) -> FloatArray:
        """The speaker vector float32 [1, conditioning width, 1] of one recording of any length."""
        wave = resample(to_mono(recording.samples), recording.sample_rate, SAMPLE_RATE)
        wave = limit_peak(wave)
        feeds: dict[str, Array | Buffer] = {graphs.SPECTROGRAM: spectrogram(wave)[None]}
        if self._speaker is not None:
            bank = filterbank(resample(wave, SAMPLE_RATE, SSL_RATE))
            raise_if_stopped(should_stop)
            feeds[graphs.SPEAKER_EMBEDDING] = self._speaker.run({graphs.FBANK: bank[None]})[graphs.EMBEDDING]
        raise_if_stopped(should_stop)
        vector: FloatArray = self._conditioning.run(feeds)[graphs.GE]
        return vector

    def _pronounce(self, transcript: str, language: str) -> tuple[IntArray, FloatArray]:
        """Phoneme ids and BERT features of the transcript, uncut."""
        segments = self._front_end.segments(transcript, language, split="cut0")
        if not segments:
            raise TextError("the transcript has no words; write down what is said in the recording")
        ids = np.concatenate([segment.phoneme_ids for segment in segments])
        if self._bert is None:
            return ids, np.zeros((len(ids), self._model.sizes.bert_width), np.float32)
        return ids, np.concatenate([self._bert(segment) for segment in segments])


def load_voice_encoder(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    *,
    bert: Callable[[Segment], FloatArray] | None = None,
    threads: int = 0,
    should_stop: ShouldStop = lambda: False,
) -> VoiceEncoder:
    """Load what a model set encodes voices with; `stack` closes it. `bert` is the one that speaks (`load_bert`).

    Raises `ModelError` naming the graph that is wrong, and `VoiceError` when stopped.
    """

    def load(path: Path) -> Engine:
        raise_if_stopped(should_stop)
        return load_engine(path, threads=threads)

    graph = GraphLoader(model, stack, load)

    return VoiceEncoder(
        model=model,
        front_end=front_end,
        ssl=graph(graphs.SSL),
        quantizer=graph(graphs.QUANTIZER),
        conditioning=graph(graphs.CONDITIONING),
        speaker=graph(graphs.SPEAKER) if model.sizes.speaker_width else None,
        bert=bert,
    )


def check_prompt_length(samples: int) -> None:
    """Raise `AudioError` unless a 16 kHz prompt of that many samples lasts 3 to 10 s, both included."""
    if not SHORTEST_S * SSL_RATE <= samples <= LONGEST_S * SSL_RATE:
        seconds = samples / SSL_RATE
        raise AudioError(f"the recording lasts {seconds:.2f} s; a reference is {SHORTEST_S:g} to {LONGEST_S:g} s long")
