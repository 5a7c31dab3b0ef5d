"""Everything a model set can do, in one owner's hands: speak, and encode a voice. It knows nothing of who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.bert import BertFeatures, load_bert
from edge_tts.synthesis.encoder import ShouldStop, load_voice_encoder, raise_if_stopped
from edge_tts.synthesis.synthesizer import Synthesizer, load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import AudioChunk, EncodeRequest, ModelSet, Voice


class OnDemandEncoder:
    """Encodes voices with a model set, whichever speaks. Its networks are loaded for each voice anew and given back:
    encoding is rare, and the memory they take is the larger part of the set."""

    def __init__(
        self, *, model: ModelSet, front_end: TextFrontEnd, bert: BertFeatures | None = None, threads: int = 0
    ) -> None:
        """`bert`: the set's own if it is loaded already."""
        self._model, self._front_end, self._bert, self._threads = model, front_end, bert, threads

    def encode(self, request: EncodeRequest, should_stop: ShouldStop = lambda: False) -> Voice:
        """See `VoiceEncoder.encode`. Raises `ModelError` when the set has no networks that encode."""
        with ExitStack() as stack:
            raise_if_stopped(should_stop)
            bert = self._bert or load_bert(self._model, stack, partial(load_engine, threads=self._threads))
            encoder = load_voice_encoder(
                self._model, self._front_end, stack, bert=bert, threads=self._threads, should_stop=should_stop
            )
            return encoder.encode(request, should_stop)


class Networks(OnDemandEncoder):
    """The loaded networks of a model set that speaks; it encodes on demand."""

    def __init__(
        self,
        *,
        model: ModelSet,
        front_end: TextFrontEnd,
        synthesizer: Synthesizer,
        bert: BertFeatures | None = None,
        threads: int = 0,
    ) -> None:
        super().__init__(model=model, front_end=front_end, bert=bert, threads=threads)
        self._synthesizer = synthesizer

    def stream(
        self, request: SpeakRequest, voice: Voice, should_stop: ShouldStop = lambda: False
    ) -> Iterator[AudioChunk]:
        """See `Synthesizer.stream`."""
        return self._synthesizer.stream(request, voice, should_stop)


def load_networks(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    *,
    threads: int = 0,
    load: Callable[[Path], Engine] | None = None,
) -> Networks:
    """Load the networks that speak; `stack` closes them. `load` is who loads a graph, ONNX Runtime if absent.

    Raises `ModelError` naming the graph that is wrong.
    """
    loader = load or partial(load_engine, threads=threads)
    bert = load_bert(model, stack, loader)
    synthesizer = load_synthesizer(model, front_end, stack, bert=bert, threads=threads, load=loader)
    return Networks(model=model, front_end=front_end, synthesizer=synthesizer, bert=bert, threads=threads)
