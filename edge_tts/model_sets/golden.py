"""Golden phrases through TensorRT engines and through ONNX Runtime: errors, latencies, and a verdict per graph.

The reference decodes a phrase, then both decoders are fed its tokens, and every later graph of both what the reference
computed. So an error counts for the graph that made it, and cache, append and captured graphs are compared too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from edge_tts import graphs
from edge_tts.engine.contract import Engine
from edge_tts.graphs import (
    BERT,
    BUILT,
    CONTRACTS,
    ENCODER,
    ENCODER_CODES,
    ENCODER_TEXT,
    FLOW,
    T2S,
    T2S_PREFILL,
    T2S_STEP,
    WAVE,
    WAVE_STREAM,
)
from edge_tts.synthesis.batch import generate
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.sovits import EncoderGraph, NoiseField, open_encoder
from edge_tts.synthesis.t2s_fused import make_decoder
from edge_tts.synthesis.wave_stream import nothing_kept
from edge_tts.values import FloatArray, IntArray, ModelSet, Sampling, Segment, Voice

GPT = (T2S_PREFILL, T2S_STEP)
_TOKENS = 60
_REPEATS = 5
# Largest relative rms error per precision. Upstream's own float16 path has about a fifth of that for fp16.
_LIMITS = {"fp32": 1e-3, "fp16": 1e-2}
_WAVE_LIMITS = {"fp32": 1e-3, "fp16": 2e-2}
_SAME_BEST = 0.95  # share of steps with the same likeliest token


@dataclass(frozen=True, slots=True)
class Agreement:
    """The comparison of one graph. Times are milliseconds: median, 95th and 99th percentile."""

    graph: str
    finite: bool
    relative_rms: float
    """rms(difference) / rms(reference) of the worst output of the worst phrase."""
    largest: float
    same_best: float | None
    """Share of rows with the same likeliest token; None without logits."""
    agrees: bool
    latency_ms: tuple[float, float, float]
    reference_ms: tuple[float, float, float]

    @property
    def summary(self) -> str:
        if not self.finite:
            return "a value is not finite"
        best = "" if self.same_best is None else f", likeliest token equal in {self.same_best:.0%}"
        return f"relative rms error {self.relative_rms:.2g}, largest {self.largest:.2g}{best}"


@dataclass
class _Record:
    finite: bool = True
    relative_rms: float = 0.0
    largest: float = 0.0
    best: list[bool] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)
    reference_s: list[float] = field(default_factory=list)

    def compare(self, expected: FloatArray, actual: FloatArray) -> None:
        """Add one output of both; logits are 2-D."""
        if not np.isfinite(actual).all():
            self.finite = False
            return
        difference = actual.astype(np.float64) - expected
        scale = float(np.sqrt(np.mean(np.square(expected, dtype=np.float64)))) or 1.0
        self.relative_rms = max(self.relative_rms, float(np.sqrt(np.mean(np.square(difference)))) / scale)
        self.largest = max(self.largest, float(np.abs(difference).max(initial=0.0)))
        if expected.ndim == 2 and expected.shape[0] > 1:
            self.best += (expected.argmax(axis=1) == actual.argmax(axis=1)).tolist()

    def agreement(self, graph: str, precision: str) -> Agreement:
        limit = (_WAVE_LIMITS if graph == WAVE else _LIMITS).get(precision, _LIMITS["fp32"])
        best = float(np.mean(self.best)) if self.best else None
        return Agreement(
            graph=graph,
            finite=self.finite,
            relative_rms=self.relative_rms,
            largest=self.largest,
            same_best=best,
            agrees=self.finite and self.relative_rms <= limit and (best is None or best >= _SAME_BEST),
            latency_ms=_percentiles(self.latency_s),
            reference_ms=_percentiles(self.reference_s),
        )


class Golden:
    """The comparison for one model set. The caller closes the engines."""

    def __init__(
        self,
        *,
        model: ModelSet,
        voice: Voice,
        reference: Mapping[str, Engine],
        candidate: Mapping[str, Engine],
        clock: Callable[[], float] = time.perf_counter,
        rows: int = 1,
    ) -> None:
        """`candidate` may lack graphs, which are only timed on the reference; with more `rows` two are compared too."""
        self._model, self._voice, self._clock = model, voice, clock
        self._reference, self._candidate = reference, candidate
        self._records = {name: _Record() for name in BUILT if name in reference}
        limits, whole = model.sizes.limits, T2S in candidate or all(name in candidate for name in GPT)
        self._decoder = make_decoder(reference, limits)
        self._other = make_decoder(candidate, limits, rows) if whole else None

    def speak(self, segment: Segment) -> None:
        prompt = Prompt(
            phoneme_ids=np.concatenate([self._voice.prompt_phoneme_ids, segment.phoneme_ids]),
            bert=np.concatenate([self._voice.prompt_bert, self._bert(segment)]),
            tokens=self._voice.prompt_tokens,
        )
        tokens = list(generate(self._decoder, prompt, sampling=Sampling(seed=1), limit=_TOKENS)) or [0]
        self._decode(prompt, tokens)
        self._vocode(segment, np.array(tokens, np.int64))

    def agreements(self) -> list[Agreement]:
        """The result per graph; only times where there is no candidate."""
        return [record.agreement(graph, self._model.precision) for graph, record in self._records.items()]

    def _decode(self, prompt: Prompt, tokens: Sequence[int]) -> None:
        """Feed both decoders the prompt and the same tokens; the candidate's first, untimed run warms up."""
        expected, times = _forced(self._decoder, prompt, tokens, self._clock)
        self._keep_times(times, reference=True)
        if self._other is not None:
            _forced(self._other, prompt, tokens[:3], self._clock)
            actual, times = _forced(self._other, prompt, tokens, self._clock)
            self._keep_times(times, reference=False)
            self._records[T2S_PREFILL].compare(expected[0], actual[0])
            self._records[T2S_STEP].compare(np.concatenate(expected[1:]), np.concatenate(actual[1:]))
            if self._other.batch > 1:
                for row in _side_by_side(self._other, prompt, tokens):
                    self._records[T2S_STEP].compare(np.concatenate(expected[1:]), row)

    def _keep_times(self, times: list[float], *, reference: bool) -> None:
        for name, part in ((T2S_PREFILL, times[:1]), (T2S_STEP, times[1:])):
            record = self._records[name]
            (record.reference_s if reference else record.latency_s).extend(part)

    def _vocode(self, segment: Segment, codes: IntArray) -> None:
        sizes, conditioning = self._model.sizes, self._voice.conditioning
        feeds: dict[str, Any] = {
            graphs.CODES: codes[None],
            graphs.PHONEME_IDS: segment.phoneme_ids[None],
            graphs.GE: conditioning,
        }
        features = self._both(ENCODER, feeds)[graphs.FEATURES]
        noise = NoiseField(seed=1, width=sizes.latent_width).frames(0, features.shape[2])
        feeds = {
            graphs.FEATURES: features,
            graphs.GE: conditioning,
            graphs.NOISE: noise,
            graphs.NOISE_SCALE: np.array([0.5], np.float32),
        }
        latent = self._both(FLOW, feeds)[graphs.LATENT]
        self._both(WAVE, {graphs.LATENT: latent, graphs.GE: conditioning})

    def _bert(self, segment: Segment) -> FloatArray:
        """Zeros for the GPT; the BERT graph is compared on random ids of the right number."""
        if BERT in self._reference:
            ids = np.random.default_rng(1).integers(100, 5000, (1, len(segment.phoneme_ids) + 2))
            self._both(BERT, {graphs.TOKEN_IDS: ids})
        return np.zeros((len(segment.phoneme_ids), self._model.sizes.bert_width), np.float32)

    def _both(self, graph: str, feeds: dict[str, Any]) -> dict[str, Any]:
        """Run one graph on both, timed; returns the reference's outputs."""
        record = self._records[graph]
        expected = _timed(self._reference[graph], feeds, record.reference_s, self._clock)
        candidate: EncoderGraph | None = self._candidate.get(graph)
        if graph == WAVE and WAVE_STREAM in self._candidate:
            candidate = self._candidate[WAVE_STREAM]
            feeds = {**feeds, graphs.MORE: np.zeros(1, np.int64), **nothing_kept(self._candidate[WAVE_STREAM])}
        if graph == ENCODER and {ENCODER_TEXT, ENCODER_CODES} <= set(self._candidate):
            candidate = open_encoder(self._candidate)
        if candidate is not None:
            actual = _timed(candidate, feeds, record.latency_s, self._clock)
            for tensor in CONTRACTS[graph].outputs:
                record.compare(expected[tensor.name], actual[tensor.name])
        return expected


