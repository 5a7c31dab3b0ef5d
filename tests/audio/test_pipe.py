"""The pipe as a loudspeaker: what its reader gets, and a reader that is absent, late, slow or gone."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path

import numpy as np
import pytest
from fakes import RATE, WAIT_S, Notes, until
from rig import make_runtime, sentence

from edge_tts.app.appliance import loudspeaker_for
from edge_tts.audio import pipe
from edge_tts.audio.pipe import PipeLoudspeaker
from edge_tts.config import AudioConfig
from edge_tts.errors import AudioError
from edge_tts.speaking.job import Job
from edge_tts.speaking.player import Player
from edge_tts.values import AudioChunk


class Reader:
    """A program at the other end of the FIFO."""

    def __init__(self, path: Path) -> None:
        self.end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(self.end, True)
        self.data = b""
        self._thread = threading.Thread(target=self._read)

    def start(self) -> None:
        self._thread.start()

    def _read(self) -> None:
        select.select((self.end,), (), ())  # until somebody writes, a read would be the end
        while piece := os.read(self.end, 4096):
            self.data += piece

    def wait(self) -> bytes:
        self._thread.join(WAIT_S)
        return self.data


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "sound.pcm"
    os.mkfifo(path)
    return path


def test_a_reader_gets_every_sample_as_16_bit_pcm(fifo: Path) -> None:
    """What is written arrives whole and unchanged; the end of the loudspeaker is the end of the stream."""
    reader = Reader(fifo)
    speaker = PipeLoudspeaker(path=fifo, sample_rate=48000, pipe_rate=48000)
    reader.start()
    sound = np.linspace(-1, 1, 20000, dtype=np.float32)
    speaker.write(sound)
    speaker.drain()
    speaker.close()
    np.testing.assert_array_equal(np.frombuffer(reader.wait(), "<i2"), np.round(sound * 32767).astype(np.int16))


def test_the_stream_has_one_rate_whatever_the_voice_has(fifo: Path) -> None:
    """Sound of another rate is resampled to `pipe_rate`, to its last sample."""
    reader = Reader(fifo)
    speaker = PipeLoudspeaker(path=fifo, sample_rate=RATE, pipe_rate=48000)
    reader.start()
    for part in np.array_split(np.full(RATE // 4, 0.5, np.float32), 5):
        speaker.write(part)
    speaker.drain()
    speaker.close()
    assert abs(len(reader.wait()) // 2 - 12000) <= 6


def test_a_pipe_that_nobody_reads_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The FIFO is made, and opening it fails by name."""
    monkeypatch.setattr(pipe, "READER_S", 0.05)
    path = tmp_path / "new" / "sound.pcm"
    with pytest.raises(AudioError, match="no program reads this pipe"):
        PipeLoudspeaker(path=path, sample_rate=RATE, pipe_rate=RATE)
    assert path.is_fifo()


def test_a_reader_that_only_looks_in_now_and_then_is_waited_for(fifo: Path) -> None:
    """A program that leaves a pipe that has no writer, as Snapcast does, meets one and gets the sound."""
    opened: list[PipeLoudspeaker] = []
    opening = threading.Thread(
        target=lambda: opened.append(PipeLoudspeaker(path=fifo, sample_rate=48000, pipe_rate=48000))
    )
    opening.start()
    while True:
        end = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if os.read(end, 1) == b"":  # no writer
                os.close(end)
                continue
        except BlockingIOError:
            break
    opening.join(WAIT_S)
    opened[0].write(np.full(100, 0.5, np.float32))
    assert len(os.read(end, 4096)) == 200
    opened[0].close()
    os.close(end)


def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    """What is no pipe is refused and not written to."""
    path = tmp_path / "notes.txt"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(AudioError, match="is no pipe"):
        PipeLoudspeaker(path=path, sample_rate=RATE, pipe_rate=RATE)
    assert path.read_text(encoding="utf-8") == "precious"


def test_a_reader_that_takes_nothing_is_given_up(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full pipe that stays full ends the write with an error that says so."""
    monkeypatch.setattr(pipe, "PATIENCE_S", 0.05)
    reader = Reader(fifo)
    speaker = PipeLoudspeaker(path=fifo, sample_rate=48000, pipe_rate=48000)
    with pytest.raises(AudioError, match="has taken nothing"):
        speaker.write(np.zeros(48000, np.float32))
    speaker.close()
    os.close(reader.end)


def test_a_reader_that_dies_costs_one_request_and_the_next_is_heard(fifo: Path) -> None:
    """The job in service fails by name, the state says so, and a new reader hears the next job."""
    notes = Notes()
    audio = AudioConfig(output="pipe", pipe=fifo, pipe_rate=RATE)
    player = Player(runtime=make_runtime(notes), open_loudspeaker=loudspeaker_for(audio), audio=audio)

    def say(name: str) -> Job:
        job = Job(sentence(name), sink=player)
        player.play(job, AudioChunk(np.full(RATE // 2, 0.5, np.float32), RATE, name, last=True), lambda: None)
        return job

    with player:
        first = Reader(fifo)
        lost = say("lost")
        until(lambda: any(report.stage == "first_audio" for report in notes.reports))
        os.close(first.end)
        player.finish(lost, lambda: None)
        outcome = lost.stop_reason()
        assert outcome is not None
        assert "has ended" in outcome.details["message"]
        assert player.runtime.events.state.health["loudspeaker"].status == "failing"
        second = Reader(fifo)
        second.start()
        heard = say("heard")
        player.finish(heard, lambda: None)
        assert heard.stop_reason() is None
        assert player.runtime.events.state.health["loudspeaker"].status == "ok"
        player.release_device()
        assert len(second.wait()) == RATE


def test_a_device_that_only_renders_refuses_to_play() -> None:
    """With `audio.output: none` a job for the loudspeaker fails and says where sound is to be had."""
    player = Player(
        runtime=make_runtime(Notes()),
        open_loudspeaker=loudspeaker_for(AudioConfig()),
        audio=AudioConfig(output="none"),
    )
    with player:
        job = Job(sentence("job"), sink=player)
        player.play(job, AudioChunk(np.ones(8, np.float32), RATE, "job", last=True), lambda: None)
        assert player.finish(job, lambda: None) == 0
    outcome = job.stop_reason()
    assert outcome is not None
    assert "plays nothing" in outcome.details["message"]
    assert "loudspeaker" not in player.runtime.events.state.health
