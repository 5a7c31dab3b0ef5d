"""Kill the daemon without warning, again and again, at any moment, and judge by what was heard.

Every life speaks, most also enrol, change the model set or sync with a bucket. In the end everything that was asked for
is closed once, what is reported done is in the WAV files of the lives, and no voice is lost or half there.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
import wave
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import paho.mqtt.client as paho
import yaml

from edge_tts.config import find_config
from edge_tts.enrolment.prompts import consent
from edge_tts.voices.local_voices import open_store
from tools.endurance import house
from tools.endurance.house import Traffic
from tools.environment import ROOT

VOICE, SEED = "irene", 7
SENTENCES = (
    "The kettle has boiled.",
    "Somebody is at the front door.",
    "A window in the kitchen is still open.",
    "The washing machine has finished, and the dryer is free.",
    "It will rain this afternoon, so take a coat.",
    "Dinner is ready in ten minutes.",
)
SPEAKERS = ("slt", "rms", "awb", "kal16")
SETTLE_S, COMMAND_S = 600.0, 300.0


@dataclass
class Verdict:
    """What was seen over all lives. `faults` is empty when nothing was lost, cut or told wrongly."""

    kills: int = 0
    asked: int = 0
    closed: dict[str, int] = field(default_factory=dict)
    twice: int = 0
    """Sentences that were heard in full although their request was spoken in full before."""
    voices: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"{self.kills} kills, {self.asked} requests: {self.closed}; heard twice in full: {self.twice}",
            f"{self.voices} voices enrolled, all whole on two devices" if not self.faults else "FAULTS:",
            *self.faults,
        ]
        return "\n".join(lines)


class Lives:
    """One device that dies and comes back. Owns the folder, the ledger of requests and the WAV of each life."""

    def __init__(self, folder: Path, port: int, *, draw: random.Random, **settings: object) -> None:
        self._folder, self._draw = folder, draw
        self._bucket = folder / "bucket"
        bucket = {"url": str(self._bucket), "interval_s": 1.0}
        self._config = house.furnish(folder, port, bucket=bucket, **settings)
        self._wavs: list[bytes] = []
        self._texts: dict[str, str] = {}
        self._enrolled: list[str] = []
        self._voices_asked: dict[str, str] = {}
        """Request -> the enrolled voice that was to speak it."""
        self.verdict = Verdict()

    def live(self, client: paho.Client, traffic: Traffic) -> None:
        """Start, use and kill; the moment is drawn, also from the start-up."""
        traffic.online = False
        with house.daemon(self._config) as process:
            if self._draw.random() < 0.8:
                house.wait(lambda: traffic.online, SETTLE_S, f"the daemon did not start: {self._folder / 'log'}")
                self._use(client, traffic)
            time.sleep(self._draw.uniform(0.0, 1.5))
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.verdict.kills += 1
        self._keep_wav()

    def introduce(self, client: paho.Client, traffic: Traffic) -> None:
        """A first life in peace: from now on the broker keeps what comes while nobody is there."""
        with house.daemon(self._config):
            house.wait(lambda: traffic.online, SETTLE_S, f"the daemon did not start: {self._folder / 'log'}")
            house.send(client, "volume/set", "100").wait_for_publish(SETTLE_S)

    def settle(self, client: paho.Client, traffic: Traffic) -> None:
        """One life in peace, until every request is closed and every voice has spoken."""
        traffic.online = False
        with house.daemon(self._config):
            house.wait(lambda: traffic.online, SETTLE_S, "the daemon did not start")
            house.wait(lambda: not traffic.open, SETTLE_S, f"never closed: {traffic.open}")
            awaited = set(self._enrolled)
            house.wait(lambda: awaited <= traffic.voices, SETTLE_S, f"not all of {awaited} can speak: {traffic.voices}")
            for name in self._enrolled:
                self._voices_asked[house.say(client, traffic, {"text": "Yes.", "voice": name})] = name
            house.wait(lambda: not traffic.open, SETTLE_S, f"never closed: {traffic.open}")
        self._keep_wav()

    def judge(self, traffic: Traffic) -> Verdict:
        """Compare what was heard and what is stored with what was reported."""
        verdict = self.verdict
        verdict.asked, verdict.closed = len(traffic.closings), traffic.closed()
        for request, reports in traffic.closings.items():
            if len(set(reports)) > 1:
                verdict.faults.append(f"{request} was closed as {' and then as '.join(reports)}")
        self._judge_sound(traffic)
        self._judge_voices()
        for request, name in self._voices_asked.items():
            if traffic.closings[request][-1] != "done":
                verdict.faults.append(f"the voice {name} does not speak: {traffic.closings[request][-1]}")
        return verdict

    def _use(self, client: paho.Client, traffic: Traffic) -> None:
        for _ in range(self._draw.randint(0, 3)):
            text = self._draw.choice(SENTENCES)
            request = house.say(client, traffic, {"text": text, "voice": VOICE, "seed": SEED})
            self._texts[request] = text
        match self._draw.choice(("enrol", "model", "nothing")):
            case "enrol" if len(self._enrolled) < len(SPEAKERS):
                self._enrol()
            case "model":
                house.send(client, "models/activate", self._draw.choice(house.SETS))

    def _enrol(self) -> None:
        """By the command line, which the kill may meet at any moment as well."""
        speaker = SPEAKERS[len(self._enrolled)]
        audio = ROOT / "tests" / "spoken" / f"consent-{speaker}.flac"
        name = f"Guest {speaker}"
        words = ("enroll", "--audio", str(audio), "--name", name, "--language", "en", "--text", consent("en", name))
        process = subprocess.Popen(
            house.command(self._config, *words, "--anyway"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            process.communicate(timeout=self._draw.uniform(0.5, 6.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.returncode == 0:
            self._enrolled.append(name)

    def _keep_wav(self) -> None:
        wav = self._folder / "out.wav"
        if wav.exists():
            self._wavs.append(wav.read_bytes())
            wav.unlink()

    def _judge_sound(self, traffic: Traffic) -> None:
        spoken = [request for request, reports in traffic.closings.items() if reports[-1] == "done"]
        done = Counter(self._texts[request] for request in spoken if request in self._texts)
        for text in SENTENCES:
            sound = self._sound(text)
            heard = sum(wav.count(sound) for wav in self._wavs)
            if heard < done[text]:
                self.verdict.faults.append(f"{text!r} was reported done {done[text]} times and heard {heard} times")
            self.verdict.twice += max(0, heard - done[text])

    def _sound(self, text: str) -> bytes:
        """The samples of a sentence, as they stand in a file."""
        out = self._folder / "expected.wav"
        words = ("say", text, "--voice", VOICE, "--seed", str(SEED), "--out", str(out))
        subprocess.run(house.command(self._config, *words), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with wave.open(str(out)) as file:
            return bytes(file.readframes(file.getnframes()))

    def _judge_voices(self) -> None:
        """What was enrolled is stored whole, here and on a second device that knows only the bucket."""
        second = self._folder / "second"
        second.mkdir()
        other = second / "config.yaml"
        own = {name: f"{second}/{name}" for name in ("state", "voices")}
        settings = yaml.safe_load(self._config.read_text())
        other.write_text(yaml.safe_dump({**settings, "state_dir": own["state"], "voices": {"dir": own["voices"]}}))
        for config in (self._config, other):
            subprocess.run(house.command(config, "sync", "--thorough"), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        here, there = (self._whole(config) for config in (self._config, other))
        self.verdict.voices = len(here)
        missing = set(self._enrolled) - here
        if missing:
            self.verdict.faults.append(f"enrolled and lost: {', '.join(sorted(missing))}")
        if here != there:
            self.verdict.faults.append(f"voices differ: {sorted(here)} here, {sorted(there)} from the bucket")

    def _whole(self, config: Path) -> set[str]:
        stored = open_store(find_config(config)).stored(thorough=True)
        self.verdict.faults += [f"{config.parent}: {ref.id} is damaged: {why}" for ref, why in stored.damaged]
        return {voice.name for voice in stored.voices}


def kill_often(folder: Path, port: int, *, kills: int, seed: int, traffic: Traffic, **settings: object) -> Verdict:
    """The whole run; `settings` are sections of the configuration."""
    lives = Lives(folder, port, draw=random.Random(seed), **settings)
    with house.client(port, traffic) as client:
        lives.introduce(client, traffic)
        for _ in range(kills):
            lives.live(client, traffic)
        lives.settle(client, traffic)
    return lives.judge(traffic)
