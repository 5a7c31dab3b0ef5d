"""Decodes the next segments of a request beside the one that is spoken, as many as the listener's lead affords."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from edge_tts.synthesis.batch import DecodeBatch
from edge_tts.synthesis.lead import Lead
from edge_tts.synthesis.speech import Speech

_AFFORDED_S = 3.0
"""Seconds of sound that the lead has to afford for each: it costs a prefill, and makes the steps of all longer."""


class Ahead:
    """The speeches of a request, in order. A context manager: what was begun for nothing leaves the batch."""

    def __init__(self, speeches: Iterator[Speech], batch: DecodeBatch, lead: Lead) -> None:
        self._speeches, self._batch, self._lead = speeches, batch, lead
        self._begun: deque[Speech] = deque()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *_: object) -> None:
        for speech in self._begun:
            speech.leave()

    def next(self) -> Speech:
        """The one whose turn it is; called once for each."""
        return self._begun.popleft() if self._begun else next(self._speeches)

    def begin_more(self) -> None:
        """Call it after every chunk. Rows that others have or wait for are left to them."""
        while self._batch.free > 0 and len(self._begun) < int(self._lead.affords() / _AFFORDED_S):
            speech = next(self._speeches, None)
            if speech is None:
                return
            speech.decode_ahead()
            self._begun.append(speech)
