"""The lead-in as it is heard: the real player on PortAudio and a PulseAudio of our own, recorded at its null sink."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from audio_server import RATE, AudioServer
from same_sound import holes

from edge_tts.values import FloatArray

LEAD_IN_S = 1.5
SPEECH_S = 0.4
TICK_S = 0.1
EDGE_S = 0.005
"""In which a sine that begins is loud, and one that ends is not."""

PLAY = """
import subprocess, sys
import numpy as np
from fakes import FakeClock
from rig import make_runtime, sentence
from edge_tts.audio.devices import PortAudioLoudspeaker
from edge_tts.config import AudioConfig
from edge_tts.speaking.job import Job
from edge_tts.speaking.player import Player
from edge_tts.values import AudioChunk

RATE, folder = 32000, sys.argv[1]
sine = np.sin(2 * np.pi * 440 * np.arange(int({speech_s} * RATE)) / RATE, dtype=np.float32)
clock = FakeClock()
player = Player(
    runtime=make_runtime(clock=clock),
    open_loudspeaker=lambda rate: PortAudioLoudspeaker(sample_rate=rate, device="loudspeaker"),
    audio=AudioConfig(lead_in_ms=1000 * {lead_in_s}),
)

def tick():
    subprocess.run(["pacat", "--playback", "--device=loudspeaker", "--format=float32le", "--channels=1",
                    "--rate=48000", "--raw", folder + "/tick.f32"], check=True)

def say(name, level):
    job = Job(sentence(name), sink=player)
    player.play(job, AudioChunk(np.float32(level) * sine, RATE, name, last=True), lambda: None)
    player.finish(job, lambda: None)

(np.zeros(int({tick_s} * 48000), "<f4") + 0.25).tofile(folder + "/tick.f32")
with player:
    tick()
    say("first", 0.5)
    say("second", 0.9)
    clock.now += 60
    tick()
    say("third", 0.5)
"""


def test_the_first_syllable_comes_after_the_lead_in_and_only_after_a_pause(tmp_path: Path) -> None:
    """A tick, then the lead-in's silence, then all of the first sound; the second follows without; after a pause the
    same again."""
    script = PLAY.format(speech_s=SPEECH_S, lead_in_s=LEAD_IN_S, tick_s=TICK_S)
    with AudioServer(tmp_path) as server, server.hearing() as hearing:
        tests = str(Path(__file__).resolve().parents[1])
        environment = {**server.environment, "PYTHONPATH": ":".join([*sys.path, tests])}
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=True, timeout=120)
    heard = np.abs(hearing.heard)
    first, second = np.argmax(heard > 0.3), np.argmax(heard > 0.6)
    over = len(heard) - np.argmax(heard[::-1] > 0.6) + int(EDGE_S * RATE)
    third = over + np.argmax(heard[over:] > 0.3)
    silences = [silence_before(int(begin), heard) for begin in (first, second, third)]
    print(f"lead-in {LEAD_IN_S:g} s; silence before first, second, third: {silences} s")
    assert silences[0] >= LEAD_IN_S
    assert silences[1] < LEAD_IN_S
    assert silences[2] >= LEAD_IN_S


def silence_before(begin: int, heard: FloatArray) -> float:
    """Seconds; 0 where sound goes on."""
    gaps = [(start, end) for start, end in holes(heard, RATE) if end <= begin < end + EDGE_S * RATE]
    return round(max((end - start) / RATE for start, end in gaps), 3) if gaps else 0.0
