"""The rest of the evaluation: tokens -> speech, distinct voices, opinion scores, cloning of unseen speakers."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from edge_tts.engine.contract import Engine
from edge_tts.engine.load import load_engine
from edge_tts.recordings.dnsmos import MosEstimator
from edge_tts.recordings.speaker_embedding import SpeakerEmbedder
from edge_tts.synthesis.encoder import VoiceEncoder, load_voice_encoder
from edge_tts.synthesis.sovits import NoiseField, Sovits
from edge_tts.synthesis.synthesizer import Synthesizer, load_synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import EncodeRequest, ModelSet, Recording, Voice
from edge_tts.voices.builtin import BuiltinVoices
from tools.judging.recognisers import RATE, Pocketsphinx
from tools.plain_decode import plain_decode

from . import data, person
from .clips import Clips
from .edits import distance, words
from .speech import spoken

FloatArray = npt.NDArray[np.float32]
SPEAKERS, UNSEEN = 124, 8
"""Stage `data` makes so many speakers and trains on all but the last eight."""
ENROLMENT = "My sister bought seven green apples at the market, and the old farmer gave her two more."
SOME = 10
"""Sentences for the figures that need no more."""


def tokens_to_speech(model: ModelSet, sentences: Sequence[str], originals: Sequence[FloatArray]) -> float:
    """Word error rate of the teacher's own tokens through the decoder, in the default voice."""
    listener, front_end = Pocketsphinx(), TextFrontEnd()
    voice = BuiltinVoices(model).load(model.default_voice or model.voices[0])
    errors = count = 0
    with ExitStack() as stack:
        names = ("ssl", "quantizer", "encoder", "flow", "wave")
        engines = {name: load_engine(model.graph(name), threads=1) for name in names}
        for engine in engines.values():
            stack.callback(engine.close)
        parts = {name: engines[name] for name in ("encoder", "flow", "wave")}
        sovits = Sovits(**parts, sizes=model.sizes)
        for text, wave in zip(sentences, originals, strict=True):
            features = engines["ssl"].run({"wave": wave[None]})["ssl"]
            codes = engines["quantizer"].run({"ssl": features})["codes"][0]
            phonemes = np.concatenate([s.phoneme_ids for s in front_end.segments(text, "en", split="cut0")])
            noise = NoiseField(seed=1, width=model.sizes.latent_width).frames(0, 2 * len(codes))
            content = sovits.encode(codes, phonemes, voice.conditioning)
            sound, _ = plain_decode(sovits, content, voice.conditioning, noise=noise)
            heard = words(listener.hear(soxr.resample(sound, model.sample_rate, RATE)))
            errors, count = errors + distance(words(text), heard), count + len(words(text))
    return errors / count


def embedded(identity: SpeakerEmbedder, waves: Sequence[FloatArray], rate: int) -> FloatArray:
    """One unit vector for all recordings together."""
    return identity.embed(soxr.resample(np.concatenate(waves), rate, RATE))


def unseen_speakers(folder: Path, text: str, seed: int = 1) -> list[FloatArray]:
    """The held-out warped speakers of stage `data` say something, 16 kHz."""
    crowd = data.speakers(SPEAKERS, random.Random(seed))[-UNSEEN:]
    jobs = [(number, speaker, text) for number, speaker in enumerate(crowd)]
    data.read_aloud(data.compile_teacher(folder), jobs, folder / "unseen")
    clips = Clips.read(folder / "unseen")
    return [clips.wave(index) for index in range(len(clips.clips))]


def figures(
    model: ModelSet, sentences: Sequence[str], originals: Sequence[FloatArray], quality: Path
) -> dict[str, float]:
    """Every other figure; `quality` is the folder of the listening networks."""
    some = list(sentences[:SOME])
    with ExitStack() as stack:

        def judge(name: str) -> Engine:
            engine = load_engine(quality / f"{name}.onnx", threads=1)
            stack.callback(engine.close)
            return engine

        identity = SpeakerEmbedder(engine=judge("speaker"))
        estimator = MosEstimator(p835=judge("dnsmos"), p808=judge("dnsmos_p808"))
        load = partial(load_engine, threads=1)
        synthesizer = load_synthesizer(model, TextFrontEnd(), stack, load=load)
        encoder = load_voice_encoder(model, TextFrontEnd(), stack, load=load)
        voices = [BuiltinVoices(model).load(name) for name in model.voices]
        prompt = next(voice for voice in voices if voice.id == model.default_voice)
        found = {"tokens_wer": tokens_to_speech(model, sentences, originals)}
        for name, waves in (
            ("", [soxr.resample(spoken(synthesizer, prompt, text), model.sample_rate, RATE) for text in some]),
            ("_teacher", originals[:SOME]),
        ):
            scores = [estimator.opinion(wave) for wave in waves]
            found[f"dnsmos_overall{name}"] = float(np.mean([score.overall for score in scores]))
            found[f"dnsmos_signal{name}"] = float(np.mean([score.signal for score in scores]))
            found[f"dnsmos_p808{name}"] = float(np.mean([score.p808 for score in scores]))
        own = said(synthesizer, identity, voices, some)
        found["voices_most_alike"] = float((own @ own.T)[np.triu_indices(len(own), 1)].max())
        found |= clones(synthesizer, encoder, identity, prompt, some[:3])
        found |= person.figures(synthesizer, encoder, identity, prompt, some)
    return found


def said(
    synthesizer: Synthesizer, identity: SpeakerEmbedder, voices: Sequence[Voice], sentences: Sequence[str]
) -> FloatArray:
    """How each voice sounds to the identity network, unit vectors [voices, 256]."""
    rate = synthesizer.model.sample_rate
    return np.stack(
        [embedded(identity, [spoken(synthesizer, voice, text) for text in sentences], rate) for voice in voices]
    )


def clones(
    synthesizer: Synthesizer,
    encoder: VoiceEncoder,
    identity: SpeakerEmbedder,
    prompt: Voice,
    sentences: Sequence[str],
) -> dict[str, float]:
    """Unseen synthetic speakers, enrolled as the product does it: their timbre on the built-in prompt."""
    with tempfile.TemporaryDirectory() as scratch:
        targets = unseen_speakers(Path(scratch), ENROLMENT)
    voices = []
    for number, wave in enumerate(targets):
        recordings = [Recording(wave, RATE)]
        voice = encoder.encode(EncodeRequest(f"unseen{number}", "unseen", "en", ENROLMENT, recordings))
        voices.append(replace(prompt, id=voice.id, conditioning=voice.conditioning))
    wanted = np.stack([identity.embed(wave) for wave in targets])
    likeness = said(synthesizer, identity, voices, sentences) @ wanted.T
    return {
        "clone_similarity": float(np.diag(likeness).mean()),
        "clone_similarity_to_others": float(likeness[~np.eye(len(likeness), dtype=bool)].mean()),
        "clone_identified": float((likeness.argmax(1) == np.arange(len(likeness))).mean()),
    }
