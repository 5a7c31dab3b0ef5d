"""A real PulseAudio of our own with a room in it: a person who speaks, a microphone, a loudspeaker on record.

Nothing outside is touched: the server lives in a private runtime directory, its devices are null sinks, and programs
reach it through ALSA's pulse plugin with a configuration of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from fakes import WAIT_S

from edge_tts.values import FloatArray

RATE = 48000
ALSA = Path("/usr/share/alsa/alsa.conf")
PLUGIN = "libasound_module_pcm_pulse.so"
MODULES = (
    f"module-null-sink sink_name=person rate={RATE} channels=1",
    f"module-null-sink sink_name=loudspeaker rate={RATE} channels=1",
    "module-remap-source master=person.monitor source_name=microphone",
)
ALSA_CONFIG = f"""<{ALSA}>
pcm.microphone {{ type pulse device microphone hint {{ show on description microphone }} }}
pcm.loudspeaker {{ type pulse device loudspeaker hint {{ show on description loudspeaker }} }}
"""


def missing() -> str:
    """What is not installed, empty when everything is there."""
    programs = [name for name in ("pulseaudio", "pacat", "parec", "pactl") if shutil.which(name) is None]
    plugin = [] if any(Path("/usr/lib").glob(f"**/alsa-lib/{PLUGIN}")) else [PLUGIN]
    return ", ".join(programs + plugin)


class AudioServer:
    """PulseAudio with a virtual microphone that hears what `speak` plays, and a loudspeaker that `Hearing` records."""

    def __init__(self, folder: Path) -> None:
        lacking = missing()
        if lacking:
            pytest.skip(f"NO AUDIO SERVER ({lacking}): the real audio path was not tested (apt install pulseaudio)")
        self._folder = folder
        runtime = folder / "runtime"
        runtime.mkdir(mode=0o700)
        (folder / "asound.conf").write_text(ALSA_CONFIG)
        self._socket = runtime / "native"
        own = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(folder)}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PULSE_", "XDG_", "DBUS_"))},
            **own,
            "PULSE_RUNTIME_PATH": str(runtime),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> AudioServer:
        plain = ["--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes", "--realtime=no"]
        loads = [part for module in MODULES for part in ("-L", module)]
        listen = ["-L", f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"]
        with (self._folder / "pulse.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["pulseaudio", "-n", "--high-priority=no", *plain, *loads, *listen],
                env={name: value for name, value in self.environment.items() if name != "PULSE_SERVER"},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + WAIT_S
        while subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False).returncode:
            log_text = (self._folder / "pulse.log").read_text()
            assert self._process.poll() is None, f"pulseaudio did not start: {log_text}"
            assert time.monotonic() < deadline, f"pulseaudio does not answer: {log_text}"
            time.sleep(0.05)
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(WAIT_S)

    def freeze(self) -> None:
        """The server stands still: who plays waits for ever."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def speak(self, samples: FloatArray, rate: int) -> None:
        """The person speaks float32 [n] into the microphone; returns when they have finished."""
        command = ["pacat", "--playback", "--device=person", f"--rate={rate}", "--channels=1", "--format=float32le"]
        subprocess.run(command, input=samples.astype("<f4").tobytes(), env=self.environment, check=True, timeout=60)

    def hearing(self) -> Hearing:
        """Record what the loudspeaker plays."""
        return Hearing(self.environment, self._folder / "heard.f32")


class Hearing:
    """A recording of the loudspeaker, from `__enter__` until `__exit__`; then in `heard`."""

    def __init__(self, environment: dict[str, str], path: Path) -> None:
        self._environment, self._path = environment, path
        self.heard: FloatArray = np.zeros(0, np.float32)

    def __enter__(self) -> Hearing:
        command = ["parec", "--device=loudspeaker.monitor", f"--rate={RATE}", "--channels=1", "--format=float32le"]
        with self._path.open("wb") as file:
            self._process = subprocess.Popen([*command, "--latency-msec=20"], env=self._environment, stdout=file)
        self._wait_for(1)  # it records: what is played from now on is heard
        return self

    def __exit__(self, *exception: object) -> None:
        self._wait_for(self._size() + 4 * RATE // 2)  # what was played last is on its way
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(WAIT_S)
        data = self._path.read_bytes()
        self.heard = np.frombuffer(data[: len(data) // 4 * 4], "<f4").copy()

    def wait_sound(self) -> None:
        """Until something is heard."""
        deadline = time.monotonic() + 10 * WAIT_S
        while not any(self._path.read_bytes()):
            assert time.monotonic() < deadline, "nothing is heard"
            time.sleep(0.02)

    def _size(self) -> int:
        return self._path.stat().st_size

    def _wait_for(self, size: int) -> None:
        deadline = time.monotonic() + WAIT_S
        while self._size() < size:
            assert time.monotonic() < deadline, "parec records nothing"
            time.sleep(0.02)
