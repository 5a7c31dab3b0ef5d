"""tools/environment.py: what is installed, and what a second run leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import environment
from tools.environment import SetupError, try_extra


@pytest.mark.parametrize("had", [True, False])
def test_an_extra_that_can_be_done_without_is_tried_once(
    had: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Had or not, a second run does not ask for it again until setup.py changes; one that cannot be had is told in a
    line and ends nothing."""
    asked: list[tuple[str, ...]] = []

    def ensure(*, extras: list[str]) -> None:
        asked.append(tuple(extras))
        if not had:
            raise SetupError("pip could not install\nno such wheel for this machine")

    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setattr(environment, "ensure_package", ensure)
    monkeypatch.setattr(environment, "_fingerprint", lambda: "first")
    for _ in range(2):
        try_extra("rare", otherwise="it is done without")
    told = capsys.readouterr().out
    assert told == ("" if had else "  it is done without (no such wheel for this machine)\n")
    monkeypatch.setattr(environment, "_fingerprint", lambda: "second")
    try_extra("rare", otherwise="it is done without")
    assert asked == [("rare",), ("rare",)]


@pytest.mark.parametrize("shipped", [True, False])
def test_wheels_that_are_shipped_are_all_that_pip_looks_at(
    shipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the folder of a Debian package beside the program the network is not asked, without it PyPI is."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "pip").touch()
    (tmp_path / "setup.py").touch()
    (tmp_path / "wheels").mkdir()
    if shipped:
        (tmp_path / "wheels" / "numpy.whl").touch()
    commands: list[list[str]] = []
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "_run_with_progress", lambda command, trouble: commands.append(command))
    environment.ensure_package()
    [command] = commands
    assert (["--no-index", "--find-links", str(tmp_path / "wheels")] == command[5:8]) is shipped
    assert ("--no-index" in command) is shipped


def test_a_tool_imports_nothing_from_the_working_folder(tmp_path: Path) -> None:
    """A json.py beside a download is not run by the tool that is started there."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported from the working folder')\n")
    command = [sys.executable, "-c", environment._RUN, "tools.endurance.soaking", "--help"]
    places = {"PYTHONPATH": str(environment.ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **places}, capture_output=True, text=True, check=False
    )
    assert "usage: tools/soak" in done.stdout, done.stderr
