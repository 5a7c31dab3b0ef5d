"""Try a Debian package in a clean root: installed without a network, spoken with, updated, removed, purged."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.environment import SetupError, find_program, say
from tools.installing import ACCOUNT, COMPLETIONS, OWN_FOLDERS

_INCLUDE = "python3,python3-venv,libportaudio2,systemd,zsh"
_CONFIG = "/etc/edge-tts/config.yaml"
_VOICES = "/var/lib/edge-tts/voices"
_FOLDERS = " ".join(f"/{folder}" for folder in OWN_FOLDERS)
_STEPS = {
    "installed without a network": "dpkg --install /package.deb",
    "speaks as its own account": f"cd / && runuser -u {ACCOUNT} -- edge-ttsd say 'Good morning.' --out /tmp/spoken.wav",
    "the unit is enabled": "systemctl is-enabled edge-tts",
    "bash completes": f"bash -c '. /{COMPLETIONS['bash']} && complete -p edge-ttsd'",
    "zsh completes": "zsh -c 'autoload -U compinit && compinit -u -D && test -n \"$_comps[edge-ttsd]\"'",
    "a second run changes nothing": "touch /started && /opt/edge-tts/tools/install --no-apt && "
    f"test -z \"$(find /opt /usr/local {_FOLDERS} -type f -newer /started ! -name '*.pyc')\"",
    "an interrupted installation is completed": "rm -r /opt/edge-tts/.venv/bin/pip /opt/edge-tts/.venv/.installed "
    "/usr/local/bin/edge-ttsd && dpkg-reconfigure edge-tts && edge-ttsd --version",
    "a changed configuration stays": f"echo 'device: attic' > {_CONFIG} && touch {_VOICES}/anna && "
    f"dpkg --install /package.deb && grep attic {_CONFIG}",
    "removed, the data left": f"dpkg --remove edge-tts && grep attic {_CONFIG} && test -e {_VOICES}/anna && "
    "! test -e /opt/edge-tts && ! test -e /usr/local/bin/edge-ttsd",
    "installed again with the data": f"dpkg --install /package.deb && grep attic {_CONFIG} && edge-ttsd --version",
    "purged": f'dpkg --purge edge-tts && test -z "$(ls -d /opt/edge-tts {_FOLDERS} 2> /dev/null)" && ! id {ACCOUNT}',
}


def try_package(package: Path) -> None:
    """Raises SetupError that names the step that failed, also where there can be no clean root."""
    if os.geteuid() != 0:
        raise SetupError("a clean root needs root: sudo tools/package --try")
    if missing := [name for name in ("debootstrap", "unshare") if find_program(name) is None]:
        raise SetupError(f"a clean root needs {' and '.join(missing)}: apt install debootstrap")
    with tempfile.TemporaryDirectory(prefix="edge-tts-root-") as folder:
        root = Path(folder)
        root.chmod(0o755)  # the account looks at / too
        say(f"making a clean root with debootstrap (once for each trial; some minutes): {root}")
        _run("clean root", ["debootstrap", "--variant=minbase", f"--include={_INCLUDE}", _suite(), str(root)])
        shutil.copy(package, root / "package.deb")
        for what, command in _STEPS.items():
            _run(what, [*_inside(root), command])
            say(what)


def _suite() -> str:
    try:
        return platform.freedesktop_os_release()["VERSION_CODENAME"]
    except (OSError, KeyError) as missing:
        raise SetupError("/etc/os-release does not name a Debian or Ubuntu") from missing


def _inside(root: Path) -> list[str]:
    """Own mounts, processes and network; the last is empty."""
    separate = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", f"--mount-proc={root}/proc"]
    clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
    return [*separate, "chroot", str(root), *clean, "HOME=/root", "DEBIAN_FRONTEND=noninteractive", "sh", "-ec"]


def _run(what: str, command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", check=False)
    if done.returncode:
        raise SetupError(f"not so: {what}\n{command[-1]}\n{done.stdout.strip()}")
