"""Make a checkout runnable: system packages, a virtual environment, the package in it. Standard library only.

What is there already is left alone, so a second run needs neither the network nor root.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
_RUN = (
    "import sys; sys.path.remove(''); import runpy; module = sys.argv.pop(1); "
    "runpy.run_module(module, run_name='__main__', alter_sys=True)"
)
"""As `python -m`, but nothing is imported from the working folder, where downloads may lie."""
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


class SetupError(Exception):
    """The environment cannot be made; the message says what to do about it."""


def find_program(name: str) -> str | None:
    """A program on the PATH or in the system folders that a plain user's PATH lacks."""
    return shutil.which(name) or shutil.which(name, path=_SBIN)


def ensure_system_packages(*, clients: bool = False, audio_server: bool = False) -> None:
    """Install with apt what is missing: a broker and, to make virtual environments, ensurepip. PortAudio is welcome but
    not required, and so is, for tests, an audio server. Raises SetupError when a required one cannot be had."""
    missing = []
    if find_program("mosquitto") is None:
        missing.append("mosquitto")
    if clients and find_program("mosquitto_pub") is None:
        missing.append("mosquitto-clients")
    if not PYTHON.exists() and importlib.util.find_spec("ensurepip") is None:
        missing.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    if missing:
        _apt_install(missing)
    if ctypes.util.find_library("portaudio") is None:
        try:
            _apt_install(["libportaudio2"])
        except SetupError as refused:
            say(f"no loudspeaker without PortAudio ({refused})")
    plugin = any(Path("/usr/lib").glob("**/alsa-lib/libasound_module_pcm_pulse.so"))
    if audio_server and not (plugin and find_program("pulseaudio") and find_program("pacat")):
        try:
            _apt_install(["pulseaudio", "pulseaudio-utils", "libasound2-plugins"])
        except SetupError as refused:
            say(f"the real audio path will not be tested ({refused})")


def ensure_package(*, extras: Sequence[str] = ()) -> None:
    """Make .venv and install this checkout into it, editable, with `extras`, from PyPI or the folder `wheels` that a
    Debian package brings; skipped while setup.py is the one that was installed last time. Raises SetupError."""
    if sys.version_info < (3, 10):  # noqa: UP036 - this file runs before any packaging rule is checked
        raise SetupError(f"Python 3.10 or newer is needed; this is {sys.version.split()[0]}")
    if not (VENV / "bin" / "pip").exists():  # an interrupted attempt leaves python without pip
        say("making .venv")
        # TensorRT's Python module comes with JetPack, not from PyPI: then the system's packages must be visible.
        system = ["--system-site-packages"] if importlib.util.find_spec("tensorrt") else []
        _run([sys.executable, "-m", "venv", *system, str(VENV)], "the virtual environment could not be made")
    stamp, fingerprint = VENV / ".installed", _fingerprint()
    noted, *have = stamp.read_text().split() if stamp.exists() else [""]
    if noted == fingerprint and set(extras) <= set(have):
        return
    wanted = sorted({*extras, *have})
    target = f"{ROOT}[{','.join(wanted)}]" if wanted else str(ROOT)
    say("installing the package and what it needs (once; some minutes on a slow line)")
    wheels = ROOT / "wheels"
    shipped = ["--no-index", "--find-links", str(wheels)] if any(wheels.glob("*.whl")) else []
    doubt = f"has {wheels} all of it for this Python?" if shipped else "is PyPI reachable?"
    _run_with_progress(
        [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *shipped, "--editable", target],
        f"pip could not install the package: {doubt}",
    )
    stamp.write_text(" ".join([fingerprint, *wanted]))


def try_extra(extra: str, *, otherwise: str) -> None:
    """Install an extra that can be done without, and say what happens `otherwise`. It is tried once for each setup.py,
    so that a second run does not wait for the network."""
    tried, fingerprint = VENV / f".tried-{extra}", _fingerprint()
    if tried.exists() and tried.read_text() == fingerprint:
        return
    try:
        ensure_package(extras=[extra])
    except SetupError as refused:
        say(f"{otherwise} ({str(refused).splitlines()[-1]})")
    tried.write_text(fingerprint)


def launch(module: str, *, extras: Sequence[str] = ()) -> NoReturn:
    """Run `python -m module` on this process' arguments in the checkout's environment, which is made first if missing.

    The module takes this process over; when that fails, the process ends with status 1. Progress goes to stderr, so
    that what the module prints can be piped.
    """
    try:
        if extras or Path(sys.prefix).resolve() != VENV.resolve():
            with contextlib.redirect_stdout(sys.stderr):
                ensure_package(extras=extras)
    except SetupError as trouble:
        sys.exit(f"{Path(sys.argv[0]).name}: {trouble}")
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    os.execve(PYTHON, [str(PYTHON), "-c", _RUN, module, *sys.argv[1:]], environment)


def say(text: str) -> None:
    """A line of progress."""
    print(f"  {text}", flush=True)


def _fingerprint() -> str:
    facts = f"{ROOT} {PYTHON.resolve()} ".encode() + (ROOT / "setup.py").read_bytes()
    return hashlib.sha256(facts).hexdigest()


def _apt_install(packages: Sequence[str]) -> None:
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise SetupError(f"please install {names} (this is not a Debian or Ubuntu system)")
    root = [] if os.geteuid() == 0 else ["sudo"]
    if root and shutil.which("sudo") is None:
        raise SetupError(f"please run as root: apt-get install {names}")
    say(f"installing {names} with apt")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run([*root, "apt-get", "-qq", *command], env=quiet, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise SetupError(f"apt-get install {names} failed")


def _run(command: Sequence[str], trouble: str) -> None:
    # Not from the caller's folder, where downloads may lie that Python would import.
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SetupError(f"{trouble}\n{done.stdout.strip()}")


def _run_with_progress(command: Sequence[str], trouble: str) -> None:
    """Run pip and show which package it is at: one changing line on a terminal, otherwise a line per package."""
    tail: list[str] = []
    began, terminal = time.monotonic(), sys.stdout.isatty()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail = [*tail[-20:], line.rstrip()]
            words = line.split()
            if words and words[0] in ("Collecting", "Downloading", "Building", "Installing"):
                shown = f"  {time.monotonic() - began:4.0f} s  {' '.join(words)[:70]}"
                if terminal:
                    print(f"\r\033[K{shown}", end="", flush=True)
                elif words[0] in ("Collecting", "Installing"):
                    print(shown, flush=True)
    if terminal:
        print("\r\033[K", end="")
    if process.returncode:
        raise SetupError("\n".join([trouble, *tail]))
    say(f"installed in {time.monotonic() - began:.0f} s")
