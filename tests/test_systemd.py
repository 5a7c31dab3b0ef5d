"""The files for systemd, as systemd's own tools read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parent.parent / "systemd"


def tool(name: str) -> str:
    """One of systemd's tools, or a loud skip."""
    found = shutil.which(name) or shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name.upper()} IS NOT INSTALLED: the systemd files were not checked")
    return found


@pytest.mark.parametrize(
    ("name", "program"), [("edge-tts", "edge-ttsd run"), ("edge-tts-button", "python -m tools.enrolling")]
)
def test_the_unit_is_understood(tmp_path: Path, name: str, program: str) -> None:
    """systemd knows every key and value of each unit; only the program's path is replaced by one that exists here."""
    unit = tmp_path / f"{name}.service"
    text = (UNITS / f"{name}.service").read_text()
    assert text.count(f"/opt/edge-tts/.venv/bin/{program}") == 1
    unit.write_text(text.replace(f"/opt/edge-tts/.venv/bin/{program.split()[0]}", "/bin/true"))
    done = subprocess.run([tool("systemd-analyze"), "verify", str(unit)], capture_output=True, text=True, check=False)
    if "Failed to" in done.stderr and "bus" in done.stderr:
        pytest.skip(f"systemd-analyze cannot run here: {done.stderr}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda unit: unit.stem)
def test_the_unit_is_hardened(unit: Path) -> None:
    """systemd's own measure of what an intruder could reach from the unit stays at 2.0 or below."""
    command = [tool("systemd-analyze"), "security", "--offline=yes", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    level = re.search(r"Overall exposure level for .*: (\d+\.\d)", done.stdout)
    if level is None:
        pytest.skip(f"this systemd-analyze measures no units offline: {done.stderr}")
    assert float(level[1]) <= 2.0


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: account and folders were not tried out, for want of chown")
def test_account_and_folders_can_be_made(tmp_path: Path) -> None:
    """The account's and the folders' files are accepted, and the account is in the groups that reach sound and GPU. The
    groups that a unit names are there, or it could not start."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "group").write_text("audio:x:29:\nvideo:x:44:\nrender:x:105:\n")
    accounts = [tool("systemd-sysusers"), f"--root={tmp_path}", str(UNITS / "edge-tts.sysusers")]
    done = subprocess.run(accounts, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    passwd = (tmp_path / "etc" / "passwd").read_text()
    assert "edge-tts:x:" in passwd
    groups = dict(line.split(":", 1) for line in (tmp_path / "etc" / "group").read_text().splitlines())
    members = {name for name, rest in groups.items() if rest.endswith(":edge-tts")}
    assert members == {"audio", "video", "render"}
    for unit in UNITS.glob("*.service"):
        [wanted] = re.findall("^SupplementaryGroups=(.*)$", unit.read_text(), re.MULTILINE)
        assert set(wanted.split()) <= set(groups), unit.name
    folders = [tool("systemd-tmpfiles"), f"--root={tmp_path}", "--create", str(UNITS / "edge-tts.tmpfiles")]
    done = subprocess.run(folders, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "var/lib/edge-tts/models").is_dir()
