"""Build the Debian package: what tools/install copies, and wheels; the package's scripts run tools/install."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tools.environment import ROOT, SetupError, find_program, say
from tools.installing import ACCOUNT, OWN_FOLDERS, PARTS, mirror, system_python

NAME = "edge-tts"
EXTRAS = ("completion", "fleet", "http", "wyoming")
"""With wheels in the package; `completion` is installed, the others by `tools/install --extra`."""
PROGRAM = "opt/edge-tts"
_CONTROL = """Package: {name}
Version: {version}
Architecture: {arch}
Maintainer: edge-tts
Section: sound
Priority: optional
Installed-Size: {kilobytes}
Depends: python3 (>= {python}), python3 (<< {next_python}~), python3-venv, libportaudio2, systemd, passwd
Recommends: mosquitto
Description: on-device speech in an enrolled voice, asked for over MQTT
 A line of text arrives over MQTT, and the room hears it in a voice its owner
 enrolled. GPT-SoVITS does the speaking, on the device.
"""
_FOLDERS = [f"/{folder}" for folder in OWN_FOLDERS]
_PURGE = f"rm -rf {' '.join(_FOLDERS)}; if id {ACCOUNT} > /dev/null 2>&1; then userdel {ACCOUNT}; fi"
_VERSION = "import sys; print(*sys.version_info[:2])"
_SCRIPTS = {
    "postinst": f'if [ "$1" = configure ]; then python3 -B /{PROGRAM}/tools/install --no-apt; fi',
    "prerm": f'if [ "$1" = remove ]; then python3 -B /{PROGRAM}/tools/uninstall; fi',
    # The program is gone by then, so this is tools/uninstall --purge once more.
    "postrm": f'if [ "$1" = purge ]; then {_PURGE}; fi',
}


def build(out: Path, *, wheels: Callable[[Path], None], source: Path = ROOT) -> Path:
    """Write the package into `out`, whole or not at all. `wheels` puts wheels into the program folder it is given.
    Raises SetupError, OSError."""
    if find_program("dpkg-deb") is None:
        raise SetupError("there is no dpkg-deb on this system: build on the Debian or Ubuntu that it is for")
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder, "stage")
        for part in PARTS:
            mirror(source / part, stage / PROGRAM / part)
        wheels(stage / PROGRAM)
        name = _write_control(stage)
        made = Path(folder, name)
        _run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(stage), str(made)])
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, out / f".{name}")
    return Path(out, f".{name}").replace(out / name)


def pip_wheels(program: Path) -> None:
    """What the installation asks for, and setuptools to build with, as wheels for the system's Python."""
    say("fetching the wheels (once for each package; some minutes on a slow line)")
    target = f"{program}[{','.join(EXTRAS)}]"
    with tempfile.TemporaryDirectory() as folder:  # an environment, because the system's Python may have no pip
        _run([system_python(), "-m", "venv", folder])
        pip = [f"{folder}/bin/python", "-m", "pip", "wheel", "--quiet", "--wheel-dir", f"{program}/wheels"]
        _run([*pip, target, "setuptools"])
    for made in (*program.glob("wheels/edge_ttsd-*.whl"), *program.glob("*.egg-info"), program / "build"):
        shutil.rmtree(made) if made.is_dir() else made.unlink(missing_ok=True)


def _write_control(stage: Path) -> str:
    """The folder DEBIAN; the package's file name."""
    major, minor = (int(part) for part in _run([system_python(), "-c", _VERSION]).split())
    size = sum(path.stat().st_size for path in stage.rglob("*") if path.is_file())
    facts = {
        "name": NAME,
        "version": _version(stage / PROGRAM),
        "arch": _run(["dpkg", "--print-architecture"]).strip(),
        "kilobytes": str(size // 1024),
        "python": f"{major}.{minor}",
        "next_python": f"{major}.{minor + 1}",
    }
    control = stage / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(_CONTROL.format(**facts))
    for name, line in _SCRIPTS.items():
        (control / name).write_text(f"#!/bin/sh\nset -e\n{line}\n")
        (control / name).chmod(0o755)
    for folder in (stage, *(path for path in stage.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    return "{name}_{version}_{arch}.deb".format(**facts)


def _version(program: Path) -> str:
    lines = (program / "edge_tts" / "__init__.py").read_text(encoding="utf-8").splitlines()
    return next(line.split('"')[1] for line in lines if line.startswith("__version__"))


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise SetupError(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout
