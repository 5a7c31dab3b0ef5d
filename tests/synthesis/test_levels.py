"""One loudness for all voices: measured once, kept, and never at the price of clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fakes import silent_voice
from rig import sentence
from toy_model_sets import write_model_set

from edge_tts.audio.loudness import loudness
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.levels import VoiceLevels
from edge_tts.values import AudioChunk, FloatArray, ModelSet, Voice

TARGET = -20.0


@pytest.fixture
def model(tmp_path: Path) -> ModelSet:
    return read_model_set(write_model_set(tmp_path / "models" / "toy", voices=("hum",)))


class Speaks:
    """Each voice hums as loud as its conditioning says, in pieces."""

    def __init__(self, rate: int) -> None:
        self.asked: list[str] = []
        self._rate = rate

    def __call__(
        self, request: SpeakRequest, voice: Voice, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[AudioChunk]:
        self.asked.append(request.id)
        times = np.arange(2 * self._rate) / self._rate
        sound = (float(voice.conditioning.max()) * np.sin(2 * np.pi * 400 * times)).astype(np.float32)
        for number, part in enumerate(np.array_split(sound, 5)):
            yield AudioChunk(part, self._rate, request.id, last=number == 4)


def voice_of(level: float) -> Voice:
    return replace(silent_voice(f"v{level}"), language="en", conditioning=np.full((1, 8, 1), level, np.float32))


def spoken(levels: VoiceLevels, voice: Voice, stream: Speaks) -> FloatArray:
    gain = levels.gain(voice, stream, lambda: False)
    chunks = levels.level(stream(sentence("job"), voice), gain)
    return np.concatenate([chunk.samples for chunk in chunks])


def test_loud_and_quiet_voices_are_heard_at_one_level(tmp_path: Path, model: ModelSet) -> None:
    """Voices that differ by 18 dB come out at the target, whole."""
    levels, stream = VoiceLevels(model=model, target=TARGET, file=tmp_path / "l.json"), Speaks(model.sample_rate)
    for level in (0.05, 0.1, 0.4):
        heard = spoken(levels, voice_of(level), stream)
        assert loudness(heard, model.sample_rate) == pytest.approx(TARGET, abs=0.3)
        assert len(heard) == 2 * model.sample_rate


def test_a_voice_is_measured_once_also_over_a_restart(tmp_path: Path, model: ModelSet) -> None:
    """One measurement a voice, and none by the next process."""
    stream, file = Speaks(model.sample_rate), tmp_path / "new" / "l.json"
    for _ in range(2):
        levels = VoiceLevels(model=model, target=TARGET, file=file)
        for _ in range(2):
            spoken(levels, voice_of(0.1), stream)
    assert stream.asked.count("loudness") == 1


def test_other_networks_are_measured_anew(tmp_path: Path, model: ModelSet) -> None:
    """The figure of one model set is not used for another."""
    stream, file = Speaks(model.sample_rate), tmp_path / "l.json"
    for one in (model, replace(model, files={**model.files, "wave.onnx": "0" * 64})):
        spoken(VoiceLevels(model=one, target=TARGET, file=file), voice_of(0.1), stream)
    assert stream.asked.count("loudness") == 2


@pytest.mark.parametrize("content", [b"", b"{", b'{"lufs": {"a": "b"}}', b"\xff\x00"])
def test_a_damaged_file_is_measured_again(tmp_path: Path, model: ModelSet, content: bytes) -> None:
    """What cannot be read is as if it were not there, and is replaced."""
    file, stream = tmp_path / "l.json", Speaks(model.sample_rate)
    file.write_bytes(content)
    spoken(VoiceLevels(model=model, target=TARGET, file=file), voice_of(0.1), stream)
    spoken(VoiceLevels(model=model, target=TARGET, file=file), voice_of(0.1), stream)
    assert stream.asked.count("loudness") == 1


def test_a_measurement_that_was_stopped_is_not_kept(tmp_path: Path, model: ModelSet) -> None:
    """A request that is stopped while its voice is measured leaves no figure behind."""
    stream, levels = Speaks(model.sample_rate), VoiceLevels(model=model, target=TARGET, file=tmp_path / "l.json")
    assert levels.gain(voice_of(0.1), stream, lambda: True) == 1.0
    assert levels.gain(voice_of(0.1), stream, lambda: False) != 1.0
    assert stream.asked.count("loudness") == 2


def test_a_disk_that_cannot_be_written_costs_only_the_memory(tmp_path: Path, model: ModelSet) -> None:
    """Where the file cannot be kept the voice still speaks at the target."""
    (tmp_path / "file").write_text("x", encoding="ascii")
    levels = VoiceLevels(model=model, target=TARGET, file=tmp_path / "file" / "l.json")
    heard = spoken(levels, voice_of(0.1), Speaks(model.sample_rate))
    assert loudness(heard, model.sample_rate) == pytest.approx(TARGET, abs=0.3)
