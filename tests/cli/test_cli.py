"""The commands that need no broker and no networks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
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
    config.write_text(yaml.safe_dump({"models": {"dir": str(ROOT / "models"), "name": "starter"}}))
    out.parent.mkdir()
    out.write_bytes(b"a recording")
    assert main(["say", "-c", str(config), "--out", str(out), *arguments]) == 1
    assert capsys.readouterr().err.startswith("edge-ttsd: ")
    assert [path.read_bytes() for path in out.parent.iterdir()] == [b"a recording"]
