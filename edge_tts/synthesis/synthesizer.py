"""Text and a voice in, a stream of audio chunks out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_tts.audio.chime import bleep
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.errors import TextError
from edge_tts.graphs import (
    ENCODER,
    ENCODER_CODES,
    ENCODER_TEXT,
    FLOW,
    T2S,
    T2S_PREFILL,
    T2S_PROMPT,
    T2S_STEP,
    WAVE,
    WAVE_STREAM,
)
from edge_tts.request import SpeakMessage, SpeakRequest
from edge_tts.synthesis.ahead import Ahead
from edge_tts.synthesis.batch import DecodeBatch
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.guard import seconds_per_phoneme
from edge_tts.synthesis.interfaces import Decoder, Vocoder
from edge_tts.synthesis.lead import Lead
from edge_tts.synthesis.parts import clauses, closed, halves
from edge_tts.synthesis.sovits import Sovits, open_encoder
from edge_tts.synthesis.speech import Manner, Prompted, Speech, SpeechNetworks
from edge_tts.synthesis.t2s_fused import make_decoder
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.reader import Reader
from edge_tts.text.ssml import FASTEST, MOST_PAUSE_S, SLOWEST
from edge_tts.values import AudioChunk, Fault, FloatArray, GuardCounts, IntArray, ModelSet, Sampling, Segment, Voice

_FREE_PAUSE_S = SpeakMessage.model_fields["fragment_interval"].default
"""Silence after each segment that is not counted: a long text has many."""
_PART_PAUSE_S = 0.1
"""Silence behind a part of a segment that failed as a whole."""
_RETRIED = "retried"

BertFeatures = Callable[[Segment], FloatArray]
"""Segment -> float32 [phonemes, BERT width]."""


@dataclass(frozen=True, slots=True)
class Line:
    """A segment and how it is said."""

    segment: Segment
    manner: Manner


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request becomes."""

    request: SpeakRequest
    lines: list[Line]
    warnings: tuple[str, ...]
    lead: Lead


