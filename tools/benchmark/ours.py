"""Our own contender: a model set in one flavour, loaded as the daemon loads it.

Every contender speaks the same phonemes in the same number of tokens. So the GPT computes its logits and the sampler
draws from them as ever, but a script has been added to the logits that decides what is drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_tts import __version__, graphs
from edge_tts.config import EngineConfig
from edge_tts.engine.contract import Engine
from edge_tts.model_sets.activation import PHRASES, neutral_voice, open_loader
from edge_tts.model_sets.flavour import optimized
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.batch import generate
from edge_tts.synthesis.bert import load_bert
from edge_tts.synthesis.checked import GraphLoader
from edge_tts.synthesis.interfaces import Decoder, Prompt
from edge_tts.synthesis.sovits import NOISE_SCALE, NoiseField, Sovits, open_encoder
from edge_tts.synthesis.stream import SegmentStream
from edge_tts.synthesis.synthesizer import Synthesizer, encoder_of, gpt_of, wave_of
from edge_tts.synthesis.t2s_fused import make_decoder
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import FloatArray, IntArray, ModelSet, Sampling, Segment, Voice
from tools.judging.compare import log_spectral_distance
from tools.plain_decode import plain_decode

from .peers.serving import (
    PROMPT_PHONEMES,
    PROMPT_TOKENS,
    CannotError,
    Contender,
    Watch,
    phoneme_ids,
    sentences,
    serve,
    speak_whole,
    token_ids,
)

_STEPS = 40
"""Of rows side by side, and for comparing flavours."""
_FIRST_PIECE, _LATER_PIECES = 16, 40


class ScriptedDecoder:
    """A `Decoder` whose logits favour given tokens and then the end, and cost what they cost."""

    def __init__(self, decoder: Decoder, end: int) -> None:
        self._decoder, self._end = decoder, end
        self.lengths: list[int] = []
        """Tokens of the sequences that will be started, in that order."""
        self._rows: dict[int, list[int]] = {}

    @property
    def batch(self) -> int:
        return self._decoder.batch

    def room(self, row: int) -> int:
        return self._decoder.room(row)

    def start(self, row: int, prompt: Prompt) -> FloatArray:
        self._rows[row] = [*token_ids(self.lengths.pop(0)), self._end]
        return self._favoured(row, self._decoder.start(row, prompt))

    def step(self, tokens: IntArray) -> FloatArray:
        logits = self._decoder.step(tokens)
        for row in self._rows:
            logits[row] = self._favoured(row, logits[row])
        return logits

    def move(self, row: int, to: int) -> None:
        self._rows[to] = self._rows.pop(row)
        self._decoder.move(row, to)

    def release(self, row: int) -> None:
        self._rows.pop(row, None)
        self._decoder.release(row)

    def _favoured(self, row: int, logits: FloatArray) -> FloatArray:
        script = self._rows[row]
        favoured = logits.copy()
        favoured[script.pop(0) if script else self._end] += np.float32(1e4)
        return favoured


_TURNS = itertools.count()


class GivenPhonemes(TextFrontEnd):
    """A front end that reads the sentences of a text of `seconds`, whatever it is given."""

    seconds: float = 0.0

    def read_by(self, reader: object) -> GivenPhonemes:
        return self

    def segments(
        self,
        text: str,
        language: str = "auto",
        *,
        split: str = "auto",
        ssml: bool = False,
        join: bool = True,
        ruled: bool = False,
    ) -> list[Segment]:
        counts = [phonemes for phonemes, _ in sentences(self.seconds)]
        return [Segment(text="", runs=(), phoneme_ids=_unread(np.array(phoneme_ids(count)))) for count in counts]


class Ours(Contender):
    """The stages, and requests of given phonemes."""

    def __init__(self, model: ModelSet, engines: dict[str, Engine], bert: Any) -> None:
        self._model, self._engines, self._bert = model, engines, bert
        self._voice = _voice(model)
        decoder = make_decoder(engines, model.sizes.limits, EngineConfig().rows)
        self._decoder = ScriptedDecoder(decoder, model.sizes.tokens - 1)
        self._vocoder = Sovits(
            encoder=open_encoder(engines), flow=engines[graphs.FLOW], wave=engines[wave_of(model)], sizes=model.sizes
        )
        self._front_end, self._given = TextFrontEnd(), GivenPhonemes()
        self._synthesizer = Synthesizer(
            model=model, front_end=self._given, decoder=self._decoder, vocoder=self._vocoder
        )
        self._language = next((name for name in PHRASES if name in model.languages), "en")
        step = model.graph(graphs.T2S if graphs.T2S in engines else graphs.T2S_STEP)
        self.weight_bytes = sum(path.stat().st_size for path in step.parent.glob(f"{step.name}*"))
        self.about = f"edge-ttsd {__version__}, {model.name}, GPT {'fused' if model.replaced else 'plain'}"

    def text(self) -> dict[str, Any]:
        """Reading a short sentence."""
        with Watch() as watch:
            self._segments(self._language)
        return watch.answer()

    def bert(self) -> dict[str, Any]:
        """The features of a short Chinese sentence."""
        if self._bert is None:
            raise CannotError("the set has no BERT")
        segments = self._segments("zh")
        with Watch() as watch:
            for segment in segments:
                self._bert(segment)
        return watch.answer()

    def prefill(self, seconds: float) -> dict[str, Any]:
        self._decoder.lengths.append(0)
        with Watch() as watch:
            self._decoder.start(0, self._prompt(seconds))
        self._decoder.release(0)
        return watch.answer()

    def tokens(self, seconds: float) -> dict[str, Any]:
        """From the first token to the last, the sampler included."""
        spoken = self._generate(seconds)
        next(spoken)
        with Watch() as watch:
            count = sum(1 for _ in spoken)
        return watch.answer(count=count)

    def latent(self, seconds: float) -> dict[str, Any]:
        codes, phonemes = _utterance(seconds)
        with Watch() as watch:
            self._latent(codes, _unread(phonemes))
        return watch.answer()

    def wave(self, seconds: float) -> dict[str, Any]:
        latent = self._latent(*_utterance(seconds))
        with Watch() as watch:
            self._vocoder.wave(self._voice.conditioning).push(latent, last=True)
        return watch.answer()

    def vocode(self, seconds: float) -> dict[str, Any]:
        codes, phonemes = _utterance(seconds)
        with Watch() as watch:
            self._vocode(codes, _unread(phonemes))
        return watch.answer()

    def speak(self, seconds: float, stream: bool) -> dict[str, Any]:
        """A text of so many seconds, streamed or each sentence whole."""
        if not stream:
            return speak_whole(lambda phonemes, tokens: self._say(phonemes, tokens), seconds)
        self._given.seconds = seconds
        self._decoder.lengths += [tokens for _, tokens in sentences(seconds)]
        request = SpeakRequest(text="given", id="bench", voice=self._voice.id, language=self._language)
        first = None
        with Watch() as watch:
            for chunk in self._synthesizer.stream(request, self._voice):
                first = first or (watch.so_far() if chunk.samples.any() else None)
        self._decoder.lengths.clear()
        return watch.answer(first=first, audio_s=seconds)

    def rows(self, count: int) -> dict[str, Any]:
        """Steps of so many sentences side by side, after the prompt and one second of speech."""
        if graphs.T2S not in self._engines:
            raise CannotError("rows are decoded side by side in the fused flavours")
        decoder = make_decoder(self._engines, self._model.sizes.limits, count)
        for row in range(count):
            decoder.start(row, self._prompt(1.0))
        said = np.array([token_ids(_STEPS)] * count, np.int64).T.copy()
        with Watch() as watch:
            for tokens in said:
                decoder.step(tokens)
        return watch.answer(count=_STEPS * count)

    def distance(self, seconds: float) -> dict[str, Any]:
        """How far streamed sound is from the same tokens vocoded at once."""
        codes, phonemes = _utterance(seconds)
        noise = NoiseField(seed=1, width=self._model.sizes.latent_width)
        stream = SegmentStream(
            vocoder=self._vocoder, phoneme_ids=phonemes, conditioning=self._voice.conditioning, noise=noise
        )
        ends = range(min(_FIRST_PIECE, len(codes)), len(codes), _LATER_PIECES)
        pieces = [stream.render(codes[:end], last=False) for end in ends]
        pieces.append(stream.render(codes, last=True))
        return {"db": log_spectral_distance(self._vocode(codes, phonemes), np.concatenate(pieces))}

    def outputs(self, path: str, seconds: float) -> dict[str, Any]:
        """Write what each stage computes for given inputs, to compare flavours."""
        decoder = make_decoder(self._engines, self._model.sizes.limits)
        codes, phonemes = _utterance(seconds)
        prefill = decoder.start(0, self._prompt(seconds))
        steps = [decoder.step(np.array([token] + [0] * (decoder.batch - 1))) for token in codes[:_STEPS]]
        latent = self._latent(codes, phonemes)
        wave = self._vocoder.wave(self._voice.conditioning).push(latent, last=True)
        np.savez(path, prefill=prefill, step=np.stack(steps)[:, 0], latent=latent, wave=wave)
        return {}

    def _say(self, phonemes: int, tokens: int) -> None:
        self._decoder.lengths.append(tokens)
        prompt = _prompt(self._voice, phonemes)
        codes = np.array(list(generate(self._decoder, prompt, sampling=Sampling(seed=1), limit=tokens)), np.int64)
        self._vocode(codes, _unread(np.array(phoneme_ids(phonemes))))

    def _generate(self, seconds: float) -> Iterator[int]:
        ((phonemes, tokens),) = sentences(seconds)
        self._decoder.lengths.append(tokens)
        return generate(self._decoder, _prompt(self._voice, phonemes), sampling=Sampling(seed=1), limit=tokens)

    def _prompt(self, seconds: float) -> Prompt:
        ((phonemes, _),) = sentences(seconds)
        return _prompt(self._voice, phonemes)

    def _vocode(self, codes: IntArray, phonemes: IntArray) -> FloatArray:
        features = self._vocoder.encode(codes, phonemes, self._voice.conditioning)
        noise = self._noise(features)
        return plain_decode(self._vocoder, features, self._voice.conditioning, noise=noise)[0]

    def _latent(self, codes: IntArray, phonemes: IntArray) -> FloatArray:
        features = self._vocoder.encode(codes, phonemes, self._voice.conditioning)
        return self._vocoder.flow(features, self._voice.conditioning, self._noise(features), NOISE_SCALE).latent

    def _noise(self, features: FloatArray) -> FloatArray:
        return NoiseField(seed=1, width=self._model.sizes.latent_width).frames(0, features.shape[2])

    def _segments(self, language: str) -> list[Segment]:
        return self._front_end.segments(PHRASES[language], language)


def open_ours(job: dict[str, Any]) -> tuple[Contender, Watch]:
    """The set of the job; its flavour is made first, which is not counted as loading."""
    model = replace(read_model_set(Path(job["set"])), eight_bits=True)  # what is measured is what is asked for
    engine = EngineConfig(
        execution="cpu", threads=job["threads"], flavour=job["flavour"], cache_dir=Path(job["work"]) / "engines"
    )
    stack = ExitStack()  # closed with the process
    loader = stack.enter_context(open_loader(engine))
    fast = optimized(model, engine, loader)
    with Watch() as watch:
        load = GraphLoader(fast, stack, loader.load)
        bert = load_bert(fast, stack, loader.load)
        engines = {name: load(name) for name in (*gpt_of(fast), *encoder_of(fast), graphs.FLOW, wave_of(fast))}
        contender = Ours(fast, engines, bert)
    return contender, watch


def _voice(model: ModelSet) -> Voice:
    """A reference as long as every contender's."""
    return replace(
        neutral_voice(model),
        prompt_tokens=np.array(token_ids(PROMPT_TOKENS)),
        prompt_phoneme_ids=np.array(phoneme_ids(PROMPT_PHONEMES)),
        prompt_bert=np.zeros((PROMPT_PHONEMES, model.sizes.bert_width), np.float32),
    )


def _prompt(voice: Voice, phonemes: int) -> Prompt:
    ids = np.concatenate([voice.prompt_phoneme_ids, np.array(phoneme_ids(phonemes), np.int64)])
    bert = np.zeros((len(ids), voice.prompt_bert.shape[1]), np.float32)
    return Prompt(phoneme_ids=ids, bert=bert, tokens=voice.prompt_tokens)


def _unread(phonemes: IntArray) -> IntArray:
    """In another order each time: what was encoded a moment ago would not be encoded again."""
    return np.roll(phonemes, next(_TURNS))


def _utterance(seconds: float) -> tuple[IntArray, IntArray]:
    """Tokens and phonemes of one sentence."""
    ((phonemes, tokens),) = sentences(seconds)
    return np.array(token_ids(tokens), np.int64), np.array(phoneme_ids(phonemes), np.int64)


if __name__ == "__main__":
    serve(open_ours)
