"""Decodes texts side by side: a step of the GPT gives a token to each of them, for little more than one costs.

A sequence waits for a row, runs in it and leaves it. Whoever takes tokens of one drives the steps of all; what the
others get is kept until they are asked. The numbers of a row do not depend on those beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from edge_tts import graphs
from edge_tts.errors import DeviceLostError
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.t2s import TokenChooser
from edge_tts.values import FloatArray, Sampling


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be decoded."""

    prompt: Prompt
    sampling: Sampling
    limit: int = graphs.MOST_TOKENS
    """Tokens at most; it also ends when the cache is full."""
    fewest: int = 0
    """Tokens before which the end token does not win."""
    longest_run: int | None = None
    """Equal tokens in a row at most."""
    before: tuple[int, ...] = ()
    """Its first tokens, which `limit` and `fewest` count. They are fed step by step and not given back: a prefill takes
    no more than a reference."""
    should_stop: Callable[[], bool] = lambda: False
    """Asked for each token."""


class Sequence:
    """One text on its way to tokens. `over`: no more will be decoded."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.tokens: deque[tuple[int, int]] = deque()
        """Decoded and not taken yet, each with the steps in a row in which the end was refused."""
        self.over = self.stopped = self.reached = False
        """`reached`: the end token won."""
        self.failure: Exception | None = None
        self.fed = 0
        """The token of the next step."""
        self._before = iter(asked.before)
        self._chooser: TokenChooser | None = None

    def begin(self, logits: FloatArray, room: int) -> None:
        """Takes the prefill's logits, with room for so many tokens in the row."""
        asked = self.asked
        self._chooser = TokenChooser(
            prompt_tokens=asked.prompt.tokens,
            tokens=logits.shape[0],
            sampling=asked.sampling,
            limit=min(asked.limit, room + 1),
            before=np.array(asked.before, np.int64),
            fewest=asked.fewest,
            longest_run=asked.longest_run,
        )
        self.advance(logits)

    def advance(self, logits: FloatArray) -> None:
        """Takes the logits of a step, float32 [tokens]."""
        assert self._chooser is not None
        token = next(self._before, None)
        if token is None:
            token = self._chooser.choose(logits)
            if token is not None:
                self.tokens.append((token, self._chooser.refused))
        self.over, self.reached = self._chooser.over, self._chooser.reached
        self.fed = token or 0

    def should_stop(self) -> bool:
        if not self.stopped and self.asked.should_stop():
            self.stopped = self.over = True
        return self.stopped


class DecodeBatch:
    """The rows of a decoder. One owner, one thread."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []  # by row

    @property
    def free(self) -> int:
        """Rows that nobody has or waits for."""
        return self._decoder.batch - len(self._running) - len(self._waiting)

    def add(self, asked: Asked) -> Sequence:
        """Queue a sequence. Take its tokens with `decode`, or let it go with `remove`."""
        sequence = Sequence(asked)
        self._waiting.append(sequence)
        return sequence

    def remove(self, sequence: Sequence) -> None:
        if sequence in self._running:
            self._leave(sequence)
        elif sequence in self._waiting:
            self._waiting.remove(sequence)

    def decode(self, sequence: Sequence) -> Iterator[tuple[int, int]]:
        """Its tokens, each with the steps in a row in which the end was refused; ends early when it is to stop.

        Raises `TextError` for a prompt that does not fit, and what the runtime raises.
        """
        try:
            while not (sequence.tokens and sequence.should_stop()):
                while not (sequence.tokens or sequence.over):
                    self.step()
                if sequence.failure is not None:
                    raise sequence.failure
                if sequence.stopped or not sequence.tokens:
                    return
                yield sequence.tokens.popleft()
        finally:
            self.remove(sequence)

    def schedule(self) -> list[Sequence]:
        """The sequences of this step: one that joins alone, for its prompt, else all that run, by their rows."""
        for sequence in [one for one in (*self._running, *self._waiting) if one.should_stop()]:
            self.remove(sequence)
        if self._waiting and len(self._running) < self._decoder.batch:
            return [self._waiting.popleft()]
        return list(self._running)

    def step(self) -> None:
        """Read the prompt of a sequence that joins, or give a token to each that runs."""
        sequences = self.schedule()
        if any(sequence not in self._running for sequence in sequences):
            self._join(*sequences)
        elif sequences:
            logits = self._decoder.step(np.array([sequence.fed for sequence in sequences], np.int64))
            for sequence, row in zip(sequences, logits, strict=True):
                sequence.advance(row)
        for sequence in [one for one in self._running if one.over]:
            self._leave(sequence)

    def _join(self, sequence: Sequence) -> None:
        row = len(self._running)
        try:
            sequence.begin(self._decoder.start(row, sequence.asked.prompt), self._decoder.room(row))
        except DeviceLostError:
            raise
        except Exception as error:  # noqa: BLE001 - its own: it is raised where its tokens are asked for
            sequence.failure, sequence.over = error, True
            self._decoder.release(row)
        else:
            self._running.append(sequence)

    def _leave(self, sequence: Sequence) -> None:
        """Its row is given back; the last one takes its place, so that a step computes no more than it must."""
        row, last = self._running.index(sequence), len(self._running) - 1
        if row == last:
            self._decoder.release(row)
        else:
            self._decoder.move(last, row)
        self._running[row] = self._running[last]
        self._running.pop()


def generate(
    decoder: Decoder,
    prompt: Prompt,
    *,
    sampling: Sampling,
    limit: int = graphs.MOST_TOKENS,
    before: tuple[int, ...] = (),
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[int]:
    """The tokens of one sequence alone; see `Asked`."""
    batch = DecodeBatch(decoder)
    asked = Asked(prompt=prompt, sampling=sampling, limit=limit, before=before, should_stop=should_stop)
    return (token for token, _ in batch.decode(batch.add(asked)))
