"""The chime: ours or a file, before what it is wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge_tts.audio.chime import bleep, chimes
from edge_tts.config import AudioConfig, config_from
from edge_tts.errors import AudioError, ConfigError


def test_ours_is_soft_short_and_another_one_before_alerts() -> None:
    """It begins and ends at silence, leaves room above, and sounds the same at every rate; `low` has none."""
    ours, slower = chimes(AudioConfig(chime="builtin"), 32000), chimes(AudioConfig(chime="builtin"), 16000)
    assert ours.keys() == {"alert", "normal"}
    for priority, samples in ours.items():
        assert 0.3 < len(samples) / 32000 < 1.0
        assert abs(samples[[0, -1]]).max() < 0.01
        assert 0.1 < abs(samples).max() < 0.4
        assert len(slower[priority]) == pytest.approx(len(samples) / 2, abs=3)
    assert len(ours["alert"]) != len(ours["normal"])
    assert chimes(AudioConfig(), 32000) == {}


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    """A stereo file at another rate is played in mono at the speech's."""
    stereo = np.stack([np.full(4410, 0.5), np.full(4410, 0.1)], axis=1)
    soundfile.write(tmp_path / "gong.flac", stereo, 44100)
    config = config_from({"audio": {"chime": "gong.flac", "chime_before": ["low"]}}, folder=tmp_path).audio
    [(priority, samples)] = chimes(config, 32000).items()
    assert priority == "low"
    assert len(samples) == pytest.approx(3200, abs=2)
    assert samples[1600] == pytest.approx(0.3, abs=0.01)


def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    """Missing, no sound, or too long: the error names the file; an unknown priority is refused as well."""
    soundfile.write(tmp_path / "long.wav", np.zeros(11 * 8000), 8000)
    (tmp_path / "text.wav").write_text("no sound")
    for name in ("missing.wav", "text.wav", "long.wav"):
        with pytest.raises(AudioError, match=name):
            chimes(AudioConfig(chime=tmp_path / name), 32000)
    with pytest.raises(ConfigError, match="chime_before"):
        config_from({"audio": {"chime_before": ["loud"]}}, folder=tmp_path)


def test_a_bleep_is_as_long_as_it_is_to_be() -> None:
    """A soft tone without a click at either end."""
    tone = bleep(0.5, 24000)
    assert len(tone) == 12000
    assert tone[0] == 0
    assert abs(tone[-1]) < 0.01
    assert 0.1 < float(np.abs(tone).max()) < 0.2
