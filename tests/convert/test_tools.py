"""`tools/convert` and `tools/parity` as commands: exit status, messages, what is left on disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from edge_tts.convert.model_set import Sources
from edge_tts.model_sets.manifest import read_model_set, verify_model_set
from edge_tts.voices.builtin import BuiltinVoices
from tools.conversion.chain import voice_like
from tools.judging.compare import log_spectral_distance

from .golden import DATA

pytestmark = pytest.mark.long
ROOT = Path(__file__).resolve().parents[2]


def call(tool: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tools" / tool), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def sets(v2: Sources, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A float32 and a float16 set of the same checkpoints, made by the command, with a voice from a recording."""
    folder = tmp_path_factory.mktemp("sets")
    recording = folder / "voice.wav"
    with wave.open(str(recording), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(32000)
        file.writeframes((voice_like(1.0, 32000) * 32767).astype("<i2").tobytes())
    made = {}
    for precision in ("fp32", "fp16"):
        out = folder / "models" / precision
        arguments = ["--gpt", v2.gpt, "--sovits", v2.sovits, "--out", out, "--voice-from", recording]
        done = call("convert", *arguments, "--precision", precision)
        assert done.returncode == 0, done.stderr
        assert "100%" in done.stderr
        made[precision] = out
    assert sorted(os.listdir(folder / "models")) == ["fp16", "fp32"]
    return made


def test_converted_sets_are_whole_and_speakable(sets: dict[str, Path]) -> None:
    """What the command wrote is accepted by the store, voice included, and float16 takes half the space."""
    graphs = {}
    for precision, folder in sets.items():
        model = read_model_set(folder)
        verify_model_set(model)
        assert model.precision == precision
        voice = BuiltinVoices(model).load("default")
        assert voice.conditioning.shape == (1, 512, 1)
        graphs[precision] = sum(path.stat().st_size for path in folder.glob("*.onnx"))
    assert graphs["fp16"] < 0.55 * graphs["fp32"]


def test_a_half_set_carries_its_range_report(sets: dict[str, Path]) -> None:
    """The report of a float16 set tells the largest values of each graph and which nodes stay float32."""
    report = json.loads((sets["fp16"] / "ranges.json").read_text(encoding="utf-8"))
    assert set(report["graphs"]) == {path.name for path in sets["fp16"].glob("*.onnx")}
    for graph in report["graphs"].values():
        assert graph["nodes"] > 3
        assert max(graph["largest"].values()) > 0
        assert isinstance(graph["float32_islands"], list)


def test_sets_are_compared_graph_by_graph_and_end_to_end(sets: dict[str, Path]) -> None:
    """A float16 set agrees with its float32 twin in every graph and in the audio."""
    done = call("parity", "--models", sets["fp32"], sets["fp16"])
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("conditioning", "encoder", "flow", "wave", "t2s_step", "lsd dB", "not proven"):
        assert name in done.stdout


def test_different_sets_do_not_pass_as_equal(sets: dict[str, Path], tmp_path: Path) -> None:
    """A set with a graph of other weights fails the comparison."""
    other = tmp_path / "other"
    shutil.copytree(sets["fp32"], other)
    data = bytearray((other / "wave.onnx").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    (other / "wave.onnx").write_bytes(data)
    done = call("parity", "--models", sets["fp32"], other)
    assert done.returncode == 1
    assert "MISS" in done.stdout


def test_convert_explains_itself_and_leaves_nothing(v2: Sources, tmp_path: Path) -> None:
    """A file that cannot be converted ends in one line on stderr, exit status 1, and no set."""
    bad = tmp_path / "bad.pth"
    bad.write_bytes(b"02" + bytes(100))
    done = call("convert", "--gpt", v2.gpt, "--sovits", bad, "--out", tmp_path / "models" / "x")
    assert done.returncode == 1
    assert "GPT-SoVITS v3 file" in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path / "models") == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A golden folder of the sampling part, with a maker of inputs that knows our rules, and one unknown part."""
    cases = json.loads((DATA / "cases.json").read_text(encoding="utf-8"))
    cases["parts"] = {"functions": cases["parts"]["functions"], "novelty_small": {"model": "novelty_small"}}
    (tmp_path / "arrays").mkdir()
    (tmp_path / "manifests").mkdir()
    (tmp_path / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    shutil.copyfile(DATA / "arrays" / "functions.npz", tmp_path / "arrays" / "functions.npz")
    shutil.copyfile(Path(__file__).parent / "rules.py", tmp_path / "make_checkpoint.py")
    return tmp_path


def test_parity_passes_and_lists_what_it_cannot_judge(folder: Path) -> None:
    """A folder within tolerance gives exit status 0 and names the parts that are not supported."""
    done = call("parity", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "novelty_small" in done.stdout
    assert "not supported yet" in done.stdout


def test_parity_fails_on_a_miss(folder: Path) -> None:
    """One golden array that is off by more than its tolerance gives exit status 1 and a marked row."""
    path = folder / "arrays" / "functions.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["s05.probs"] = arrays["s05.probs"] + np.float32(1e-3)
    np.savez(path, **arrays)
    done = call("parity", folder, "--only", "functions")
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if "MISS" in line and "s05.probs" in line]


def test_parity_names_what_is_missing(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An unknown part and a folder that is none end in a sentence and exit status 2."""
    assert "no part is called sovits" in call("parity", folder, "--only", "sovits").stderr
    done = call("parity", tmp_path_factory.mktemp("empty"), "--goldens", folder)
    assert done.returncode == 2
    assert "not a golden folder" in done.stderr


def test_log_spectral_distance_is_in_decibels() -> None:
    """Equal sounds are 0 dB apart, and a sound at a tenth of the level about 20."""
    sound = voice_like(0.5, 32000)
    assert log_spectral_distance(sound, sound) == 0.0
    assert 15 < log_spectral_distance(sound, sound * np.float32(0.1)) <= 20.1
