"""Speaks on another machine while that is quick and there, else here."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace

from edge_tts.errors import TransportError
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.remote import Elsewhere, RemoteLine
from edge_tts.synthesis.synthesizer import Line, Plan, Synthesizer
from edge_tts.values import AudioChunk, GuardCounts, Voice

log = logging.getLogger(__name__)


class RemoteFirst:
    """A `Stream` in front of a synthesizer. Both cut the text, so a sentence that breaks off is begun again here, and
    the rest of its request stays here. SSML is spoken here: a sentence alone does not have what stands around it."""

    def __init__(self, synthesizer: Synthesizer, remote: Elsewhere) -> None:
        self._synthesizer, self._remote = synthesizer, remote

    def __call__(
        self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[AudioChunk]:
        """As `Synthesizer.stream`; chunks from elsewhere are `levelled`."""
        here = self._synthesizer
        plan = here.plan(request, voice)
        done, guard = 0, GuardCounts()
        if not request.ssml and self._remote.is_due():
            for line in plan.lines:
                if line.segment.bleeped:
                    yield here.bleep(plan, line)
                    done += 1
                    continue
                try:
                    counts = yield from self._speak(plan, line, should_stop)
                except TransportError as error:
                    log.warning("request %s goes on here: %s", request.id, error)
                    break
                guard = _together(guard, counts)
                if should_stop():
                    break
                done += 1
                yield here.pause(plan, line)
        for chunk in here.speak(plan, should_stop, start=done):
            yield replace(chunk, guard=_together(guard, chunk.guard)) if chunk.last else chunk

    def _speak(
        self, plan: Plan, line: Line, should_stop: Callable[[], bool]
    ) -> Generator[AudioChunk, None, GuardCounts]:
        request = plan.request
        asked = RemoteLine(
            text=line.segment.text,
            voice=request.voice,
            language=request.language,
            sampling=line.manner.sampling,
            speed=line.manner.speed,
            priority=request.priority,
        )
        with closing(self._remote.speak(asked, should_stop)) as speaking:
            while True:
                try:
                    samples = next(speaking)
                except StopIteration as end:
                    counts: GuardCounts = end.value
                    return counts
                yield replace(self._synthesizer.chunk(samples, request), levelled=True)


def _together(one: GuardCounts, other: GuardCounts) -> GuardCounts:
    faults = Counter(one.faults) + Counter(other.faults)
    segments = max(one.segments, other.segments)
    return GuardCounts(segments=segments, retried=one.retried + other.retried, faults=faults)
