"""How often the check of a consent's words errs: synthetic speakers read the sentence, others, parts of it and more.

The limit is chosen on every second speaker; both errors are those of the others. Speakers are voices of the programs
flite, espeak-ng and text2wave (festival); those that are installed are used. Each reads clean, resampled by 0.87 or
1.15 (another pitch and another throat), and in a computed room with noise 20 dB below.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import numpy as np

from edge_tts.app.voice_services import quality_folder
from edge_tts.audio.features import resample, to_mono
from edge_tts.audio.sound_files import read_any
from edge_tts.config import load_config
from edge_tts.enrolment.consent_check import Statement, hear
from edge_tts.enrolment.prompts import consent
from edge_tts.model_sets.loading import open_model, open_networks
from edge_tts.recordings.quality import QualityGate, load_quality_gate
from edge_tts.recordings.spoken_words import speech_frames, words_score
from edge_tts.synthesis.networks import Networks
from edge_tts.values import FloatArray, Recording
from edge_tts.voices.builtin import BuiltinVoices

RATE = 16000
NAMES = ("Anna", "Robert", "Theodore", "Mary Ann")
TEXTS = {
    "another sentence": (
        "The weather is fine today, and the kettle has boiled. Please close the window.",
        "Tomorrow we will travel to the coast by train. It leaves at noon.",
        "My sister has bought a new bicycle, and she likes it. Her old one was green.",
        "In the evening the cat sleeps on the chair by the fire. Nobody may wake her.",
        "This recipe needs three eggs, some flour and a cup of milk. Stir it slowly.",
        "The museum is closed on Mondays. On other days it opens at ten.",
        "He said that the garden needs rain, but the clouds went past. My name is Anna.",
        "I believe that this machine can play with my children. The game is over.",
    ),
    "a part of it": (
        "I agree that this device may speak.",
        "with my voice. My name is Anna.",
        "My name is Anna.",
        "I agree that this device may speak with my voice.",
        "I agree that this device. My name is Anna.",
    ),
    "it and more": (
        f"Please read this sentence aloud, in your own voice: {consent('en', 'Anna')}",
        f"{consent('en', 'Anna')} And now the news of today, at six o'clock.",
    ),
    "some of its words": (
        "I agree that this meeting may begin without my brother. His name is Anna.",
        "I think this device should stop listening to my voice. My name is Anna.",
    ),
}
ESPEAK = (
    "en-us en-us+f2 en-gb en-gb-scotland+m3 en-gb-x-rp+f4 en-us+klatt2 en-us+m7 en-gb+f5 en-029 en-gb-x-gbclan+annie"
)
SPEAKERS = (
    *(("flite", voice) for voice in ("slt", "rms", "awb", "kal16")),
    *(("text2wave", voice) for voice in ("kal_diphone", "ked_diphone")),
    *(("espeak-ng", voice) for voice in ESPEAK.split()),
)


@dataclass(frozen=True)
class Scored:
    kind: str
    speaker: int
    score: float


def read_aloud(program: str, voice: str, text: str) -> FloatArray:
    """float32 [samples] at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "read.wav"
        command = {
            "flite": [program, "-voice", voice, "-t", text, "-o", str(path)],
            "espeak-ng": [program, "-v", voice, "-s", "150", "-w", str(path), text],
            "text2wave": [program, "-eval", f"(voice_{voice})", "-o", str(path)],
        }[program]
        subprocess.run(command, input=text.encode(), check=True, capture_output=True)
        recording = read_any(path)
    return resample(to_mono(recording.samples), recording.sample_rate, RATE)


def conditions(samples: FloatArray, speaker: int) -> Iterator[FloatArray]:
    yield samples
    yield resample(samples, RATE, round(RATE * (1.15, 0.87)[speaker // 2 % 2]))
    noise, tail = np.random.default_rng(speaker), int(0.3 * RATE)
    echo = noise.normal(size=tail) * np.exp(-6.9 * np.arange(tail) / tail)
    echo[0] = 2 * np.sqrt(np.sum(echo**2))
    room = np.convolve(samples, echo)
    room = 0.5 * room / np.abs(room).max()
    room += noise.normal(size=len(room)) * 0.1 * np.sqrt(np.mean(room**2))
    yield room.astype(np.float32)


class Judge:
    """Scores recordings against the set's readings, which are made once for each name."""

    def __init__(self, networks: Networks, gate: QualityGate) -> None:
        self._networks, self._gate = networks, gate
        builtin = BuiltinVoices(networks.model)
        self._voices = [builtin.load(voice) for voice in builtin.ids()[:2]]
        self._readings: dict[str, list[FloatArray]] = {}

    def score(self, samples: FloatArray, name: str) -> float:
        if name not in self._readings:
            nobody = Recording(np.zeros(RATE, np.float32), RATE)
            heard = hear(Statement(consent("en", name), "en", nobody), self._voices, self._networks, lambda: False)
            self._readings[name] = [self._speech(*one) for one in heard[1:]]
        recording = Recording(samples, RATE)
        [features] = self._networks.ssl([recording])
        return words_score(self._speech(recording, features), self._readings[name])

    def _speech(self, recording: Recording, features: FloatArray) -> FloatArray:
        return speech_frames(features, recording, self._gate.speech(recording))


def scored(judge: Judge) -> Iterator[Scored]:
    for speaker, (program, voice) in enumerate(SPEAKERS):
        if which(program) is None:
            print(f"{program} is not installed; {voice} is left out")
            continue
        read = [("the sentence", name, consent("en", name)) for name in NAMES]
        read += [(kind, "Anna", text) for kind, texts in TEXTS.items() for text in texts]
        for kind, name, text in read:
            for samples in conditions(read_aloud(program, voice, text), speaker):
                yield Scored(kind, speaker, judge.score(samples, name))
        print(f"{program} {voice}", flush=True)


def errors(results: list[Scored], limit: float) -> dict[str, tuple[int, int]]:
    """Kind -> how many were judged wrongly, of how many."""
    kinds = dict.fromkeys(one.kind for one in results)
    wrong = {
        kind: [(one.score > limit) == (kind == "the sentence") for one in results if one.kind == kind] for kind in kinds
    }
    return {kind: (sum(marks), len(marks)) for kind, marks in wrong.items()}


def worst(results: list[Scored], limit: float) -> float:
    """The larger of the two errors; readings that share many words are not counted."""
    counted = errors([one for one in results if one.kind != "some of its words"], limit)
    right, others = counted.pop("the sentence"), list(counted.values())
    return max(right[0] / right[1], sum(wrong for wrong, _ in others) / sum(count for _, count in others))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"))
    config = load_config(parser.parse_args().config)
    model = open_model(config)
    with ExitStack() as stack:
        gate = load_quality_gate(quality_folder(config), stack)
        results = list(scored(Judge(stack.enter_context(open_networks(model, config)), gate)))
    halves = [[one for one in results if one.speaker % 2 == half] for half in (0, 1)]
    best = min((one.score for one in halves[0]), key=lambda limit: worst(halves[0], limit))
    print(f"limit chosen on half of the speakers: {best:.3f}; in use: {model.words_limit}; errors of the other half:")
    for kind, (wrong, count) in errors(halves[1], model.words_limit).items():
        spread = np.percentile([one.score for one in halves[1] if one.kind == kind], [0, 50, 100])
        print(f"{kind:20} {wrong} of {count}   scores {spread[0]:.2f} to {spread[2]:.2f}, half below {spread[1]:.2f}")


if __name__ == "__main__":
    main()
