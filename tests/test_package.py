"""tools/package: what is in the Debian package, and what its scripts do. `tools/package --try` installs a whole one."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.debian_package import build
from tools.environment import ROOT, SetupError, find_program
from tools.installing import OWN_FOLDERS, PARTS

WHEEL = "numpy-2.2.6-cp311-cp311-linux.whl"


def fake_wheels(program: Path) -> None:
    """In place of pip."""
    (program / "wheels").mkdir()
    (program / "wheels" / WHEEL).write_text("a wheel")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of this checkout without the models, unpacked with its scripts in DEBIAN."""
    if find_program("dpkg-deb") is None:
        pytest.skip("NO DPKG-DEB: no package was built")
    folder = tmp_path_factory.mktemp("package")
    for part in PARTS:
        if part in ("models/starter", "models/quality", "wheels"):
            continue
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, folder / part)
    package = build(folder / "dist", wheels=fake_wheels, source=folder)
    assert [path.name for path in (folder / "dist").iterdir()] == [package.name]
    subprocess.run(["dpkg-deb", "--raw-extract", package, folder / "unpacked"], check=True)
    return folder / "unpacked"


def test_the_package_holds_the_program_and_the_wheels(unpacked: Path) -> None:
    """What tools/install needs lies in /opt/edge-tts, readable by all, without bytecode and other files."""
    program = unpacked / "opt/edge-tts"
    assert (program / "wheels" / WHEEL).read_text() == "a wheel"
    assert (program / "config.yaml").read_bytes() == (ROOT / "config.yaml").read_bytes()
    assert {path.name for path in program.iterdir()} <= {part.split("/")[0] for part in PARTS}
    assert not [path for path in unpacked.rglob("*") if path.suffix == ".pyc" or path.name == "__pycache__"]
    assert all(path.stat().st_mode & 0o5 >= (5 if path.is_dir() else 4) for path in program.rglob("*"))
    assert os.access(program / "tools/install", os.X_OK)


def test_the_package_names_what_it_needs(unpacked: Path) -> None:
    """Debian's own tool reads the fields; the Python that the wheels are for is the only one that is accepted."""
    fields = subprocess.run(
        ["dpkg-deb", "--field", next((unpacked.parent / "dist").iterdir())], capture_output=True, text=True, check=True
    ).stdout
    assert "Package: edge-tts\n" in fields
    assert "Depends: python3 (>= 3." in fields
    assert "python3 (<< 3." in fields


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
@pytest.mark.parametrize("action", ["configure", "remove", "purge", "upgrade", "abort-upgrade"])
def test_the_scripts_call_the_tools(script: str, action: str, unpacked: Path, tmp_path: Path) -> None:
    """Installing and removing call tools/install and tools/uninstall, a purge removes what is the owner's, and
    everything else, an upgrade above all, touches nothing. No script runs against this machine: its commands are
    stand-ins."""
    for name in ("python3", "rm", "id", "userdel"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", unpacked / "DEBIAN" / script, action],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = {
        ("postinst", "configure"): "python3 -B /opt/edge-tts/tools/install --no-apt\n",
        ("prerm", "remove"): "python3 -B /opt/edge-tts/tools/uninstall\n",
        ("postrm", "purge"): f"rm -rf {' '.join(f'/{folder}' for folder in OWN_FOLDERS)}\nuserdel edge-tts\n",
    }
    assert done.stdout == expected.get((script, action), "")


def test_a_package_that_cannot_be_whole_is_not_written(tmp_path: Path) -> None:
    """Wheels that cannot be had leave no file behind that looks like a package."""
    if find_program("dpkg-deb") is None:
        pytest.skip("NO DPKG-DEB: no package was built")

    def refuse(program: Path) -> None:
        raise SetupError("no network")

    (tmp_path / "source" / "edge_tts").mkdir(parents=True)
    with pytest.raises(SetupError, match="no network"):
        build(tmp_path / "dist", wheels=refuse, source=tmp_path / "source")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("module", ["installing", "debian_package", "debian_trial", "environment"])
def test_what_runs_before_there_is_an_environment_needs_none(module: str) -> None:
    """The modules behind tools/install import the standard library and each other alone."""
    tree = ast.parse((ROOT / "tools" / f"{module}.py").read_text(encoding="utf-8"))
    found = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    foreign = {name for name in found if name.split(".")[0] not in (*sys.stdlib_module_names, "tools")}
    assert foreign == set()
