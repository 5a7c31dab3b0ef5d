"""The networks of a model set: those that speak stay loaded, those that encode a voice are loaded on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
    """Encodes voices for a model set. Its networks are loaded for each voice and closed: encoding is rare, and they
    are the larger part of the set's memory."""

    def __init__(
        self, *, model: ModelSet, front_end: TextFrontEnd, bert: BertFeatures | None = None, threads: int = 0
    ) -> None:
        """`bert`: the set's, where it is loaded already."""
        self._model, self._front_end, self._bert, self._threads = model, front_end, bert, threads

    def encode(self, request: EncodeRequest, should_stop: ShouldStop = lambda: False) -> Voice:
        """As `VoiceEncoder.encode`. Raises `ModelError` too, as when the set has no networks that encode."""

        def load(path: Path) -> Engine:
            raise_if_stopped(should_stop)
            return load_engine(path, threads=self._threads)

        with ExitStack() as stack:
            bert = self._bert or load_bert(self._model, stack, load)
            encoder = load_voice_encoder(self._model, self._front_end, stack, bert=bert, load=load)
            return encoder.encode(request, should_stop)


class Networks(OnDemandEncoder):
    """A model set that speaks; it encodes on demand."""

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
        return self._synthesizer.stream(request, voice, should_stop)


def load_networks(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    *,
    threads: int = 0,
    load: Callable[[Path], Engine] = load_engine,
) -> Networks:
    """Load the networks that speak with `load`; `stack` closes them. `threads` bounds the cores of an encoding.

    Raises `ModelError` that names the graph.
    """
    bert = load_bert(model, stack, load)
    synthesizer = load_synthesizer(model, front_end, stack, bert=bert, load=load)
    return Networks(model=model, front_end=front_end, synthesizer=synthesizer, bert=bert, threads=threads)
