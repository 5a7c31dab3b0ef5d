"""The GPT of the flavours for processors: a graph for prefill and step, which appends to keys and values in place, and
with weights of 8 bits another for the prefill.

Each plane of the cache is an array [batch, heads, positions, width of a head], allocated once and bound to the step, so
that a step feeds a token and nothing is copied.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np

from edge_tts import graphs
from edge_tts.engine.contract import Array, Engine, InPlaceEngine
from edge_tts.errors import ModelError
from edge_tts.graphs import SequenceLimits
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.t2s import SemanticDecoder, check_fits, prefill_feeds
from edge_tts.values import FloatArray, IntArray


class FusedDecoder:
    """A `Decoder` over the graph `graphs.T2S`, and over `graphs.T2S_PROMPT` where there is one."""

    def __init__(
        self, *, gpt: InPlaceEngine, prompt: Engine | None = None, limits: SequenceLimits, batch: int = 1
    ) -> None:
        self._gpt, self._prompt, self._limits, self._capacity = gpt, prompt, limits, limits.cache_positions
        self._lengths = np.zeros(batch, np.int64)
        self._feeds = self._step_feeds(batch, self._capacity)
        self._nobody = self._step_feeds(1, 1)
        self._cache = [array for name, array in self._feeds.items() if name.startswith(graphs.PAST)]
        self._logits = np.zeros((batch, int(gpt.outputs[graphs.LOGITS].shape[1])), np.float32)
        self._runs = [self._bind(rows) for rows in range(1, batch + 1)]

    @property
    def batch(self) -> int:
        return len(self._lengths)

    def room(self, row: int) -> int:
        positions = self._feeds[graphs.POSITION]
        cache, table = self._capacity - self._lengths[row], self._limits.audio_positions - positions[row]
        return int(min(cache, table))

    def start(self, row: int, prompt: Prompt) -> FloatArray:
        length = check_fits(prompt, self._limits, self._capacity)
        logits, planes = self.prefill(prompt)
        for array, rows in zip(self._cache, planes, strict=True):
            array[row, :, :length] = rows
        self._lengths[row], self._feeds[graphs.POSITION][row] = length, len(prompt.tokens)
        return logits

    def prefill(self, prompt: Prompt) -> tuple[FloatArray, Sequence[Array]]:
        """The logits of a prompt, and of each plane of the cache its rows [heads, positions, width of a head]."""
        if self._prompt is None:
            results = self._gpt.run({**prefill_feeds(prompt), **self._nobody})
            return results[graphs.LOGITS][0], list(results[graphs.ROWS])
        results = self._prompt.run(prefill_feeds(prompt))
        return results[graphs.LOGITS][0], [results[graphs.prompt(plane)][0] for plane in range(len(self._cache))]

    def step(self, tokens: IntArray) -> FloatArray:
        rows, lengths = len(tokens), self._lengths[: len(tokens)]
        self._feeds[graphs.TOKEN][:rows] = tokens
        # A full row writes its last position again; its logits are undefined, as those of an unused row.
        cached = np.minimum(lengths, self._capacity - 1)
        self._feeds[graphs.CACHED][:rows] = cached
        self._feeds[graphs.TOTAL][0] = cached.max() + 1
        self._runs[rows - 1]()
        used = (lengths > 0) & (lengths < self._capacity)
        lengths[used] += 1
        self._feeds[graphs.POSITION][:rows][used] += 1
        return self._logits[:rows].copy()

    def move(self, row: int, to: int) -> None:
        length = self._lengths[row]
        for array in self._cache:
            array[to, :, :length] = array[row, :, :length]
        for counts in (self._lengths, self._feeds[graphs.POSITION]):
            counts[to] = counts[row]
        self.release(row)

    def release(self, row: int) -> None:
        self._lengths[row] = self._feeds[graphs.POSITION][row] = 0

    def _step_feeds(self, batch: int, positions: int) -> dict[str, Array]:
        """The inputs of a step."""
        _, heads, _, width = self._gpt.inputs[graphs.past(0)].shape
        shape = (batch, int(heads), positions, int(width))
        planes = {name: spec.dtype for name, spec in self._gpt.inputs.items() if name.startswith(graphs.PAST)}
        return {
            graphs.TOKEN: np.zeros(batch, np.int64),
            graphs.POSITION: np.zeros(batch, np.int64),
            graphs.CACHED: np.zeros(batch, np.int32),
            graphs.TOTAL: np.ones(1, np.int32),
            **{name: _sparse(shape, dtype) for name, dtype in planes.items()},
        }

    def _no_prompt(self) -> dict[str, Array]:
        """The inputs and outputs of a prompt that is none."""
        bert = np.zeros((0, int(self._gpt.inputs[graphs.BERT_ROWS].shape[2])), np.float32)
        nothing = np.zeros(0, np.int64)
        feeds = prefill_feeds(Prompt(phoneme_ids=nothing, bert=bert, tokens=nothing))
        _, heads, _, width = self._cache[0].shape
        rows = np.zeros((len(self._cache), heads, 0, width), self._cache[0].dtype)
        return {graphs.ROWS: rows, **{name: np.ascontiguousarray(feed) for name, feed in feeds.items()}}

    def _bind(self, rows: int) -> Callable[[], None]:
        """A step of the first rows: rows come first in every array, so these are one piece of memory."""
        feeds = {name: array if name == graphs.TOTAL else array[:rows] for name, array in self._feeds.items()}
        present = {graphs.present(plane): feeds[graphs.past(plane)] for plane in range(len(self._cache))}
        prompt = self._no_prompt() if graphs.PHONEME_IDS in self._gpt.inputs else {}
        return self._gpt.bind({**prompt, **feeds, graphs.LOGITS: self._logits[:rows], **present})


def _sparse(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Zeros that take memory where they are written. In huge pages, which numpy asks for, the first positions
    of each head would take that of all."""
    memory = mmap.mmap(-1, dtype.itemsize * prod(shape))
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        with suppress(OSError):  # a kernel without them
            memory.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def make_decoder(engines: Mapping[str, Engine], limits: SequenceLimits, rows: int = 1) -> Decoder:
    """The decoder of a set's GPT, fused where `engines` have it. Raises ModelError for a runtime that cannot."""
    gpt = engines.get(graphs.T2S)
    if gpt is None:
        prefill, step = engines[graphs.T2S_PREFILL], engines[graphs.T2S_STEP]
        return SemanticDecoder(prefill=prefill, step=step, limits=limits, batch=rows)
    if not isinstance(gpt, InPlaceEngine):
        raise ModelError(f"a {type(gpt).__name__} cannot run {graphs.T2S}, which is for ONNX Runtime")
    return FusedDecoder(gpt=gpt, prompt=engines.get(graphs.T2S_PROMPT), limits=limits, batch=rows)
