"""Figures that only a teacher gives: its own under the same judges, its tokens through the decoder, its crowd enrolled.

English: the sentences that every teacher reads."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import numpy as np

from edge_tts.audio.features import resample
from edge_tts.engine.load import load_engine
from edge_tts.synthesis.encoder import load_voice_encoder
from edge_tts.synthesis.sovits import NoiseField, Sovits
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import EncodeRequest, FloatArray, ModelSet, Recording, Voice
from tools.judging.recognisers import RATE
from tools.plain_decode import plain_decode

from .further import SOME, said
from .heard import Errors, compare
from .judges import Judges
from .teachers.teacher import Job, Teacher

CROWD = 8
SEED = 1000003
"""No training run draws its crowd from this one."""
ENROLMENT = "My sister bought seven green apples at the market, and the old farmer gave her two more."


def read_aloud(teacher: Teacher, texts: Sequence[str], speakers: Sequence[str]) -> list[FloatArray]:
    """Each text by the speaker beside it, 16 kHz."""
    jobs = [Job(text, "en", speaker) for text, speaker in zip(texts, speakers, strict=True)]
    said = (utterance for utterance in teacher.say(jobs) if utterance is not None)
    return [resample(utterance.trimmed(teacher.rate).wave, teacher.rate, RATE) for utterance in said]


def figures(
    synthesizer: Synthesizer, default: Voice, sentences: Sequence[str], judges: Judges, teacher: Teacher
) -> dict[str, float]:
    """See the module."""
    originals = read_aloud(teacher, sentences, [teacher.voices[0]] * len(sentences))
    errors = [
        compare("en", text, judges.recognisers["en"].hear(wave))["word"]
        for text, wave in zip(sentences, originals, strict=True)
    ]
    opinions = [judges.estimator.opinion(wave) for wave in originals[:SOME]]
    return {
        "wer_teacher": sum(errors, Errors()).share,
        "dnsmos_overall_teacher": float(np.mean([opinion.overall for opinion in opinions])),
        "dnsmos_p808_teacher": float(np.mean([opinion.p808 for opinion in opinions])),
        "tokens_wer": tokens_to_speech(synthesizer.model, default, sentences, originals, judges),
        **clones(synthesizer, default, sentences[:3], judges, teacher),
    }


def tokens_to_speech(
    model: ModelSet, voice: Voice, sentences: Sequence[str], originals: Sequence[FloatArray], judges: Judges
) -> float:
    """Word error rate of the teacher's own tokens through the decoder."""
    front_end, errors = TextFrontEnd(), Errors()
    with ExitStack() as stack:
        names = ("ssl", "quantizer", "encoder", "flow", "wave")
        engines = {name: load_engine(model.graph(name), threads=1) for name in names}
        for engine in engines.values():
            stack.callback(engine.close)
        sovits = Sovits(**{name: engines[name] for name in ("encoder", "flow", "wave")}, sizes=model.sizes)
        for text, wave in zip(sentences, originals, strict=True):
            features = engines["ssl"].run({"wave": wave[None]})["ssl"]
            codes = engines["quantizer"].run({"ssl": features})["codes"][0]
            phonemes = np.concatenate([s.phoneme_ids for s in front_end.segments(text, "en", split="cut0")])
            noise = NoiseField(seed=1, width=model.sizes.latent_width).frames(0, 2 * len(codes))
            content = sovits.encode(codes, phonemes, voice.conditioning)
            sound, _ = plain_decode(sovits, content, voice.conditioning, noise=noise)
            heard = judges.recognisers["en"].hear(resample(sound, model.sample_rate, RATE))
            errors += compare("en", text, heard)["word"]
    return errors.share


def clones(
    synthesizer: Synthesizer, default: Voice, sentences: Sequence[str], judges: Judges, teacher: Teacher
) -> dict[str, float]:
    """Unheard speakers of the teacher, enrolled as the product does it: their timbre on the built-in prompt."""
    rng = random.Random(SEED)
    targets = read_aloud(teacher, [ENROLMENT] * CROWD, [teacher.crowd(rng) for _ in range(CROWD)])
    voices = []
    with ExitStack() as stack:
        encoder = load_voice_encoder(synthesizer.model, TextFrontEnd(), stack, load=partial(load_engine, threads=1))
        for number, wave in enumerate(targets):
            request = EncodeRequest(f"unheard{number}", "unheard", "en", ENROLMENT, [Recording(wave, RATE)])
            conditioning = encoder.encode(request).conditioning
            voices.append(replace(default, id=request.id, conditioning=conditioning))
    wanted = np.stack([judges.identity.embed(wave) for wave in targets])
    likeness = said(synthesizer, judges.identity, voices, sentences) @ wanted.T
    return {
        "clone_similarity": float(np.diag(likeness).mean()),
        "clone_similarity_to_others": float(likeness[~np.eye(len(likeness), dtype=bool)].mean()),
        "clone_identified": float((likeness.argmax(1) == np.arange(len(likeness))).mean()),
    }
