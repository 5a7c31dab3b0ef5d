"""The loudspeaker through the real PortAudio, with ALSA's file device as the sound card."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge_tts.audio.devices import PortAudioLoudspeaker, PortAudioMicrophone
from edge_tts.errors import AudioError
from edge_tts.values import FloatArray

ALSA = Path("/usr/share/alsa/alsa.conf")
needs_portaudio = pytest.mark.skipif(
    ctypes.util.find_library("portaudio") is None or not ALSA.exists(),
    reason="PORTAUDIO OR ALSA IS NOT INSTALLED: no loudspeaker was tested (apt install libportaudio2)",
)

PLAY = """
import numpy as np
import sounddevice
from edge_tts.audio.devices import PortAudioLoudspeaker, has_loudspeaker
{before}
assert has_loudspeaker()
sine = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 32000)).astype(np.float32)
with PortAudioLoudspeaker(sample_rate=32000, device="speaker") as loudspeaker:
    for _ in range(2):
        for block in np.split(sine, 10):
            loudspeaker.write(block)
        loudspeaker.drain()
"""


def run(folder: Path, script: str, *, more_cards: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a script in a process whose only sound card writes what it plays to `folder`/sound.raw.

    `more_cards`: the script may write further ones into the last file of ALSA's configuration.
    """
    configuration = folder / "asound.conf"
    configuration.write_text(
        f"<{ALSA}>\n"
        f'pcm.file {{ type file slave.pcm "null" file "{folder}/sound.raw" format "raw" }}\n'
        'pcm.speaker { type plug slave.pcm "file" }\n'
    )
    cards = f"{ALSA}:{folder / 'more.conf'}" if more_cards else str(configuration)
    environment = {**os.environ, "ALSA_CONFIG_PATH": cards}
    return subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def played(folder: Path) -> FloatArray:
    """What the sound card was given, float32."""
    return np.fromfile(folder / "sound.raw", np.float32)


def assert_two_sines(sound: FloatArray, rate: int) -> None:
    """Two half seconds of 440 Hz at `rate`, each whole, with nothing but silence around them."""
    loud = np.abs(sound) > 0.01
    edges = np.flatnonzero(np.diff(loud.astype(int)))
    assert edges.size
    energy = float(np.sum(sound.astype(np.float64) ** 2)) / rate
    assert energy == pytest.approx(2 * 0.5 * 0.5**2 / 2, rel=0.01)
    first = sound[edges[0] : edges[0] + rate // 4]
    spectrum = np.abs(np.fft.rfft(first * np.hanning(len(first))))
    assert np.argmax(spectrum) * rate / len(first) == pytest.approx(440, abs=4)


@needs_portaudio
def test_every_sample_reaches_the_sound_card(tmp_path: Path) -> None:
    """Two requests are played completely, in order, and drained before the next begins."""
    done = run(tmp_path, PLAY.format(before=""))
    assert done.returncode == 0, done.stderr
    assert_two_sines(played(tmp_path), 32000)


@needs_portaudio
def test_a_card_that_refuses_the_rate_gets_its_own(tmp_path: Path) -> None:
    """When the card does not take 32 kHz the sound is resampled to the card's rate, at the same pitch and level."""
    refuse = (
        "def refuse(**settings):\n"
        "    raise sounddevice.PortAudioError('Invalid sample rate')\n"
        "sounddevice.check_output_settings = refuse\n"
        "own = int(sounddevice.query_devices('speaker', 'output')['default_samplerate'])\n"
        "assert own == 44100\n"
    )
    done = run(tmp_path, PLAY.format(before=refuse))
    assert done.returncode == 0, done.stderr
    assert_two_sines(played(tmp_path), 44100)


@needs_portaudio
def test_a_device_that_does_not_exist_is_an_audio_error(tmp_path: Path) -> None:
    """The error names the device that was asked for."""
    script = (
        "from edge_tts.audio.devices import PortAudioLoudspeaker\n"
        "from edge_tts.errors import AudioError\n"
        "try:\n"
        "    PortAudioLoudspeaker(sample_rate=32000, device='attic')\n"
        "except AudioError as error:\n"
        "    print(error)\n"
    )
    done = run(tmp_path, script)
    assert "loudspeaker attic: No output device matching 'attic'" in done.stdout, done.stderr


LATE = """
import os, pathlib
cards = pathlib.Path(os.environ["ALSA_CONFIG_PATH"].split(":")[-1])
def plug_in(*names):
    cards.write_text("".join(
        f'pcm.{name} {{ type null\\n hint {{ show on description "{name}" }} }}\\n' for name in names))
plug_in("builtin")
from edge_tts.audio.devices import PortAudioLoudspeaker, PortAudioMicrophone
from edge_tts.errors import AudioError
def refused(make):
    try:
        make().close()
    except AudioError as error:
        return str(error)
    raise SystemExit("opened")
late = [lambda: PortAudioLoudspeaker(sample_rate=32000, device="late"), lambda: PortAudioMicrophone(device="late")]
"""


@needs_portaudio
@pytest.mark.parametrize("which", [0, 1], ids=["loudspeaker", "microphone"])
def test_a_device_that_is_plugged_in_later(tmp_path: Path, which: int) -> None:
    """A device that was plugged in after PortAudio's start is found at the next opening; no open stream is ended for
    it."""
    script = LATE + (
        f"make = late[{which}]\n"
        "assert 'plugged in' not in refused(make)\n"
        "other = PortAudioLoudspeaker(sample_rate=32000, device='builtin')\n"
        "plug_in('builtin', 'late')\n"
        "assert 'plugged in' in refused(make)\n"
        "other.drain()\n"
        "other.close()\n"
        "make().close()\n"
        "make().close()\n"
    )
    done = run(tmp_path, script, more_cards=True)
    assert done.returncode == 0, done.stderr


class UnstartableStream:
    """A stream that opens and does not start."""

    closed = 0
    latency = 0.1

    def __init__(self, **settings: object) -> None:
        pass

    def start(self) -> None:
        raise ValueError("busy")

    def close(self) -> None:
        UnstartableStream.closed += 1


@pytest.mark.parametrize("kind", [lambda: PortAudioLoudspeaker(sample_rate=32000), PortAudioMicrophone])
def test_a_device_that_opens_and_does_not_start_is_closed(
    kind: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stream that was opened is closed, and the next attempt restarts PortAudio."""
    terminated: list[str] = []
    fake = SimpleNamespace(
        PortAudioError=RuntimeError,
        OutputStream=UnstartableStream,
        InputStream=UnstartableStream,
        check_output_settings=lambda **settings: None,
        query_devices=lambda *which: {"default_high_output_latency": 0.1, "default_samplerate": 48000},
        _terminate=lambda: terminated.append("terminated"),
        _initialize=lambda: terminated.append("initialized"),
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(UnstartableStream, "closed", 0)
    for attempts in (1, 2):
        with pytest.raises(AudioError, match=r"\(default\): busy"):
            kind()
        assert UnstartableStream.closed == 2 * attempts
        assert terminated == ["terminated", "initialized"] * attempts


def test_nothing_else_in_the_package_needs_portaudio() -> None:
    """The daemon can be imported, and speak into a file, where PortAudio is not installed."""
    script = "import sys; sys.modules['sounddevice'] = None; import edge_tts.cli.main, edge_tts.app.daemon"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
