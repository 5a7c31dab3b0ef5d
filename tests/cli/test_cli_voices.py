"""Voices on the command line, with the shipped voice: enrolled from files, listed, shown, renamed, removed."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
import soundfile
import yaml
from engine_cache import ENGINES
from enrolled import new_voice
from slow_reader import RATE, slow_reader

from edge_tts.audio.sound_files import read_sound
from edge_tts.cli.main import main
from edge_tts.cli.voices import same_words
from edge_tts.config import load_config
from edge_tts.doctor.checks import check_model
from edge_tts.model_sets.loading import open_networks
from edge_tts.model_sets.manifest import find_model_set
from edge_tts.values import EncodeRequest
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.local_voices import open_store, open_voices

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "tests" / "spoken"
LIMIT = find_model_set(ROOT / "models", "starter").words_limit
SENTENCE = "I agree that this device may speak with my voice. My name is Anna."
WEATHER = "The weather is fine today, and the kettle has boiled. Please close the window before you go to bed."


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A device with the shipped model set and no voices of its own."""
    path = tmp_path / "config.yaml"
    settings = {"models": {"dir": str(ROOT / "models")}, "engine": {"cache_dir": str(ENGINES)}, "bucket": {"url": None}}
    path.write_text(yaml.safe_dump(settings))
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
    announced = json.loads(capsys.readouterr().out)
    assert announced["consent"]["statement"] == SENTENCE
    assert announced["card"]["transcript"] == WEATHER
    last = announced["card"]["files"][announced["card"]["recordings"][-1]]
    assert announced["consent"]["audio_sha256"] == last["sha256"]
    assert announced["quality"]["measures"]["speech_s"] > 3
    assert main(["voices", "rename", "-c", config, "Anna", "Mum"]) == 0
    assert main(["voices", "remove", "-c", config, "Mum"]) == 0
    capsys.readouterr()
    assert main(["voices", "list", "-c", config]) == 0
    assert voice not in capsys.readouterr().out


