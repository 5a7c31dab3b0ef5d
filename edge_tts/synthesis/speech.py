"""Speaks one text under guard: decodes, watches, vocodes meanwhile, and decodes again what went wrong.

What was handed on may have been heard and cannot be taken back. So a retry

- begins anew, with another seed, while nothing but silence was handed on: always for an end that comes too early in the
  first 16 tokens, and for silence at the start;
- goes on behind what is good and was vocoded otherwise. A loop or silence that was vocoded already stays in the sound,
  but the decoder does not see it again. Tokens whose end is in doubt are not vocoded until it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import numpy as np

from edge_tts.graphs import LONGEST_PIECE
from edge_tts.synthesis.batch import Asked, DecodeBatch, Sequence
from edge_tts.synthesis.guard import INSISTS, Broken, LoopWatch, SilenceWatch, bounds_of, turns_of
from edge_tts.synthesis.interfaces import Prompt, Vocoder
from edge_tts.synthesis.lead import Lead
from edge_tts.synthesis.sovits import NoiseField
from edge_tts.synthesis.stream import SegmentStream
from edge_tts.values import Fault, FloatArray, IntArray, ModelSet, Sampling, Voice

ATTEMPTS = 3
# Tokens between two chunks: few at first, for low latency, and once more, since only a part of the first is heard by
# then; then more, since each chunk encodes all tokens again; as many as the listener's lead affords.
_FIRST_PIECE, _GROWTH = 16, 1.5
_LONGEST_RUN = 12
"""Equal tokens in a row, half a second, that a retry may have."""
_OTHER_SEED = 1_000_003  # between the seeds of two attempts; segments of one request are 1 apart


@dataclass(frozen=True, kw_only=True)
class SpeechNetworks:
    model: ModelSet
    batch: DecodeBatch
    vocoder: Vocoder


@dataclass(frozen=True, kw_only=True)
class Prompted:
    """A text that is spoken in one prompt."""

    phoneme_ids: IntArray
    """int64 [phonemes] without the reference's."""
    bert: FloatArray
    """float32 [phonemes, bert_width]."""


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a text is spoken."""

    voice: Voice
    sampling: Sampling
    """With a seed."""
    speed: float
    lead: Lead
    """Of the listener."""
    steady: bool = False
    """Whether pieces are the shortest whatever the lead affords."""


class Speech:
    """One text spoken once: `attempts`, then `rest`; `decode_ahead` before its turn comes. `should_stop` is called per
    token."""

    def __init__(
        self, networks: SpeechNetworks, text: Prompted, manner: Manner, should_stop: Callable[[], bool]
    ) -> None:
        self._networks, self._text, self._manner, self._should_stop = networks, text, manner, should_stop
        self._bounds = bounds_of(networks.model, manner.voice, len(text.phoneme_ids))
        self._turns = turns_of(text.phoneme_ids)
        self.fault: Fault | None = None
        """Of the last attempt."""
        self.retried = False
        self._stopped = False
        self._ahead: Sequence | None = None
        self._begin()

    def _begin(self) -> None:
        """Nothing is decoded, nothing was heard."""
        model, seed = self._networks.model, self._manner.sampling.seed
        assert seed is not None
        self._stream = SegmentStream(
            vocoder=self._networks.vocoder,
            phoneme_ids=self._text.phoneme_ids,
            conditioning=self._manner.voice.conditioning,
            noise=NoiseField(seed=seed, width=model.sizes.latent_width),
            speed=self._manner.speed,
        )
        self._silence = SilenceWatch(model.sample_rate)
        self._codes: list[int] = []  # to vocode
        self._vocoded = 0  # of these
        self._context: list[int] = []  # that the decoder goes on from: the codes without what was wrong
        self._size = _FIRST_PIECE / _GROWTH
        self._due = 0

    @property
    def heard(self) -> bool:
        """Whether anything but silence was handed on."""
        return self._silence.heard

    def decode_ahead(self) -> None:
        """Begin to decode beside what is spoken now."""
        self._ahead = self._networks.batch.add(self._asked(0))

    def leave(self) -> None:
        """Its turn will not come."""
        if self._ahead is not None:
            self._networks.batch.remove(self._ahead)

    def attempts(self) -> Iterator[FloatArray]:
        """Decode until it goes well or cannot be tried again; yields what is settled meanwhile."""
        for attempt in range(ATTEMPTS):
            if not self._vocoded:
                self._due = self._next_piece()
            broken = yield from self._attempt(attempt)
            self.fault = broken.fault if broken else None
            if broken is None or attempt == ATTEMPTS - 1 or not self._go_back(broken):
                break
            self.retried = True

    def rest(self) -> Iterator[FloatArray]:
        """What is not vocoded yet; nothing after a stop."""
        if not (self._stopped or self._should_stop()):
            yield self._stream.render(_array(self._codes), last=True)

    def _attempt(self, attempt: int) -> Generator[FloatArray, None, Broken | None]:
        """Append tokens to codes and context. Returns what is wrong; a fault leaves only good tokens in the codes."""
        sequence, self._ahead = self._ahead or self._networks.batch.add(self._asked(attempt)), None
        loops, begin = LoopWatch(turns=self._turns), len(self._codes)
        for token, refused in self._networks.batch.decode(sequence):
            self._codes.append(token)
            self._context.append(token)
            good = loops.add(token)
            if good is not None:
                return self._broken(self._endless(), begin + good)
            if refused >= INSISTS:
                return self._broken("early_end", len(self._codes) - refused)
            if len(self._codes) >= self._due and (self._vocoded or not refused):
                yield self._settled(len(self._codes) - refused)
                self._due = self._vocoded + self._next_piece()
                if self._silence.endless:
                    return self._broken("silence", self._stream.played_tokens - self._quiet_tokens())
        self._stopped = sequence.stopped
        return None if sequence.reached or sequence.stopped else self._broken(self._endless(), len(self._codes))

    def _endless(self) -> Fault:
        return "silence" if self._silence.pausing else "loop"

    def _asked(self, attempt: int) -> Asked:
        sampling, text, voice = self._manner.sampling, self._text, self._manner.voice
        wrong = len(self._codes) - len(self._context)  # vocoded all the same
        return Asked(
            prompt=Prompt(
                phoneme_ids=np.concatenate([voice.prompt_phoneme_ids, text.phoneme_ids]),
                bert=np.concatenate([voice.prompt_bert, text.bert]),
                tokens=voice.prompt_tokens,
            ),
            sampling=replace(sampling, seed=(sampling.seed or 0) + attempt * _OTHER_SEED),
            limit=self._bounds.most - wrong,
            fewest=self._bounds.fewest,
            longest_run=self._longest_run(attempt),
            before=tuple(self._context),
            should_stop=self._should_stop,
        )

    def _longest_run(self, attempt: int) -> int | None:
        """The set's own. A retry holds no token for long: what pulled the last attempt into a silence pulls the next
        one whatever its seed."""
        own = self._networks.model.longest_run
        return own if attempt == 0 else min(own or _LONGEST_RUN, _LONGEST_RUN)

    def _settled(self, good: int) -> FloatArray:
        """What is settled of the first `good` codes, without the surplus of an endless silence."""
        self._vocoded = good
        samples = self._stream.render(_array(self._codes[:good]), last=False)
        self._silence.add(samples)
        return samples[: max(0, len(samples) - self._silence.surplus)]

    def _next_piece(self) -> int:
        """Tokens until the next chunk."""
        sizes, rate = self._networks.model.sizes, self._networks.model.sample_rate
        token_s = sizes.frames_per_token * sizes.samples_per_frame / (rate * self._manner.speed)
        affords = 0.0 if self._manner.steady else self._manner.lead.affords()
        tokens = min(max(self._size, _FIRST_PIECE, affords / token_s), LONGEST_PIECE)
        self._size *= _GROWTH
        return int(tokens)

    def _broken(self, fault: Fault, good: int) -> Broken:
        """Take the codes behind `good` away as far as they are not vocoded."""
        wrong = len(self._codes) - good
        del self._codes[max(good, self._vocoded) :]
        del self._context[max(0, len(self._context) - wrong) :]
        return Broken(fault, good)

    def _go_back(self, broken: Broken) -> bool:
        """Where the next attempt begins. Returns whether it can."""
        if not self.heard:
            self._begin()
            return True
        del self._context[max(0, len(self._context) - (len(self._codes) - self._vocoded)) :]
        del self._codes[self._vocoded :]
        return len(self._codes) < self._bounds.most

    def _quiet_tokens(self) -> int:
        """Whole tokens of silence at the end of what was handed on."""
        sizes = self._networks.model.sizes
        return int(self._silence.quiet * self._manner.speed) // (sizes.samples_per_frame * sizes.frames_per_token)


def _array(tokens: list[int]) -> IntArray:
    return np.array(tokens, np.int64)
