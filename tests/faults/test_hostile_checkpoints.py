"""`tools/convert` with files that were made to do harm, and killed in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fakes import WAIT_S

from tests.convert.golden import Goldens
from tests.convert.torch_files import Raw, write_torch

ROOT = Path(__file__).resolve().parents[2]
DEEP = b"}" + b"K\x00" + b"\x85" * 700_000 + b"K\x01s"
"""A dict whose key is a tuple in a tuple in a tuple ...: who hashes it runs out of stack."""
DOUBLED = b"\x8c\x05torchK\x00" + b"".join(b"q%ch%c\x86" % (index, index) for index in range(60)) + b"\x93"
"""A name that is a tuple of two of a tuple of two ...: who prints it is never done."""


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "tools" / "convert"), *map(str, arguments)]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    Goldens().write_checkpoint("t2s_v2_small", folder / "gpt")
    Goldens().write_checkpoint("sovits_v2_small", folder / "sovits")
    write_torch(folder / "deep", {"weight": Raw(DEEP), "config": {}})
    write_torch(folder / "doubled", {"weight": Raw(DOUBLED), "config": {}})
    (folder / "pointer").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 155\n")
    (folder / "page").write_bytes(b"<!DOCTYPE html><html>")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("deep", "a tuple for a key"),
        ("doubled", "a name that is no text"),
        ("pointer", "a Git LFS pointer"),
        ("page", "a web page"),
        ("absent", "cannot be read (No such file or directory)"),
        (".", "is a folder; give the file in it"),
        ("/dev/zero", "is a pipe or device"),
        ("pipe", "is a pipe or device"),
    ],
)
def test_a_hostile_file_is_one_line(name: str, complaint: str, checkpoints: Path, tmp_path: Path) -> None:
    """Given as the last of the files it ends the tool with one line that names it, and no graph was begun."""
    out = tmp_path / "models" / "x"
    arguments = ("--gpt", checkpoints / "gpt", "--sovits", checkpoints / name, "--out", out)
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert complaint in done.stderr.splitlines()[-1]
    assert str(checkpoints / name) in done.stderr.splitlines()[-1]
    assert ".onnx" not in done.stderr
    assert os.listdir(out.parent) == []


def test_a_killed_conversion_leaves_nothing_for_good(checkpoints: Path, tmp_path: Path) -> None:
    """What `kill -9` leaves is cleared by the next run, which makes the set."""
    out = tmp_path / "models" / "x"
    arguments = ("--gpt", checkpoints / "gpt", "--sovits", checkpoints / "sovits", "--out", out)
    process = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + WAIT_S
    while not list(out.parent.glob(".x.converting.*/set/*.onnx")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert len(os.listdir(out.parent)) == 1
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.listdir(out.parent) == ["x"]