def test_a_deletion_is_shown_and_undone(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`voices list` and the doctor name a voice whose deletion is pending, `undelete` brings it back by its name, and
    `remove` deletes it for good all the same."""
    loaded = load_config(Path(config))
    store = open_store(loaded)
    ref = store.add(new_voice()).ref
    store.delete_later(ref)
    assert main(["voices", "list", "-c", config]) == 0
    assert f"{ref.id} {'':6} Anna (deleted; until 20" in capsys.readouterr().out
    found = [(finding.level, finding.text) for finding in check_model(loaded) if finding.check == "voice"]
    assert ("warning", f"about to be deleted for good: Anna ({ref.id})") in found
    assert main(["voices", "undelete", "-c", config, "Anna"]) == 0
    assert main(["voices", "undelete", "-c", config, "Anna"]) == 1
    assert [voice.ref for voice in store.stored().voices] == [ref]
    store.delete_later(ref)
    assert main(["voices", "remove", "-c", config, "Anna"]) == 0
    assert set(store.tombstones()) == {ref}


def test_another_sentence_is_no_consent(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording that is said to be the consent sentence is compared with it: another one is refused and not stored,
    unless --anyway keeps it, and the score stands in the record either way."""
    weather, rate = soundfile.read(RECORDINGS / "weather-slt.flac", dtype="float32")
    forged = Path(config).parent / "forged.wav"
    soundfile.write(forged, weather[: 5 * rate], rate)
    assert enroll(config, forged) == 1
    assert "not the sentence, or not all of it" in capsys.readouterr().err
    assert not list((Path(config).parent / ".state" / "voices").glob("*/*/voice.json"))
    scores = {}
    for name, arguments in (("forged", [forged, "--anyway"]), ("honest", [RECORDINGS / "consent-slt.flac"])):
        assert enroll(config, *arguments) == 0
        capsys.readouterr()
        assert main(["voices", "show", "-c", config, "Anna"]) == 0
        scores[name] = json.loads(capsys.readouterr().out)["consent"]["words_score"]
        assert main(["voices", "remove", "-c", config, "Anna"]) == 0
    assert scores["honest"] < LIMIT < scores["forged"]


def test_whoever_insists_has_a_voice_of_little_speech(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Two seconds are refused as too short; with --anyway they are a timbre, and the prompt is a built-in voice's."""
    weather, rate = soundfile.read(RECORDINGS / "weather-slt.flac", dtype="float32")
    short = Path(config).parent / "short.wav"
    soundfile.write(short, weather[: 2 * rate], rate)
    consent = ["--consent", str(RECORDINGS / "consent-slt.flac")]
    assert enroll(config, short, *consent, text="The weather") == 1
    assert "too short" in capsys.readouterr().err
    assert enroll(config, short, "--anyway", *consent, text="The weather") == 0
    voice = capsys.readouterr().out.strip()
    model = find_model_set(ROOT / "models", "starter")
    prompts = [lender.prompt_tokens.tolist() for lender in BuiltinVoices(model).load_all()]
    made = open_voices(load_config(Path(config)), model).catalogue.load(voice)
    assert made.prompt_tokens.tolist() in prompts


@pytest.mark.parametrize("audio", ["awb", *(pytest.param(name, marks=pytest.mark.slow) for name in ("kal16", "rms"))])
def test_nobody_who_reads_the_sentence_is_refused(config: str, audio: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The test voices consent, each under its own name, compared with readings by the voices of the set; slt does so in
    the test of another sentence."""
    name = {"awb": "Alan", "kal16": "Carl", "rms": "Robert"}[audio]
    sentence = SENTENCE.replace("Anna", name)
    file = str(RECORDINGS / f"consent-{audio}.flac")
    given = ["--audio", file, "--text", sentence, "--language", "en", "--name", name]
    assert main(["enroll", "-c", config, *given]) == 0


def test_a_name_in_another_script_is_no_way_round(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the set reads the name as it can, the rest of the sentence is compared all the same."""
    file = str(RECORDINGS / "consent-slt.flac")
    given = ["--text", SENTENCE.replace("Anna", "小梅"), "--language", "en", "--name", "小梅"]
    assert main(["enroll", "-c", config, "--audio", file, *given]) == 0
    capsys.readouterr()
    assert main(["voices", "show", "-c", config, "小梅"]) == 0
    assert json.loads(capsys.readouterr().out)["consent"]["words_score"] < LIMIT
    forged = str(RECORDINGS / "weather-slt.flac")
    given = ["--text", SENTENCE.replace("Anna", "小兰"), "--language", "en", "--name", "小兰"]
    assert main(["enroll", "-c", config, "--audio", forged, *given]) == 1
    assert "not the sentence" in capsys.readouterr().err


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


def test_a_slow_consent_is_kept_whole(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Read slowly, the consent sentence is cut like any other recording; all of it is stored as well, and that is what
    the consent record is about, whatever other takes there are. They all make the voice, now and when made anew."""
    soundfile.write(tmp_path / "slow.wav", slow_reader("slt"), RATE)
    assert enroll(config, tmp_path / "slow.wav", "--take", str(RECORDINGS / "weather-slt.flac")) == 0
    parsed = load_config(Path(config))
    voices = open_voices(parsed, find_model_set(ROOT / "models", "starter"))
    voice = voices.store.find("Anna")
    card, agreed = voice.card, json.loads(voices.store.read(voice, "consent.json"))
    assert card.recordings == ("reference.flac", "take-2.flac", "take-3.flac")
    assert card.transcript == SENTENCE[: SENTENCE.index(" My name")]
    assert (agreed["statement"], agreed["audio_sha256"]) == (SENTENCE, card.files["take-2.flac"].sha256)
    recordings = [read_sound(voices.store.read(voice, name), what=name) for name in card.recordings]
    assert [len(recording.samples) > 10 * RATE for recording in recordings] == [False, True, False]
    kept = voices.features.load(voice)
    assert kept is not None
    with open_networks(find_model_set(ROOT / "models", "starter"), parsed) as networks:
        anew = networks.encode(EncodeRequest("anew", "Anna", "en", card.transcript, recordings))
    np.testing.assert_allclose(anew.conditioning, kept.conditioning, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(anew.prompt_tokens, kept.prompt_tokens)


def test_a_slow_consent_beside_another_text(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording of the consent is proof: it is never cut to a window; the words of the reference are other ones."""
    soundfile.write(tmp_path / "slow.wav", slow_reader("slt"), RATE)
    assert enroll(config, RECORDINGS / "weather-slt.flac", "--consent", str(tmp_path / "slow.wav"), text=WEATHER) == 0
    store = open_store(load_config(Path(config)))
    voice = store.find("Anna")
    assert voice.card.transcript == WEATHER
    assert len(read_sound(store.read(voice, "take-2.flac"), what="consent").samples) > 10 * RATE
    sha256 = json.loads(store.read(voice, "consent.json"))["audio_sha256"]
    assert sha256 == voice.card.files["take-2.flac"].sha256


@pytest.mark.parametrize(
    ("audio", "more", "text", "says"),
    [
        ("weather-slt", [], WEATHER, "needs its speaker's consent"),
        ("weather-slt", ["--consent", "consent-rms"], WEATHER, "different people"),
        ("missing", [], SENTENCE, "cannot be read"),
    ],
)
def test_refusals(
    config: str, audio: str, more: list[str], text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot become a voice is refused with one line that says why, and nothing is stored."""
    files = [str(RECORDINGS / f"{word}.flac") if word.startswith("consent-") else word for word in more]
    assert enroll(config, RECORDINGS / f"{audio}.flac", *files, text=text) == 1
    assert says in capsys.readouterr().err
    assert not list((Path(config).parent / ".state" / "voices").glob("*/*/voice.json"))


@pytest.mark.parametrize(
    ("ffmpeg", "says"),
    [
        (None, "(ffmpeg, which reads more formats, is not installed)"),
        ("echo 'Invalid data found' >&2; exit 1", "neither libsndfile nor ffmpeg can read it: Invalid data found"),
        ("exit 0", "neither libsndfile nor ffmpeg can read it: no sound in it"),
    ],
)
def test_what_is_no_sound(
    config: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ffmpeg: str | None,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file that nobody can read is refused with one line, where ffmpeg is installed and where it is not."""
    programs = tmp_path / "bin"
    programs.mkdir()
    if ffmpeg is not None:
        (programs / "ffmpeg").write_text(f"#!/bin/sh\n{ffmpeg}\n")
        (programs / "ffmpeg").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    assert enroll(config, RECORDINGS / "README.md") == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.rglob("voice.json"))


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
    """Case, spaces and punctuation do not matter to consent, nor how an accent is typed; words do."""
    assert same_words(normalize("NFD", "My name is Zoé."), "my name is Zoé")
    assert not same_words("My name is Zoe.", "My name is Zoé.")
    assert same_words("i agree that this device may speak with my voice -- my name is ANNA", SENTENCE)
    assert not same_words(SENTENCE.replace("Anna", "Hanna"), SENTENCE)


def test_share(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Names in any case, with commas or blanks, everybody and nobody are kept and shown; what is no name is refused."""
    store = open_store(load_config(Path(config)))
    voice = store.add(new_voice(name="Anna"))
    for words, kept in (
        (["--with", "Kitchen,shop"], "shared with kitchen, shop"),
        (["everybody"], "shared with everybody"),
        (["--with", "kitchen", "hall,"], "shared with hall, kitchen"),
        (["--with", "nobody"], "shared with nobody"),
    ):
        assert main(["voices", "share", "-c", config, "Anna", *words]) == 0
        assert kept in capsys.readouterr().out
        assert main(["voices", "show", "-c", config, "Anna"]) == 0
        assert json.loads(capsys.readouterr().out)["shared"] == kept
    for words in ([], ["everybody,kitchen"], ["two words"], ["k\u00fcche"]):
        assert main(["voices", "share", "-c", config, "Anna", *words]) == 1
        assert "whom to share with" in capsys.readouterr().err
    assert store.get(voice.ref).share.names == ()


def test_the_command_line_is_a_caller(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is held to lists, rules and amounts under its account's name, writes no file that it may not make, and counts
    over two runs."""
    values = yaml.safe_load(Path(config).read_text())
    account = pwd.getpwuid(os.geteuid()).pw_name
    out, say = tmp_path / "out.wav", ["say", "-c", config, "Hello.", "--out", str(tmp_path / "out.wav")]
    for access, rule in (
        ({"deny": [account]}, "access.deny"),
        ({"default": {"doors": ["mqtt"]}}, "access.default.doors"),
        ({"callers": {account: {"voices": []}}}, f"access.callers.{account}.voices"),
        ({"callers": {account: {"speech_s_per_day": 0.1}}}, f"access.callers.{account}.speech_s_per_day"),
        ({"callers": {account: {"chars_per_day": 5}}}, f"access.callers.{account}.chars_per_day"),
    ):
        Path(config).write_text(yaml.safe_dump({**values, "access": access}))
        assert main(say) == 1
        assert rule in capsys.readouterr().err
        assert not out.exists()
    Path(config).write_text(yaml.safe_dump({**values, "access": {"callers": {account: {"chars_per_day": 17}}}}))
    assert [main(say), main(say)] == [0, 1]
