"""tools/install and tools/uninstall, below a root of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import installing
from tools.environment import ROOT, SetupError, find_program
from tools.installing import COMPLETE, COMPLETIONS, PARTS, Site, install, mirror, uninstall

NEEDED = ("systemctl", "systemd-sysusers", "systemd-tmpfiles", "userdel")
CONFIG = "device: attic\n"


def fake_environment(program: Path, extras: Sequence[str]) -> None:
    """In place of minutes of pip: a .venv whose python writes a completion."""
    binaries = program / ".venv" / "bin"
    if binaries.exists():
        return
    binaries.mkdir(parents=True)
    (binaries / "python").write_text('#!/bin/sh\necho "completion for $5"\n')
    (binaries / "python").chmod(0o755)
    (binaries / "edge-ttsd").touch()
    (program / ".venv" / ".installed").write_text(" ".join(extras))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    if os.geteuid() != 0:
        pytest.skip("NOT ROOT: nothing was installed, for want of chown")
    if missing := [name for name in NEEDED if find_program(name) is None]:
        pytest.skip(f"NO {', '.join(missing).upper()}: nothing was installed")
    monkeypatch.setattr(installing, "_make_environment", fake_environment)
    return Site(root=tmp_path / "root")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout whose folders hold little but what `install` looks at."""
    for part in PARTS:
        whole = ROOT / part
        if part == "systemd":
            shutil.copytree(whole, tmp_path / "source" / part)
        elif whole.is_dir():
            (tmp_path / "source" / part / "deep").mkdir(parents=True)
            (tmp_path / "source" / part / "deep" / "file").write_text(part)
        elif whole.exists():
            shutil.copy(whole, tmp_path / "source" / part)
    return tmp_path / "source"


def put(site: Site, source: Path) -> None:
    site.root.mkdir(exist_ok=True)
    install(site, source=source)


