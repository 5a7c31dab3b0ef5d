"""Phonemes and a prompt to semantic tokens: the GPT's decode loop over a cache that is allocated once.

The cache is one slab [2 x layers, positions, batch, width] (plane 2l has the keys of layer l, 2l + 1 its values): time
comes before batch, so that the step reads the first S positions of a plane in place, as dense memory, and appending a
row is one strided copy for all layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge_tts import graphs
from edge_tts.engine.contract import Array, Buffer, Engine, TensorSpec
from edge_tts.errors import TextError
from edge_tts.graphs import SequenceLimits
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.sampling import BoolArray, draw, penalize, probabilities
from edge_tts.values import FloatArray, IntArray, Sampling

_EOS_FREE_STEPS = 11  # upstream ends no sentence before
_HIDDEN = np.float32(-1e4)  # added to scores of masked positions; finite in float16 too
_BUCKET = graphs.BUCKET


class SemanticDecoder:
    """The GPT of the v2 family with its cache; `max_positions` makes the cache smaller than `limits` allow."""

    def __init__(
        self,
        *,
        prefill: Engine,
        step: Engine,
        limits: SequenceLimits,
        max_positions: int | None = None,
        batch: int = 1,
    ) -> None:
        cache = [spec for name, spec in step.inputs.items() if name.startswith(graphs.CACHE)]
        width, dtype = int(cache[0].shape[2]), cache[0].dtype
        self._prefill, self._step = prefill, step
        self._planes = len(cache)
        self._capacity = -(-(max_positions or limits.cache_positions) // _BUCKET) * _BUCKET
        self._limits = limits
        slab = TensorSpec("cache", (self._planes, self._capacity, batch, width), dtype)
        self._slab: Buffer = step.empty(slab)
        self._mask = np.full((batch, self._capacity), _HIDDEN, np.float32)
        self._lengths = np.zeros(batch, np.int64)
        self._positions = np.zeros(batch, np.int64)

    @property
    def batch(self) -> int:
        return len(self._lengths)

    def room(self, row: int) -> int:
        cache, table = self._capacity - self._lengths[row], self._limits.audio_positions - self._positions[row]
        return int(min(cache, table))

    def start(self, row: int, prompt: Prompt) -> FloatArray:
        length = check_fits(prompt, self._limits, self._capacity)
        results, rows = self._prefill.run_keeping(prefill_feeds(prompt), keep=graphs.ROWS)
        self._slab.write_at(rows, time=0, row=row)
        self._mask[row] = _HIDDEN
        self._mask[row, :length] = 0
        self._lengths[row] = length
        self._positions[row] = len(prompt.tokens)
        logits: FloatArray = results[graphs.LOGITS][0]
        return logits

    def step(self, tokens: IntArray) -> FloatArray:
        bucket = min(self._capacity, -(-max(int(self._lengths.max()), 1) // _BUCKET) * _BUCKET)
        feeds: dict[str, Array | Buffer] = {
            graphs.TOKEN: tokens,
            graphs.POSITION: self._positions.copy(),
            graphs.MASK: np.ascontiguousarray(self._mask[:, :bucket]),
        }
        for plane in range(self._planes):
            feeds[graphs.cache_input(plane)] = self._slab.prefix(plane, bucket)
        results, rows = self._step.run_keeping(feeds, keep=graphs.ROWS)
        for row, length in enumerate(self._lengths):
            if 0 < length < self._capacity:
                self._slab.write_at(rows, time=int(length), row=row, source_row=row)
                self._mask[row, length] = 0
                self._lengths[row] += 1
                self._positions[row] += 1
        logits: FloatArray = results[graphs.LOGITS]
        return logits

    def release(self, row: int) -> None:
        self._lengths[row] = self._positions[row] = 0
        self._mask[row] = _HIDDEN


def check_fits(prompt: Prompt, limits: SequenceLimits, capacity: int) -> int:
    """The positions that a prompt takes of `capacity`. Raises TextError when it leaves none to speak."""
    phonemes, length = len(prompt.phoneme_ids), len(prompt.phoneme_ids) + len(prompt.tokens)
    if phonemes > limits.most_phonemes:
        raise TextError(f"the text and the reference have {phonemes} phonemes; {limits.most_phonemes} fit")
    if len(prompt.tokens) > limits.most_prompt_tokens:
        most = limits.most_prompt_tokens
        raise TextError(f"the reference has {len(prompt.tokens)} semantic tokens; {most} fit, some ten seconds")
    if length >= capacity:
        raise TextError(f"the text and the reference need {length} positions; at most {capacity - 1} fit")
    return length


def prefill_feeds(prompt: Prompt) -> dict[str, Array | Buffer]:
    """The inputs of the prefill, plain or fused."""
    return {
        graphs.PHONEME_IDS: prompt.phoneme_ids[None],
        graphs.BERT_ROWS: prompt.bert[None],
        graphs.PROMPT_TOKENS: prompt.tokens[None],
        graphs.MASK: prefill_mask(len(prompt.phoneme_ids), len(prompt.tokens)),
    }


@dataclass(slots=True)
class Ending:
    """How a sequence ends, kept up to date by `generate`."""

    fewest: int = 0
    """Tokens before which the end token does not win."""
    refused: int = 0
    """Steps in a row, up to the last token, in which it would have won before."""
    stopped: bool = False
    """Whether the caller stopped it."""
    reached: bool = False
    """Whether the end token won."""


class TokenChooser:
    """Draws the tokens of one sequence from its logits and decides its end, by upstream's rules and `ending`.

    No end in the first 11 steps nor before `ending.fewest`; then when the best penalized logit or the token drawn is
    the end token, which is dropped, or at the limit, where nothing is dropped.
    """

    def __init__(
        self,
        *,
        prompt_tokens: IntArray,
        tokens: int,
        sampling: Sampling,
        limit: int,
        before: IntArray | None = None,
        ending: Ending | None = None,
    ) -> None:
        """`before`: the tokens of the sequence that are there already; `limit` and `ending.fewest` count them."""
        self._end = tokens - 1
        self._sampling = sampling
        self._limit = limit
        self._ending = ending or Ending()
        self._random = np.random.default_rng(sampling.seed)
        self._seen: BoolArray = np.zeros(tokens, np.bool_)
        self._seen[prompt_tokens] = True
        self._count = 0 if before is None else len(before)
        if before is not None:
            self._seen[before] = True
        self.over = False

    def choose(self, logits: FloatArray) -> int | None:
        """The next token for logits float32 [tokens], or None at the end. Sets `over` with the last token too."""
        scores = logits[: self._end].copy() if self._count < _EOS_FREE_STEPS else logits.copy()
        penalize(scores, self._seen, self._sampling.repetition_penalty)
        token = self._pick(scores)
        if token == self._end and self._count >= self._ending.fewest:
            self._ending.reached = self.over = True
            return None
        self._ending.refused = self._ending.refused + 1 if token == self._end else 0
        if token == self._end:
            scores[token] = -np.inf
            token = self._pick(scores)
        self._seen[token] = True
        self._count += 1
        self.over = self._count >= self._limit
        return token

    def _pick(self, scores: FloatArray) -> int:
        best = int(np.argmax(scores))
        token = best if self._sampling.top_k == 1 else self._draw(scores)
        return best if best == self._end else token

    def _draw(self, scores: FloatArray) -> int:
        noise = self._random.standard_exponential(scores.shape[0], np.float32)
        return draw(probabilities(scores, self._sampling), np.maximum(noise, np.finfo(np.float32).tiny))


def generate(
    decoder: Decoder,
    prompt: Prompt,
    *,
    sampling: Sampling,
    limit: int = graphs.MOST_TOKENS,
    before: Sequence[int] = (),
    ending: Ending | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[int]:
    """Decode one sequence in row 0 until its end, the limit, a full cache, or `should_stop`.

    `before`: its first tokens, which are fed step by step and not yielded: a prefill takes no more than a reference.
    `limit` counts them.
    """
    ending = ending or Ending()
    logits = decoder.start(0, prompt)
    chooser = TokenChooser(
        prompt_tokens=prompt.tokens,
        tokens=logits.shape[0],
        sampling=sampling,
        limit=min(limit, decoder.room(0) + 1),
        before=np.array(before, np.int64),
        ending=ending,
    )
    fed = iter(before)
    try:
        while not chooser.over:
            if should_stop():
                ending.stopped = True
                return
            token = next(fed, None)
            if token is None:
                token = chooser.choose(logits)
                if token is None:
                    return
                yield token
            if not chooser.over:
                logits = decoder.step(np.array([token] + [0] * (decoder.batch - 1), np.int64))[0]
    finally:
        decoder.release(0)


def prefill_mask(phonemes: int, tokens: int) -> FloatArray:
    """Additive mask float32 [phonemes + tokens, same]: text sees all text, audio sees text and audio up to itself."""
    size = phonemes + tokens
    mask = np.triu(np.full((size, size), _HIDDEN, np.float32), k=1)
    mask[:phonemes, :phonemes] = 0
    return mask
