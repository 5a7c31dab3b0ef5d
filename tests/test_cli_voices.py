"""Voices on the command line, with the shipped voice: enrolled from files, listed, shown, renamed, removed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from edge_tts.cli import main
from edge_tts.cli_voices import same_words

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "tests" / "recordings"
SENTENCE = "I agree that this device may speak with my voice. My name is Anna."
WEATHER = "The weather is fine today, and the kettle has boiled. Please close the window before you go to bed."


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A device with the shipped model set and no voices of its own."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"models": {"dir": str(ROOT / "models")}, "bucket": {"url": None}}))
    return str(path)


def enroll(config: str, audio: Path, *more: str, text: str = SENTENCE) -> int:
    """Run the command for Anna; its exit status."""
    arguments = ["enroll", "-c", config, "--audio", str(audio), "--text", text, "--language", "en", "--name", "Anna"]
    return main([*arguments, *more])


def test_enrol_show_rename_remove(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A voice made of two recordings and the consent is listed, found by name, shown with its consent, renamed, and
    gone once it is removed."""
    more = ["--take", str(RECORDINGS / "weather-slt.flac"), "--consent", str(RECORDINGS / "consent-slt.flac")]
    assert enroll(config, RECORDINGS / "weather-slt.flac", *more, text=WEATHER) == 0
    voice = capsys.readouterr().out.strip()
    assert main(["voices", "list", "-c", config]) == 0
    assert [voice, "en", "Anna"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert main(["voices", "show", "-c", config, "Anna"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["consent"]["statement"] == SENTENCE
    assert shown["card"]["transcript"] == WEATHER
    last = shown["card"]["files"][shown["card"]["recordings"][-1]]
    assert shown["consent"]["audio_sha256"] == last["sha256"]
    assert shown["quality"]["measures"]["speech_s"] > 3
    assert main(["voices", "rename", "-c", config, "Anna", "Mum"]) == 0
    assert main(["voices", "remove", "-c", config, "Mum"]) == 0
    capsys.readouterr()
    assert main(["voices", "list", "-c", config]) == 0
    assert voice not in capsys.readouterr().out


def test_a_long_recording_is_cut_with_its_text(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 13 s the best part is kept, and of the text what is said in it."""
    weather, rate = soundfile.read(RECORDINGS / "weather-slt.flac", dtype="float32")
    consent, _ = soundfile.read(RECORDINGS / "consent-slt.flac", dtype="float32")
    pause = np.random.default_rng(1).normal(0, 1e-4, rate).astype(np.float32)
    soundfile.write(tmp_path / "long.wav", np.concatenate([pause, weather, pause, consent, pause]), rate)
    more = ["--consent", str(RECORDINGS / "consent-slt.flac")]
    assert enroll(config, tmp_path / "long.wav", *more, text=f"{WEATHER} {SENTENCE}") == 0
    capsys.readouterr()
    assert main(["voices", "show", "-c", config, "Anna"]) == 0
    assert json.loads(capsys.readouterr().out)["card"]["transcript"] == WEATHER


@pytest.mark.parametrize(
    ("audio", "more", "text", "says"),
    [
        ("weather-slt", [], WEATHER, "needs its speaker's consent"),
        ("weather-slt", ["--consent", "consent-rms"], WEATHER, "different people"),
        ("missing", [], SENTENCE, "cannot be read"),
        ("README.md", [], SENTENCE, "neither libsndfile nor ffmpeg"),
    ],
)
def test_refusals(
    config: str, audio: str, more: list[str], text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot become a voice is refused with one line that says why, and nothing is stored."""
    path = RECORDINGS / (audio if audio.endswith("md") else f"{audio}.flac")
    files = [str(RECORDINGS / f"{word}.flac") if word.startswith("consent-") else word for word in more]
    assert enroll(config, path, *files, text=text) == 1
    assert says in capsys.readouterr().err
    assert not list((Path(config).parent / ".state" / "voices").glob("*/*/voice.json"))


def test_a_bad_recording_says_what_to_do_better(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The quality gate's reasons are the error message."""
    samples, rate = soundfile.read(RECORDINGS / "consent-slt.flac", dtype="float32")
    soundfile.write(tmp_path / "loud.wav", np.clip(samples, -0.2, 0.2), rate)
    assert enroll(config, tmp_path / "loud.wav") == 1
    assert "too loud for the microphone" in capsys.readouterr().err


def test_a_language_that_is_not_spoken(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A voice is enrolled in a language of the model set: its transcript must be pronounced."""
    path = RECORDINGS / "consent-slt.flac"
    arguments = ["enroll", "-c", config, "--audio", str(path), "--name", "Anna", "--language", "xx", "--text", SENTENCE]
    assert main(arguments) == 1
    assert "does not speak 'xx'" in capsys.readouterr().err


def test_the_same_words() -> None:
    """Case, spaces and punctuation do not matter to consent; words do."""
    assert same_words("i agree that this device may speak with my voice -- my name is ANNA", SENTENCE)
    assert not same_words(SENTENCE.replace("Anna", "Hanna"), SENTENCE)