def picture(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path below `root`: mode, owner, when a file was changed, where a link leads."""
    seen: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        link = os.readlink(path) if path.is_symlink() else ""
        changed = 0 if path.is_dir() else facts.st_mtime_ns  # systemd's tools make and remove files beside their own
        seen[str(path.relative_to(root))] = (facts.st_mode, facts.st_uid, facts.st_gid, changed, link)
    return seen


def test_everything_is_where_the_units_expect_it(site: Site, source: Path) -> None:
    """One run makes program, account, folders, configuration, model sets, command, completions and an enabled unit."""
    put(site, source)
    enabled = site.root / "etc/systemd/system/multi-user.target.wants"
    assert [path.name for path in enabled.iterdir()] == ["edge-tts.service"]
    for program in ("/opt/edge-tts/.venv/bin/edge-ttsd", "/opt/edge-tts/.venv/bin/python"):
        assert (site.root / program[1:]).exists()
    assert os.readlink(site.link) == "/opt/edge-tts/.venv/bin/edge-ttsd"
    assert os.readlink(site.models / "starter") == "/opt/edge-tts/models/starter"
    assert (site.program / "models/quality/deep/file").read_text() == "models/quality"
    assert {name: (site.root / place).read_text() for name, place in COMPLETIONS.items()} == {
        name: f"completion for {name}\n" for name in COMPLETIONS
    }
    account = (site.root / "etc/passwd").read_text().split(":")
    assert account[0] == "edge-tts"
    assert site.config.read_bytes() == (source / "config.yaml").read_bytes()
    assert (site.config.stat().st_mode & 0o777, site.config.stat().st_gid) == (0o640, int(account[3]))
    assert (site.root / "var/lib/edge-tts/voices").stat().st_uid == int(account[2])


def test_a_second_run_changes_nothing(site: Site, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No file, mode, owner or time is another one, and nothing is reported, also where the owner has disabled the unit
    and changed the configuration."""
    put(site, source)
    site.config.write_text(CONFIG)
    subprocess.run(["systemctl", f"--root={site.root}", "--quiet", "disable", "edge-tts"], check=True)
    before = picture(site.root)
    capsys.readouterr()
    put(site, source)
    assert picture(site.root) == before
    assert capsys.readouterr().out == ""


STEPS = (
    "_make_environment",
    "_make_account",
    "_write_config",
    "_link",
    "_write_completions",
    "_write_units",
    "_systemctl",
)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("late", [False, True])
def test_an_interrupted_run_is_completed_by_the_next(
    step: str, late: bool, site: Site, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended before or after any step, the next run makes what an uninterrupted one would have made."""
    real = getattr(installing, step)

    def interrupted(*arguments: object) -> object:
        if late:
            real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(installing, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(site, source)
    monkeypatch.setattr(installing, step, real)
    put(site, source)
    whole = Site(root=tmp_path / "whole")
    put(whole, source)
    one, other = picture(site.root), picture(whole.root)
    assert {name: (facts[0], facts[4]) for name, facts in one.items()} == {
        name: (facts[0], facts[4]) for name, facts in other.items()
    }


def test_an_interrupted_copy_is_completed_by_the_next(
    site: Site, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run that ended while it copied has left is taken neither for the whole nor for a stranger's."""
    real, copied = installing._copy_file, []

    def interrupted(one: Path, other: Path) -> bool:
        copied.append(other)
        if len(copied) == 3:
            other.parent.mkdir(parents=True)
            other.with_name(f".{other.name}.part").write_text("half")
            raise KeyboardInterrupt
        return real(one, other)

    monkeypatch.setattr(installing, "_copy_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put(site, source)
    monkeypatch.setattr(installing, "_copy_file", real)
    put(site, source)
    assert (site.program / "config.yaml").read_bytes() == (source / "config.yaml").read_bytes()
    assert not list(site.program.rglob("*.part"))


def test_an_update_leaves_the_owners_configuration(site: Site, source: Path) -> None:
    """A newer checkout brings new files and takes old ones away; config.yaml stays as its owner has it."""
    put(site, source)
    site.config.write_text(CONFIG)
    (source / "edge_tts/deep/file").unlink()
    (source / "edge_tts/new").write_text("new")
    (source / "config.yaml").write_text("device: newer\n")
    put(site, source)
    assert sorted(path.name for path in (site.program / "edge_tts").rglob("*") if path.is_file()) == ["new"]
    assert site.config.read_text() == CONFIG
    assert (site.program / "config.yaml").read_text() == "device: newer\n"


@pytest.mark.parametrize("place", ["/opt/edge-tts", "/elsewhere"])
def test_a_running_daemon_is_restarted_for_what_is_new_alone(
    place: str, site: Site, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update, of a copy or where the program lies, and after a run that ended before the restart; a run that
    finds nothing new does not interrupt it."""
    checkout = site.root / place[1:]
    shutil.copytree(source, checkout)
    real, told = installing._run, list[str]()

    def run(program: str, *arguments: str) -> str:
        if not any(word in ("daemon-reload", "restart") for word in arguments):
            return real(program, *arguments)
        told.append(arguments[-1])
        return ""

    monkeypatch.setattr(installing, "_run", run)
    monkeypatch.setattr(installing, "_is_active", lambda: True)
    monkeypatch.setattr(Site, "is_running", True)
    put(site, checkout)
    assert told == ["daemon-reload", "edge-tts.service"]
    put(site, checkout)
    assert told[2:] == ["daemon-reload"]
    (checkout / "edge_tts/deep/file").write_text("newer")
    with monkeypatch.context() as patch:
        patch.setattr(installing, "_write_units", lambda site: sys.exit("interrupted"))
        with pytest.raises(SystemExit):
            put(site, checkout)
    put(site, checkout)
    assert told[3:] == ["daemon-reload", "edge-tts.service"]


def test_what_is_not_ours_is_kept(site: Site, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A command and a model set of the same names are neither replaced nor removed, and the owner is told."""
    for place in (site.link, site.models / "starter" / "manifest.json"):
        place.parent.mkdir(parents=True)
        place.write_text("the owner's")
    put(site, source)
    told = capsys.readouterr().out
    assert f"kept {site.link}" in told
    assert f"kept {site.models / 'starter'}" in told
    uninstall(site)
    assert site.link.read_text() == (site.models / "starter" / "manifest.json").read_text() == "the owner's"


def test_a_folder_of_someone_else_is_not_written_into(site: Site, source: Path) -> None:
    """Something else in /opt/edge-tts ends the run with a word, and is as it was."""
    site.program.mkdir(parents=True)
    (site.program / "precious").write_text("the owner's")
    with pytest.raises(SetupError, match="was not put there by tools/install"):
        put(site, source)
    assert [path.name for path in site.program.iterdir()] == ["precious"]


def test_uninstall_leaves_data_and_a_purge_does_not(site: Site, source: Path) -> None:
    """Configuration, voices and account outlast an uninstall, and are there for the next install; a purge leaves
    nothing but what belongs to the system."""
    put(site, source)
    site.config.write_text(CONFIG)
    (site.root / "var/lib/edge-tts/voices/anna").write_text("voice")
    (site.root / "etc/systemd/system/edge-tts.service.d").mkdir()
    (site.root / "etc/systemd/system/edge-tts.service.d/override.conf").write_text("[Service]")
    uninstall(site)
    assert not site.program.exists()
    left = {name.split("/")[0] for name, facts in picture(site.root).items() if (site.root / name).is_file()}
    assert left == {"etc", "var"}
    assert not list(site.models.iterdir())
    put(site, source)
    assert site.config.read_text() == CONFIG
    assert (site.root / "var/lib/edge-tts/voices/anna").read_text() == "voice"
    uninstall(site, purge=True)
    uninstall(site, purge=True)
    files = [name for name in picture(site.root) if not (site.root / name).is_dir()]
    assert all(name.startswith("etc/") and name.count("/") == 1 for name in files), files
    assert "edge-tts" not in (site.root / "etc/passwd").read_text()


def test_an_interrupted_uninstall_is_completed_by_the_next(
    site: Site, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended while the program's folder is deleted, whichever part went first, the rest is still known to be a copy."""
    put(site, source)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda place: sys.exit("interrupted"))
        with pytest.raises(SystemExit):
            uninstall(site)
    assert site.copied.exists()
    uninstall(site)
    assert not site.program.exists()


def test_uninstall_leaves_a_checkout_that_was_installed_in_place(site: Site, source: Path) -> None:
    """A checkout in /opt/edge-tts is used where it lies, and is afterwards what it was before."""
    site.program.parent.mkdir(parents=True)
    shutil.copytree(source, site.program)
    before = sorted(path.relative_to(site.program) for path in site.program.rglob("*"))
    install(site, source=site.program)
    uninstall(site)
    assert sorted(path.relative_to(site.program) for path in site.program.rglob("*")) == before


def test_the_copy_of_a_program_can_be_read_by_its_account(tmp_path: Path) -> None:
    """Modes are those of a program whatever the checkout's: the account is neither its owner nor in its group."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    for name, mode in (("script", 0o700), ("text", 0o600)):
        (source / name).write_text(name)
        (source / name).chmod(mode)
    assert mirror(source, target)
    assert [(target / name).stat().st_mode & 0o777 for name in ("script", "text")] == [0o755, 0o644]
    assert not mirror(source, target)


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_a_completion_knows_every_command(shell: str) -> None:
    """What is made of the command's own parser is a script that the shell reads, with commands and options."""
    done = subprocess.run([sys.executable, *COMPLETE, shell], cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(word in done.stdout for word in ("doctor", "--bench", "lexicon", "undelete", "--fragment-interval"))
    if find_program(shell) is None:
        pytest.skip(f"NO {shell.upper()}: its completion was not read by it")
    assert subprocess.run([shell, "-n"], input=done.stdout, text=True, check=False).returncode == 0


def test_everything_that_an_installation_needs_is_in_a_checkout() -> None:
    """Every part that is copied exists, and every room that the package's metadata and the units name is among them."""
    assert [part for part in PARTS if part != "wheels" and not (ROOT / part).exists()] == []
    assert {"edge_tts", "tools", "setup.py", "systemd"} <= set(PARTS)