class Synthesizer:
    """Speaks requests, one after another or by turns. One owner, one thread: it owns the decode cache."""

    def __init__(
        self,
        *,
        model: ModelSet,
        front_end: TextFrontEnd,
        decoder: Decoder,
        vocoder: Vocoder,
        bert: BertFeatures | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self._clock = clock
        self._front_end = front_end
        self._networks = SpeechNetworks(model=model, batch=DecodeBatch(decoder), vocoder=vocoder)
        self._bert = bert or self._no_bert

    def stream(
        self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[AudioChunk]:
        """The first chunk comes before the first segment is decoded to its end; the final one has `last` set.

        The pieces of a segment grow as the listener's `Lead` affords, so the waveform depends on the clock a little,
        while the tokens do not. With a seed neither does: it fixes every sample.

        `should_stop` is called per token and ends the stream after what is settled. Raises `TextError` for a text
        without words, with a piece that is too long or too much silence, or in a language that the set does not speak.

        Several streams may be taken from by turns: their sequences are decoded side by side.
        """
        yield from self.speak(self.plan(request, voice), should_stop)

    def plan(self, request: SpeakRequest, voice: Voice) -> Plan:
        """Read the text. Raises `TextError`, as `stream`."""
        warnings: list[str] = []
        segments = self._segments(request, voice, warnings)
        self._check_lengths(segments, voice)
        _check_pauses(segments, request)
        lead = Lead(self._clock)
        return Plan(request, self._lines(request, voice, segments, lead), tuple(warnings), lead)

    def speak(self, plan: Plan, should_stop: Callable[[], bool], *, start: int = 0) -> Iterator[AudioChunk]:
        """The lines of a plan, from that one on."""
        counts, lead, lines = Counter[str](), plan.lead, plan.lines[start:]
        speeches = (self._speech(line, should_stop) for line in lines if not line.segment.bleeped)
        with Ahead(speeches, self._networks.batch, lead) as ahead:
            for line in lines:
                if line.segment.bleeped:
                    yield self.bleep(plan, line)
                    lead.resumed()
                    continue
                for samples in self._speak(ahead.next(), line, should_stop, counts):
                    lead.handed(len(samples) / self.model.sample_rate, made=bool(samples.any()))
                    yield self.chunk(samples, plan.request)
                    lead.resumed()
                    ahead.begin_more()
                if should_stop():
                    break
                yield self.pause(plan, line)
                lead.resumed()
        guard = GuardCounts(segments=len(plan.lines), retried=counts.pop(_RETRIED, 0), faults=counts)
        last = self.chunk(self._silence(0), plan.request)
        yield replace(last, last=True, warnings=plan.warnings, guard=guard)

    def bleep(self, plan: Plan, line: Line) -> AudioChunk:
        """The tone instead of a line, and the silence behind it."""
        tone = self._tone(plan.request, line.manner.voice, line.segment)
        plan.lead.handed(len(tone) / self.model.sample_rate, made=False)
        return self.chunk(tone, plan.request)

    def pause(self, plan: Plan, line: Line) -> AudioChunk:
        """The silence behind a line."""
        seconds = _pause_s(plan.request, line.segment)
        plan.lead.handed(seconds, made=False)
        return self.chunk(self._silence(seconds), plan.request)

    def _lines(self, request: SpeakRequest, voice: Voice, segments: list[Segment], lead: Lead) -> list[Line]:
        sampling = request.sampling(self.model.sampling)
        manner = Manner(voice=voice, sampling=sampling, speed=1.0, lead=lead, steady=sampling.seed is not None)
        seed = _seed(sampling)
        return [
            Line(
                segment,
                replace(manner, sampling=replace(sampling, seed=seed + index), speed=_speed(request, segment)),
            )
            for index, segment in enumerate(segments)
        ]

    def _segments(self, request: SpeakRequest, voice: Voice, warnings: list[str]) -> list[Segment]:
        languages = self.model.languages
        reader = Reader(
            languages=languages,
            home=voice.language if voice.language in languages else languages[0],
            name=f"the model set {self.model.name}",
            warn=warnings.append,
        )
        segments = self._front_end.read_by(reader).segments(
            request.text,
            request.language,
            split=request.split,
            ssml=request.ssml,
            join=self.model.join_sentences,
            ruled=True,
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

    def _speech(self, line: Line, should_stop: Callable[[], bool]) -> Speech:
        return Speech(self._networks, self._whole(line.segment), line.manner, should_stop)

    def _speak(
        self, speech: Speech, line: Line, should_stop: Callable[[], bool], counts: Counter[str]
    ) -> Iterator[FloatArray]:
        """Whole; in smaller parts when it failed for good and nothing of it was heard."""
        yield from speech.attempts()
        if speech.retried:
            counts[_RETRIED] += 1
        parts = [] if speech.fault is None or speech.heard else self._parts(line.segment)
        if len(parts) < 2:
            yield from speech.rest()
            counts.update([speech.fault] if speech.fault else [])
        elif faults := (yield from self._speak_parts(parts, line.manner, should_stop)):
            counts.update(faults[:1])  # one segment, one fault

    def _speak_parts(
        self, parts: list[Prompted], manner: Manner, should_stop: Callable[[], bool]
    ) -> Generator[FloatArray, None, list[Fault]]:
        faults: list[Fault] = []
        for index, part in enumerate(parts, 1):
            other = replace(manner.sampling, seed=(manner.sampling.seed or 0) + index)
            speech = Speech(self._networks, part, replace(manner, sampling=other), should_stop)
            yield from speech.attempts()
            yield from speech.rest()
            if should_stop():
                break
            faults += [speech.fault] if speech.fault else []
            yield self._silence(_PART_PAUSE_S)
        return faults

    def _whole(self, segment: Segment) -> Prompted:
        return self._prompted(segment.phoneme_ids, self._bert(segment))

    def _prompted(self, phoneme_ids: IntArray, bert: FloatArray) -> Prompted:
        return Prompted(phoneme_ids=closed(phoneme_ids) if self.model.close_clauses else phoneme_ids, bert=bert)

    def _parts(self, segment: Segment) -> list[Prompted]:
        """The clauses of a segment, as they were read; of a single one, its halves, read again."""
        whole, cuts = self._whole(segment), clauses(segment.phonemes)
        if len(cuts) > 1:
            return [self._prompted(whole.phoneme_ids[cut], whole.bert[cut]) for cut in cuts]
        if len(segment.runs) != 1:
            return []
        language, texts = segment.runs[0].language, halves(segment.normalized)
        read = [self._front_end.segments(text, language, split="cut0", ssml=False, join=True) for text in texts]
        return [self._whole(half) for segments in read for half in segments]

    def _no_bert(self, segment: Segment) -> FloatArray:
        return np.zeros((len(segment.phoneme_ids), self.model.sizes.bert_width), np.float32)

    def _tone(self, request: SpeakRequest, voice: Voice, segment: Segment) -> FloatArray:
        """As long as the voice would take for the word, and the pause behind it."""
        seconds = segment.bleeped * seconds_per_phoneme(voice) / _speed(request, segment)
        return np.concatenate([bleep(seconds, self.model.sample_rate), self._silence(_pause_s(request, segment))])

    def _silence(self, seconds: float) -> FloatArray:
        return np.zeros(round(seconds * self.model.sample_rate), np.float32)

    def chunk(self, samples: FloatArray, request: SpeakRequest) -> AudioChunk:
        """Not the last one."""
        return AudioChunk(
            samples=np.clip(samples, -1.0, 1.0),
            sample_rate=self.model.sample_rate,
            request_id=request.id,
            last=False,
        )


def load_synthesizer(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    *,
    bert: BertFeatures | None = None,
    load: Callable[[Path], Engine] = load_engine,
    rows: int = 1,
) -> Synthesizer:
    """Load the networks that speak with `load`; `stack` closes them. Without `bert` its features are zeros. So many
    `rows` of sequences may be decoded side by side.

    Raises `ModelError` that names the graph.
    """
    graph = GraphLoader(model, stack, load)
    return Synthesizer(
        model=model,
        front_end=front_end,
        decoder=load_decoder(model, graph, rows),
        vocoder=Sovits(
            encoder=open_encoder({name: graph(name) for name in encoder_of(model)}),
            flow=graph(FLOW),
            wave=graph(wave_of(model)),
            sizes=model.sizes,
        ),
        bert=bert,
    )


def encoder_of(model: ModelSet) -> tuple[str, ...]:
    """The graphs of its encoder."""
    halves = (ENCODER_TEXT, ENCODER_CODES)
    return halves if set(halves) <= set(model.replaced) else (ENCODER,)


def wave_of(model: ModelSet) -> str:
    """The graph of its wave."""
    return WAVE_STREAM if WAVE_STREAM in model.replaced else WAVE


def load_decoder(model: ModelSet, load: GraphLoader, rows: int = 1) -> Decoder:
    """The GPT of a set alone, with `rows` of sequences. Raises `ModelError` that names the graph."""
    return make_decoder({name: load(name) for name in gpt_of(model)}, model.sizes.limits, rows)


def gpt_of(model: ModelSet) -> tuple[str, ...]:
    """The graphs of its GPT."""
    if T2S not in model.replaced:
        return (T2S_PREFILL, T2S_STEP)
    return (T2S_PROMPT, T2S) if T2S_PROMPT in model.replaced else (T2S,)


def _pause_s(request: SpeakRequest, segment: Segment) -> float:
    return request.fragment_interval if segment.pause_s is None else segment.pause_s


def _check_pauses(segments: list[Segment], request: SpeakRequest) -> None:
    """Refuse a request that would be mostly silence, whichever way it asks for it."""
    pauses_s = sum(_pause_s(request, segment) for segment in segments)
    most_s = MOST_PAUSE_S + _FREE_PAUSE_S * len(segments)
    if pauses_s > most_s + 1e-6:
        raise TextError(
            f"the pauses after the {len(segments)} segments of the text are {pauses_s:g} s together, at most"
            f" {most_s:g} s; fragment_interval is {request.fragment_interval:g} s after each"
        )


def _speed(request: SpeakRequest, segment: Segment) -> float:
    """The document's rate on top of the request's speed, within the limits of either."""
    return min(max(request.speed * segment.rate, SLOWEST), FASTEST)


def _seed(sampling: Sampling) -> int:
    return sampling.seed if sampling.seed is not None else int(np.random.default_rng().integers(2**31))
