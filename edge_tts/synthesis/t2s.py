"""The plain GPT over a cache that is allocated once, and how tokens are drawn.

The cache is a slab [2 x layers, positions, batch, width] (plane 2l has the keys of layer l, 2l + 1 its values): time
comes before batch, so that the step reads the first S positions of a plane in place, as dense memory, and appending a
row is one strided copy for all layers. A step computes all rows of its slab: a sequence alone has one of a single row,
several share one of `batch` rows, and they are copied when their number becomes or ceases to be one.
"""

from __future__ import annotations

import numpy as np

from edge_tts import graphs
from edge_tts.engine.contract import Array, Buffer, Engine, TensorSpec
from edge_tts.errors import TextError
from edge_tts.graphs import SequenceLimits
from edge_tts.synthesis.interfaces import Prompt
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
        self._prefill, self._step = prefill, step
        self._planes, self._width, self._dtype = len(cache), int(cache[0].shape[2]), cache[0].dtype
        self._capacity = -(-(max_positions or limits.cache_positions) // _BUCKET) * _BUCKET
        self._limits = limits
        self._slabs: dict[int, Buffer] = {}  # by their rows
        self._rows, self._slab = 1, self._slab_of(1)
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
        self._share(row + 1)
        self._slab.write_at(rows, time=0, row=row)
        self._mask[row] = _HIDDEN
        self._mask[row, :length] = 0
        self._lengths[row] = length
        self._positions[row] = len(prompt.tokens)
        logits: FloatArray = results[graphs.LOGITS][0]
        return logits

    def step(self, tokens: IntArray) -> FloatArray:
        self._share(len(tokens))
        lengths = self._lengths[: len(tokens)]
        bucket = min(self._capacity, -(-max(int(lengths.max()), 1) // _BUCKET) * _BUCKET)
        feeds: dict[str, Array | Buffer] = {
            graphs.TOKEN: np.pad(tokens, (0, self._rows - len(tokens))),
            graphs.POSITION: self._positions[: self._rows].copy(),
            graphs.MASK: np.ascontiguousarray(self._mask[: self._rows, :bucket]),
        }
        for plane in range(self._planes):
            feeds[graphs.cache_input(plane)] = self._slab.prefix(plane, bucket)
        results, rows = self._step.run_keeping(feeds, keep=graphs.ROWS)
        for row, length in enumerate(lengths):
            if 0 < length < self._capacity:
                self._slab.write_at(rows, time=int(length), row=row, source_row=row)
                self._mask[row, length] = 0
                self._lengths[row] += 1
                self._positions[row] += 1
        logits: FloatArray = results[graphs.LOGITS][: len(tokens)]
        return logits

    def move(self, row: int, to: int) -> None:
        self._slab.write_at(self._slab, time=0, row=to, source_row=row, count=int(self._lengths[row]))
        for state in (self._mask, self._lengths, self._positions):
            state[to] = state[row]
        self.release(row)

    def release(self, row: int) -> None:
        self._lengths[row] = self._positions[row] = 0
        self._mask[row] = _HIDDEN

    def _share(self, rows: int) -> None:
        """Have a slab of one row, or of all for more, with the sequences of the other."""
        used = np.flatnonzero(self._lengths)
        wanted = 1 if max([rows, *(used + 1)]) == 1 else self.batch
        if wanted == self._rows:
            return
        old, self._slab, self._rows = self._slab, self._slab_of(wanted), wanted
        for row in used.tolist():
            self._slab.write_at(old, time=0, row=row, source_row=row, count=int(self._lengths[row]))

    def _slab_of(self, rows: int) -> Buffer:
        if rows not in self._slabs:
            shape = (self._planes, self._capacity, rows, self._width)
            self._slabs[rows] = self._step.empty(TensorSpec("cache", shape, self._dtype))
        return self._slabs[rows]


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


class TokenChooser:
    """Draws the tokens of one sequence from its logits and decides its end, by upstream's rules and what is asked.

    No end in the first 11 steps nor before `fewest` tokens; then when the best penalized logit or the token drawn is
    the end token, which is dropped, or at the limit, where nothing is dropped. A token that came `longest_run` times
    in a row is not drawn again.
    """

    def __init__(
        self,
        *,
        prompt_tokens: IntArray,
        tokens: int,
        sampling: Sampling,
        limit: int,
        before: IntArray | None = None,
        fewest: int = 0,
        longest_run: int | None = None,
    ) -> None:
        """`before`: the tokens of the sequence that are there already; `limit` and `fewest` count them."""
        self._end = tokens - 1
        self._sampling = sampling
        self._limit = limit
        self._fewest = fewest
        self._random = np.random.default_rng(sampling.seed)
        self._seen: BoolArray = np.zeros(tokens, np.bool_)
        self._seen[prompt_tokens] = True
        self._count = 0
        self._longest_run = longest_run
        self._last, self._run = self._end, 0  # the token of the last step, and how often it came in a row
        for token in () if before is None else before:
            self._keep(int(token))
        self.over = self.reached = False
        self.refused = 0
        """Steps in a row, up to the last token, in which the end token would have won before `fewest`."""

    def choose(self, logits: FloatArray) -> int | None:
        """The next token for logits float32 [tokens], or None at the end, which is `reached` then. Sets `over` with the
        last token too."""
        scores = logits[: self._end].copy() if self._count < _EOS_FREE_STEPS else logits.copy()
        penalize(scores, self._seen, self._sampling.repetition_penalty)
        if self._run == self._longest_run:
            scores[self._last] = -np.inf
        token = self._pick(scores)
        if token == self._end and self._count >= self._fewest:
            self.reached = self.over = True
            return None
        self.refused = self.refused + 1 if token == self._end else 0
        if token == self._end:
            scores[token] = -np.inf
            token = self._pick(scores)
        self._keep(token)
        self.over = self._count >= self._limit
        return token

    def _keep(self, token: int) -> None:
        self._run = self._run + 1 if token == self._last else 1
        self._last = token
        self._seen[token] = True
        self._count += 1

    def _pick(self, scores: FloatArray) -> int:
        best = int(np.argmax(scores))
        token = best if self._sampling.top_k == 1 else self._draw(scores)
        return best if best == self._end else token

    def _draw(self, scores: FloatArray) -> int:
        noise = self._random.standard_exponential(scores.shape[0], np.float32)
        return draw(probabilities(scores, self._sampling), np.maximum(noise, np.finfo(np.float32).tiny))


def prefill_mask(phonemes: int, tokens: int) -> FloatArray:
    """Additive mask float32 [phonemes + tokens, same]: text sees all text, audio sees text and audio up to itself."""
    size = phonemes + tokens
    mask = np.triu(np.full((size, size), _HIDDEN, np.float32), k=1)
    mask[:phonemes, :phonemes] = 0
    return mask
