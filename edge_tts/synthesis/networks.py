"""The networks of a model set: those that speak stay loaded, those that encode are loaded on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge_tts import graphs
from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.bert import BertFeatures, load_bert
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.encoder import ShouldStop, load_voice_encoder, no_voices, raise_if_stopped, ssl_features
from edge_tts.synthesis.levels import Stream, VoiceLevels
from edge_tts.synthesis.remote_first import RemoteFirst
from edge_tts.synthesis.synthesizer import Synthesizer, load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import AudioChunk, EncodeRequest, FloatArray, ModelSet, Recording, Voice


@dataclass(frozen=True, kw_only=True)
class OnDemandEncoder:
    """Encodes voices; loads its networks for each, since encoding is rare and they are the larger part of a set."""

    model: ModelSet
    front_end: TextFrontEnd
    bert: BertFeatures | None = None
    """The set's, where it is loaded already."""
    threads: int = 0
    lenders: Callable[[], Sequence[Voice]] = no_voices
    """As of `VoiceEncoder`."""

    def encode(self, request: EncodeRequest, should_stop: ShouldStop = lambda: False) -> Voice:
        """As `VoiceEncoder.encode`; also raises `ModelError`."""

        def load(path: Path) -> Engine:
            raise_if_stopped(should_stop)
            return load_engine(path, threads=self.threads)

        with ExitStack() as stack:
            bert = self.bert or load_bert(self.model, stack, load)
            encoder = load_voice_encoder(self.model, self.front_end, stack, bert=bert, lenders=self.lenders, load=load)
            return encoder.encode(request, should_stop)

    def ssl(self, recordings: Sequence[Recording], should_stop: ShouldStop = lambda: False) -> list[FloatArray]:
        """The `ssl` features of recordings of any length, float32 [frames, width] each. Raises `ModelError`, and
        `VoiceError` when stopped."""
        with ExitStack() as stack:
            loader = GraphLoader(self.model, stack, lambda path: load_engine(path, threads=self.threads))
            engine = loader(graphs.SSL)
            return [ssl_features(engine, recording, should_stop) for recording in recordings]


@dataclass(frozen=True, kw_only=True)
class Networks(OnDemandEncoder):
    """A model set that speaks; it encodes on demand."""

    synthesizer: Synthesizer
    levels: VoiceLevels | None = None
    """None: each voice as loud as it comes."""
    remote: RemoteFirst | None = None
    """Another machine that is asked first."""

    def stream(
        self, request: SpeakRequest, voice: Voice, should_stop: ShouldStop = lambda: False
    ) -> Iterator[AudioChunk]:
        stream: Stream = self.remote or self.synthesizer.stream
        if self.levels is None:
            yield from stream(request, voice, should_stop)
        else:
            gain = self.levels.gain(voice, self.synthesizer.stream, should_stop)
            yield from self.levels.level(stream(request, voice, should_stop), gain)

    def encode(self, request: EncodeRequest, should_stop: ShouldStop = lambda: False) -> Voice:
        """Measures the voice, too, so that its first request does not wait for that."""
        voice = super().encode(request, should_stop)
        if self.levels is not None:
            self.levels.gain(voice, self.synthesizer.stream, should_stop)
        return voice


def load_networks(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    *,
    threads: int = 0,
    load: Callable[[Path], Engine] = load_engine,
    rows: int = 1,
) -> Networks:
    """Load the networks that speak with `load`; `stack` closes them. `threads` bounds the cores of an encoding,
    `rows` how many sequences are decoded side by side.

    Raises `ModelError` that names the graph.
    """
    bert = load_bert(model, stack, load)
    synthesizer = load_synthesizer(model, front_end, stack, bert=bert, load=load, rows=rows)
    return Networks(model=model, front_end=front_end, synthesizer=synthesizer, bert=bert, threads=threads)
