"""Where `say` without `--out` is heard: what `audio.output` names, as with the daemon."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml
from engine_cache import PLAIN
from fakes import WAIT_S

from edge_tts.audio.chime import chimes
from edge_tts.cli.main import main
from edge_tts.config import AudioConfig
from edge_tts.durable.lock import held_alone

ROOT = Path(__file__).resolve().parents[2]


def configured(folder: Path, **audio: Any) -> str:
    """A configuration with the real networks."""
    path = folder / "config.yaml"
    models = {"dir": str(ROOT / "models"), "name": "starter"}
    path.write_text(yaml.safe_dump({"models": models, "engine": PLAIN, "audio": audio}))
    return str(path)


def test_a_device_that_plays_nothing_says_what_would_be_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`audio.output: none` refuses before anything is loaded, and names `--out`."""
    assert main(["say", "-c", configured(tmp_path, output="none"), "Hi."]) == 1
    assert "audio.output: none); write a file with --out FILE" in capsys.readouterr().err


def test_the_file_is_written_unless_a_daemon_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`audio.output: file` fills `audio.file`; a daemon's recording stays as it is."""
    config, out = configured(tmp_path, output="file", file="said.wav"), tmp_path / "said.wav"
    out.write_bytes(b"a recording")
    (tmp_path / ".state").mkdir()
    with held_alone(tmp_path / ".state" / "daemon.lock"):
        assert main(["say", "-c", config, "Hi."]) == 1
    assert f"belongs to the daemon (pid {os.getpid()})" in capsys.readouterr().err
    assert out.read_bytes() == b"a recording"
    assert main(["say", "-c", config, "Hi.", "--seed", "1"]) == 0
    assert soundfile.info(out).duration > 0.3


def test_a_pipe_gets_lead_in_chime_and_speech(tmp_path: Path) -> None:
    """`audio.output: pipe` is served at its own rate, and begins as the daemon does after a pause."""
    fifo = tmp_path / "sound.pcm"
    os.mkfifo(fifo)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(fifo.read_bytes()))
    reader.start()
    how = {"output": "pipe", "pipe": str(fifo), "pipe_rate": 32000, "lead_in_ms": 400, "chime": "builtin"}
    assert main(["say", "-c", configured(tmp_path, **how), "Hi.", "--seed", "1"]) == 0
    reader.join(WAIT_S)
    sound = np.frombuffer(heard[0], "<i2").astype(np.float32) / 32767
    chime = chimes(AudioConfig(chime="builtin"), 32000)["normal"]
    assert not sound[:12800].any()
    np.testing.assert_allclose(sound[12800 : 12800 + len(chime)], chime, atol=1e-3)
    assert len(sound) > 12800 + len(chime) + 10000