def _forced(
    decoder: Decoder, prompt: Prompt, tokens: Sequence[int], clock: Callable[[], float]
) -> tuple[list[FloatArray], list[float]]:
    """Logits [1, tokens] after the prompt and after each token, and the seconds each took."""
    began = clock()
    logits, times = [decoder.start(0, prompt)[None]], [clock() - began]
    for token in tokens:
        began = clock()
        logits.append(decoder.step(np.array([token], np.int64)))
        times.append(clock() - began)
    decoder.release(0)
    return logits, times


def _side_by_side(decoder: Decoder, prompt: Prompt, tokens: Sequence[int]) -> tuple[FloatArray, FloatArray]:
    """Logits [steps, tokens] of two rows that are fed the same."""
    for row in (0, 1):
        decoder.start(row, prompt)
    logits = np.stack([decoder.step(np.array([token, token], np.int64)) for token in tokens])
    for row in (1, 0):
        decoder.release(row)
    return logits[:, 0], logits[:, 1]


def _timed(
    engine: EncoderGraph, feeds: dict[str, Any], times: list[float], clock: Callable[[], float]
) -> dict[str, FloatArray]:
    results = engine.run(feeds)  # the first run of a shape is slower
    for _ in range(_REPEATS):
        began = clock()
        results = engine.run(feeds)
        times.append(clock() - began)
    return results


def _percentiles(seconds: list[float]) -> tuple[float, float, float]:
    if not seconds:
        return (0.0, 0.0, 0.0)
    p50, p95, p99 = (float(np.percentile(seconds, share)) * 1000 for share in (50, 95, 99))
    return (p50, p95, p99)
