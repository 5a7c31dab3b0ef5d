"""Other sound is down while we speak, whatever the command does, and up again afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import RATE, FakeClock, FakeLoudspeaker, Notes, until
from rig import make_runtime, sentence

from edge_tts.config import DuckingConfig
from edge_tts.speaking.ducking import Ducking
from edge_tts.speaking.job import Job
from edge_tts.speaking.player import Player
from edge_tts.values import AudioChunk


class Room:
    """A player beside other sound; what happens is in `log`."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.log: list[str] = []
        self.clock, self.speaker = FakeClock(), FakeLoudspeaker()
        runtime = make_runtime(Notes(), clock=self.clock)
        self.ducking = Ducking(
            runtime=runtime,
            config=DuckingConfig(topic="music/duck", **config),
            mark=folder / "ducked",
            publish=lambda topic, payload: self.log.append(payload),
        )
        self.player = Player(runtime=runtime, open_loudspeaker=self._open, ducking=self.ducking)

    def _open(self, rate: int) -> FakeLoudspeaker:
        self.log.append("sound")
        return self.speaker

    def say(self) -> Job:
        job = Job(sentence("job"), sink=self.player)
        self.player.play(job, AudioChunk(np.full(RATE // 10, 0.5, np.float32), RATE, "job", last=True), lambda: None)
        self.player.finish(job, lambda: None)
        return job


def script(folder: Path, line: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import pathlib, time; f = pathlib.Path({str(folder / 'log')!r}); {line}")


def test_other_sound_is_down_before_we_speak_and_up_after_a_pause(tmp_path: Path) -> None:
    """The topic is told before the loudspeaker opens; requests in a row are one; it is up again once nobody speaks."""
    room = Room(tmp_path)
    with room.ducking, room.player:
        room.say()
        room.say()
        assert room.log == ["ON", "sound"]
        room.clock.now += 2
        until(lambda: room.log == ["ON", "sound", "OFF"])
        assert len(room.speaker.heard) == 2 * (RATE // 10)


def test_commands_run_before_and_after(tmp_path: Path) -> None:
    """Each runs once, the first to its end before the first sound."""
    before = script(tmp_path, "f.write_text('down')")
    after = script(tmp_path, "f.write_text(f.read_text() + ' up')")
    room, log = Room(tmp_path, before=before, after=after, limit_s=10.0), tmp_path / "log"
    with room.ducking, room.player:
        room.say()
        assert log.read_text(encoding="ascii") == "down"
    assert log.read_text(encoding="ascii") == "down up"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda folder: script(folder, "time.sleep(600)"), "took longer than"),
        (lambda folder: ("/nowhere/mpc", "pause"), "cannot be run"),
        (lambda folder: script(folder, "raise SystemExit(3)"), "status 3"),
    ],
)
def test_a_command_that_fails_costs_only_itself(
    tmp_path: Path, make: Callable[[Path], tuple[str, ...]], why: str
) -> None:
    """One that hangs, is not there or fails is told in the state, and the request is spoken."""
    room = Room(tmp_path, before=make(tmp_path), limit_s=0.3)
    with room.ducking, room.player:
        assert room.say().stop_reason() is None
        health = room.player.runtime.events.state.health
        until(lambda: health["ducking"].status == "failing" or room.player.runtime.events.state.health["ducking"].why)
        assert why in str(room.player.runtime.events.state.health["ducking"].why)
    assert len(room.speaker.heard) == RATE // 10
    assert room.log[-1] == "OFF"


def test_what_a_crash_left_down_is_turned_up_at_the_next_start(tmp_path: Path) -> None:
    """The mark in the state folder stands while other sound is down, and is taken up by the next process."""
    first = Room(tmp_path)
    with first.ducking:
        first.ducking.begin(lambda: None)
        assert (tmp_path / "ducked").exists()
        second = Room(tmp_path)
        with second.ducking:
            until(lambda: second.log == ["OFF"])
            until(lambda: not (tmp_path / "ducked").exists())
