"""How little the starter clones a real person: the one whose voice names the loudspeakers in Debian's alsa-utils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from edge_tts.synthesis.encoder import VoiceEncoder
from edge_tts.synthesis.synthesizer import Synthesizer
from edge_tts.values import EncodeRequest, Recording, Voice
from tools.judging.recognisers import RATE

from .heard import Errors, compare
from .judges import Judges
from .speech import spoken

FloatArray = npt.NDArray[np.float32]
FOLDER = Path("/usr/share/sounds/alsa")
PROMPT, REST = ("Front_Left", "Front_Center", "Front_Right"), ("Rear_Left", "Rear_Right", "Side_Left", "Side_Right")
TRANSCRIPT = "Front left, front center, front right."


def recording(names: Sequence[str]) -> FloatArray:
    """Some of the person's words one after the other, 16 kHz."""
    parts = []
    for name in names:
        samples, rate = soundfile.read(FOLDER / f"{name}.wav", dtype="float32", always_2d=True)
        parts.append(soxr.resample(samples.mean(1), rate, RATE))
    joined: FloatArray = np.concatenate(parts).astype(np.float32)
    return joined


def figures(
    synthesizer: Synthesizer,
    encoder: VoiceEncoder,
    judges: Judges,
    builtin: Voice,
    sentences: Sequence[str],
) -> dict[str, float]:
    """Likeness and word errors with the person's timbre on the built-in prompt, and with the person's own prompt.

    Nothing where the recordings are not installed."""
    if not all((FOLDER / f"{name}.wav").exists() for name in (*PROMPT, *REST)):
        return {}
    recordings = [Recording(recording(PROMPT), RATE)]
    person = encoder.encode(EncodeRequest("person", "person", "en", TRANSCRIPT, recordings))
    timbre = replace(builtin, id="timbre", conditioning=person.conditioning)
    truth = judges.identity.embed(recording(REST))
    found: dict[str, float] = {"person_similarity_to_self": float(truth @ judges.identity.embed(recording(PROMPT)))}
    for name, voice in (("person_builtin_prompt", timbre), ("person_own_prompt", person), ("person_floor", builtin)):
        waves = [
            soxr.resample(spoken(synthesizer, voice, text), synthesizer.model.sample_rate, RATE) for text in sentences
        ]
        found[f"{name}_similarity"] = float(truth @ judges.identity.embed(np.concatenate(waves)))
        pairs = zip(sentences, waves, strict=True)
        errors = (compare("en", text, judges.recognisers["en"].hear(wave))["word"] for text, wave in pairs)
        found[f"{name}_wer"] = sum(errors, Errors()).share
    return found
