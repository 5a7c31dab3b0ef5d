"""Text and a voice in, a stream of audio chunks out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import TextError
from edge_tts.graphs import ENCODER, FLOW, LONGEST_PIECE, MOST_TOKENS, T2S, T2S_PREFILL, T2S_STEP, WAVE
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.interfaces import Decoder, Prompt, Vocoder
from edge_tts.synthesis.sovits import NoiseField, Sovits
from edge_tts.synthesis.stream import SegmentStream
from edge_tts.synthesis.t2s import generate
from edge_tts.synthesis.t2s_fused import make_decoder
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.reader import Reader
from edge_tts.text.ssml import FASTEST, SLOWEST
from edge_tts.values import AudioChunk, FloatArray, IntArray, ModelSet, Sampling, Segment, Voice

# Tokens between two chunks: few at first, for low latency; then more, since each chunk encodes all tokens again.
_FIRST_PIECE, _GROWTH = 16, 1.5

BertFeatures = Callable[[Segment], FloatArray]
"""Segment -> float32 [phonemes, BERT width]."""


class Synthesizer:
    """Speaks requests one after another. One owner, one thread: it owns the decode cache."""

    def __init__(
        self,
        *,
        model: ModelSet,
        front_end: TextFrontEnd,
        decoder: Decoder,
        vocoder: Vocoder,
        bert: BertFeatures | None = None,
    ) -> None:
        self.model = model
        self._front_end, self._decoder, self._vocoder = front_end, decoder, vocoder
        self._bert = bert or self._no_bert

    def stream(
        self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[AudioChunk]:
        """The first chunk comes before the first segment is decoded to its end; the final one has `last` set.

        `should_stop` is called per token and ends the stream after what is settled. Raises `TextError` for a text
        without words, with a piece that is too long, or in a language that the set does not speak.
        """
        warnings: list[str] = []
        segments = self._segments(request, voice, warnings)
        self._check_lengths(segments, voice)
        sampling = request.sampling(self.model.sampling)
        seed = _seed(sampling)
        for index, segment in enumerate(segments):
            sampling = replace(sampling, seed=seed + index)
            for samples in self._speak(segment, voice, sampling, _speed(request, segment), should_stop):
                yield self._chunk(samples, request, last=False)
            if should_stop():
                break
            pause = request.fragment_interval if segment.pause_s is None else segment.pause_s
            yield self._chunk(np.zeros(round(pause * self.model.sample_rate), np.float32), request, last=False)
        yield replace(self._chunk(np.zeros(0, np.float32), request, last=True), warnings=tuple(warnings))

    def _segments(self, request: SpeakRequest, voice: Voice, warnings: list[str]) -> list[Segment]:
        languages = self.model.languages
        reader = Reader(
            languages=languages,
            home=voice.language if voice.language in languages else languages[0],
            name=f"the model set {self.model.name}",
            warn=warnings.append,
        )
        segments = self._front_end.read_by(reader).segments(
            request.text, request.language, split=request.split, ssml=request.ssml, join=self.model.join_sentences
        )
        if not segments:
            raise TextError("nothing in the text can be spoken: it has no letter, digit or ideograph")
        return segments

    def _check_lengths(self, segments: list[Segment], voice: Voice) -> None:
        """Refuse pieces that the GPT has no positions for before the first chunk."""
        room = self.model.most_phonemes - len(voice.prompt_phoneme_ids)
        for segment in segments:
            count = len(segment.phoneme_ids)
            if count > room:
                raise TextError(
                    f"a piece of the text is too long: '{segment.text[:40]}...' has {count} phonemes, the model set "
                    f"{self.model.name} reads {room} at once in the voice {voice.id}; end sentences with full stops, "
                    "or leave `split` at auto"
                )

    def _speak(
        self, segment: Segment, voice: Voice, sampling: Sampling, speed: float, should_stop: Callable[[], bool]
    ) -> Iterator[FloatArray]:
        assert sampling.seed is not None
        stream = SegmentStream(
            vocoder=self._vocoder,
            phoneme_ids=segment.phoneme_ids,
            conditioning=voice.conditioning,
            noise=NoiseField(seed=sampling.seed, width=self.model.sizes.latent_width),
            speed=speed,
        )
        tokens: list[int] = []
        piece, due = float(_FIRST_PIECE), _FIRST_PIECE
        prompt, limit = self._prompt(segment, voice), self._limit(segment)
        for token in generate(self._decoder, prompt, sampling=sampling, limit=limit, should_stop=should_stop):
            tokens.append(token)
            if len(tokens) == due:
                piece = min(piece * _GROWTH, LONGEST_PIECE)
                due += int(piece)
                yield stream.render(_codes(tokens), last=False)
        if not should_stop():
            yield stream.render(_codes(tokens), last=True)

    def _prompt(self, segment: Segment, voice: Voice) -> Prompt:
        return Prompt(
            phoneme_ids=np.concatenate([voice.prompt_phoneme_ids, segment.phoneme_ids]),
            bert=np.concatenate([voice.prompt_bert, self._bert(segment)]),
            tokens=voice.prompt_tokens,
        )

    def _limit(self, segment: Segment) -> int:
        """Most tokens of a segment: upstream's limit, tightened where the manifest gives a pace."""
        pace = self.model.max_tokens_per_phoneme
        if pace is None:
            return MOST_TOKENS
        return min(MOST_TOKENS, int(pace * len(segment.phoneme_ids)) + _FIRST_PIECE)

    def _no_bert(self, segment: Segment) -> FloatArray:
        return np.zeros((len(segment.phoneme_ids), self.model.sizes.bert_width), np.float32)

    def _chunk(self, samples: FloatArray, request: SpeakRequest, *, last: bool) -> AudioChunk:
        return AudioChunk(
            samples=np.clip(samples, -1.0, 1.0),
            sample_rate=self.model.sample_rate,
            request_id=request.id,
            last=last,
        )


def load_synthesizer(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    *,
    bert: BertFeatures | None = None,
    load: Callable[[Path], Engine] = load_engine,
) -> Synthesizer:
    """Load the networks that speak with `load`; `stack` closes them. Without `bert` its features are zeros.

    Raises `ModelError` that names the graph.
    """
    graph = GraphLoader(model, stack, load)
    return Synthesizer(
        model=model,
        front_end=front_end,
        decoder=load_decoder(model, graph),
        vocoder=Sovits(encoder=graph(ENCODER), flow=graph(FLOW), wave=graph(WAVE), sizes=model.sizes),
        bert=bert,
    )


def load_decoder(model: ModelSet, load: GraphLoader) -> Decoder:
    """The GPT of a set alone. Raises `ModelError` that names the graph."""
    gpt = {name: load(name) for name in ((T2S,) if T2S in model.replaced else (T2S_PREFILL, T2S_STEP))}
    return make_decoder(gpt, model.sizes.limits)


def _codes(tokens: list[int]) -> IntArray:
    return np.array(tokens, np.int64)


def _speed(request: SpeakRequest, segment: Segment) -> float:
    """The document's rate on top of the request's speed, within the limits of either."""
    return min(max(request.speed * segment.rate, SLOWEST), FASTEST)


def _seed(sampling: Sampling) -> int:
    return sampling.seed if sampling.seed is not None else int(np.random.default_rng().integers(2**31))
