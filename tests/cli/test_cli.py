"""The commands that need no broker and no networks."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
import yaml
from engine_cache import PLAIN
from fakes import WAIT_S
from toy_model_sets import write_model_set

from edge_tts.cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration with the model sets `toy` (configured) and `other`."""
    write_model_set(tmp_path / "models" / "toy", voices=("hum", "buzz"))
    write_model_set(tmp_path / "models" / "other")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"models": {"name": "toy"}, "voice": "buzz"}))
    return str(path)


def test_voices_list_marks_the_default(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every voice of the configured set is listed; a star stands before the one that speaks by default."""
    assert main(["voices", "list", "-c", config]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["hum", "en", "Hum"], ["*", "buzz", "en", "Buzz"]]


def test_models_list_show_and_verify(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sets are listed, their manifests shown, and a changed file is found."""
    assert main(["models", "list", "-c", config]) == 0
    assert capsys.readouterr().out.splitlines() == ["  other", "* toy"]
    assert main(["models", "show", "-c", config, "other"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "other"
    assert main(["models", "verify", "-c", config]) == 0
    assert "5 files are as the manifest says" in capsys.readouterr().out
    (tmp_path / "models" / "toy" / "wave.onnx").write_bytes(b"NOT a graph")
    assert main(["models", "verify", "-c", config]) == 1
    assert "wave.onnx: is damaged" in capsys.readouterr().err


def test_a_wrong_name_gets_one_line(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An expected error is one line on stderr that suggests the nearest name."""
    assert main(["models", "show", "-c", config, "toi"]) == 1
    assert capsys.readouterr().err.startswith("edge-ttsd: there is no model set 'toi'")


def test_the_namesake_on_pypi_is_noticed(tmp_path: Path) -> None:
    """Where PyPI's edge-tts has installed its files over ours, the command says so before it imports any of them."""
    site = tmp_path / "site"
    (site / "edge_tts").mkdir(parents=True)
    (site / "edge_tts" / "__init__.py").write_text("from .voices import VoicesManager")
    shutil.copytree(ROOT / "edge_tts" / "launcher", site / "edge_ttsd")
    info = site / "edge_tts-7.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: edge-tts\nVersion: 7.2.3\n")
    command = [sys.executable, "-c", "import sys, edge_ttsd; sys.exit(edge_ttsd.main())", "voices", "list"]
    done = subprocess.run(command, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("edge-ttsd: PyPI's edge-tts 7.2.3 is installed")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["say"], ["voices", "list"], ["models", "verify"]])
def test_help_explains(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has help that says what it does."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out) > 200


@pytest.mark.parametrize("arguments", [["!!!"], ["Hello.", "--language", "fr"], ["<speak>", "--ssml"]])
def test_a_say_that_fails_leaves_the_recording_that_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Through the real networks: the error is told, the file keeps its bytes, nothing lies beside it."""
    config, out = tmp_path / "config.yaml", tmp_path / "sound" / "good.wav"
    config.write_text(yaml.safe_dump({"models": {"dir": str(ROOT / "models"), "name": "starter"}, "engine": PLAIN}))
    out.parent.mkdir()
    out.write_bytes(b"a recording")
    assert main(["say", "-c", str(config), "--out", str(out), *arguments]) == 1
    assert capsys.readouterr().err.startswith("edge-ttsd: ")
    assert [path.read_bytes() for path in out.parent.iterdir()] == [b"a recording"]


@pytest.fixture
def starter(tmp_path: Path) -> str:
    """A configuration with the real networks."""
    path = tmp_path / "starter.yaml"
    path.write_text(yaml.safe_dump({"models": {"dir": str(ROOT / "models"), "name": "starter"}, "engine": PLAIN}))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["Hi.", "--speed", "0"], "say: key 'speed'"),
        (["Hi.", "--speed", "nan"], "say: key 'speed'"),
        (["Hi.", "--speed", "-1"], "say: key 'speed'"),
        (["Hi.", "--seed", "-1"], "say: key 'seed'"),
        (["Hi.", "--voice", ""], "say: key 'voice'"),
        (["Hi.", "--split", "cut9"], "there is no 'cut9', did you mean 'cut"),
        (["\udcff"], "halves of a character"),
        ([" "], "the text is empty"),
        (["unavailable"], "text.refuse"),
        (["Hi.", "--language", "fr"], "no language option 'fr'"),
        (["x" * 51], "limits.text_chars is 50"),
        (["Hi.", "--out", ""], "--out names no file"),
        (["Hi.", "--out", "speech.aac"], ".wav, .flac, .ogg"),
    ],
)
def test_say_has_the_limits_of_mqtt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    """What no message may ask for is refused by its name, before a model set is looked for."""
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"limits": {"text_chars": 50}, "models": {"dir": "nowhere"}}))
    assert main(["say", "-c", str(config), *arguments]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the text is empty"),
        ("Hi.".encode("utf-16"), "UTF-16"),
        (b"Gr\xfc\xdfe", "not UTF-8"),
        (b"x" * 301, "limits.payload_bytes is 300"),
    ],
)
def test_standard_input_is_read_like_a_payload(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    says: str,
) -> None:
    """`say -` refuses what is no UTF-8 text, or too long."""
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"limits": {"payload_bytes": 300}}))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(["say", "-c", str(config), "-"]) == 1
    assert says in capsys.readouterr().err


def test_standard_input_is_spoken_into_a_flac_file(
    tmp_path: Path, starter: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`say -` reads over a byte order mark, and `--out` goes by the ending of its name; the file says what made it."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbfHello.\n")))
    out = tmp_path / "hello.flac"
    assert main(["say", "-c", starter, "-", "--seed", "1", "--out", str(out)]) == 0
    with soundfile.SoundFile(out) as sound:
        assert (sound.format, sound.frames > 8000) == ("FLAC", True)
    capsys.readouterr()
    assert main(["inspect", "-c", starter, "--json", str(out)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["format"], said["ai_generated"], said["set"][:8]) == ("FLAC", True, "starter ")
    assert said["inaudible_mark"]["found"] is False
    assert main(["inspect", "-c", starter, str(out)]) == 0
    assert said["content_id"] in capsys.readouterr().out


def test_the_inaudible_mark_is_found_in_a_file(
    tmp_path: Path, starter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once `marking.inaudible` is on, also where the metadata are gone."""
    settings = yaml.safe_load(Path(starter).read_text())
    Path(starter).write_text(yaml.safe_dump({**settings, "marking": {"inaudible": True}}))
    out, bare = tmp_path / "said.wav", tmp_path / "bare.ogg"
    text = "The library closes at seven this evening, so please return your books before then."
    assert main(["say", "-c", starter, text, "--seed", "1", "--out", str(out)]) == 0
    samples, rate = soundfile.read(out)
    soundfile.write(bare, samples, rate)
    capsys.readouterr()
    assert main(["inspect", "-c", starter, "--json", str(bare)]) == 0
    assert json.loads(capsys.readouterr().out)["inaudible_mark"]["found"] is True
    soundfile.write(out, samples[:0], rate)
    assert main(["inspect", "-c", starter, "--json", str(out)]) == 0
    assert "no samples" in json.loads(capsys.readouterr().out)["inaudible_mark"]["why"]


def started(*arguments: str, **streams: int) -> subprocess.Popen[bytes]:
    """The command as a process of its own, which Ctrl-C and a lost terminal end even if the tests themselves run in the
    background of a shell or under nohup, and pass on that these are ignored."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "edge_tts", *arguments]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        return subprocess.Popen(command, stderr=subprocess.PIPE, env=buffered, **streams)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_say_quietly_and_leaves_nothing(tmp_path: Path, starter: str, number: signal.Signals) -> None:
    """In the middle of a long text: the shell's status, no traceback, the file that was there keeps its bytes, nothing
    lies beside it."""
    folder = tmp_path / "sound"
    folder.mkdir()
    (folder / "good.wav").write_bytes(b"a recording")
    text = "This sentence is long enough. " * 300
    with started("say", "-c", starter, text, "--out", str(folder / "good.wav")) as process:
        deadline = time.monotonic() + 10 * WAIT_S
        while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(WAIT_S)) == (b"", 128 + number)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"a recording"]


@pytest.mark.parametrize("arguments", [["--help"], ["models", "list"], ["phonemes", "Hello."]])
def test_a_closed_pipe_ends_with_141(config: str, arguments: list[str]) -> None:
    """Nobody reads any more, as behind `| head`: that is no error to tell."""
    reading, writing = os.pipe()
    os.close(reading)
    where = [] if arguments == ["--help"] else ["-c", config]
    with started(*arguments, *where, stdout=writing) as process:
        os.close(writing)
        assert process.stderr is not None
        assert (process.stderr.read(), process.wait(WAIT_S)) == (b"", 141)
