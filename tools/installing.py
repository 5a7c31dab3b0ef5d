"""Make a system service of this checkout, and take it away again: `tools/install`, `tools/uninstall`.

The Debian package does the same. Runs as root with the system's Python, standard library only. Each step looks at what
is there and does what is missing, so a second run changes nothing and the next run completes one that was interrupted.
Everything lies below `root`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.environment import ROOT, SetupError, ensure_system_packages, find_program, say

ACCOUNT = "edge-tts"
PARTS = (
    *("edge_tts", "tools", "docs", "systemd", "models/starter", "models/quality", "wheels", "config.yaml"),
    *("setup.py", "pyproject.toml", "README.md", "README.zh.md", "CHANGELOG.md", "LICENSE"),
)
"""What of a checkout is installed. `wheels` is only in a Debian package: what pip would fetch otherwise."""
MODELS = ("starter", "quality")
DAEMON, BUTTON = "edge-tts.service", "edge-tts-button.service"
COMPLETE = ("-m", "shtab", "edge_tts.cli.main._parser", "--shell")
OWN_FOLDERS = (
    *("etc/edge-tts", "var/lib/edge-tts", "var/cache/edge-tts"),
    *(f"etc/systemd/system/{unit}.d" for unit in (DAEMON, BUTTON)),
)
"""The owner's: removed by a purge alone."""
COMPLETIONS = {
    "bash": "usr/local/share/bash-completion/completions/edge-ttsd",
    "zsh": "usr/local/share/zsh/site-functions/_edge-ttsd",
}
_ENVIRONMENT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from tools import environment\n"
    "try: environment.ensure_package(extras=sys.argv[2:])\n"
    "except environment.SetupError as trouble: sys.exit(str(trouble))"
)


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where things lie, below another root than / for an attempt or a test."""

    root: Path = Path("/")

    @property
    def program(self) -> Path:
        return self.root / "opt" / "edge-tts"

    @property
    def command(self) -> Path:
        return self.program / ".venv" / "bin" / "edge-ttsd"

    @property
    def link(self) -> Path:
        return self.root / "usr" / "local" / "bin" / "edge-ttsd"

    @property
    def units(self) -> Path:
        """systemd reads this folder, and what the owner puts into /etc/systemd/system comes before it."""
        return self.root / "usr" / "local" / "lib" / "systemd" / "system"

    @property
    def config(self) -> Path:
        return self.root / "etc" / "edge-tts" / "config.yaml"

    @property
    def models(self) -> Path:
        return self.root / "var" / "lib" / "edge-tts" / "models"

    @property
    def copied(self) -> Path:
        """Marks a program folder as a copy made by `install`, which `uninstall` may delete."""
        return self.program / ".copied"

    @property
    def complete(self) -> Path:
        """Fingerprint of what the last whole run installed. The unit is enabled by the first only."""
        return self.program / ".complete"

    @property
    def is_running(self) -> bool:
        """This machine's own root, with systemd at work."""
        return self.root == Path("/") and Path("/run/systemd/system").is_dir()

    def inside(self, path: Path) -> str:
        """`path` as it is called by who has `root` as /."""
        return "/" + str(path.relative_to(self.root))


def install(
    site: Site, *, extras: Sequence[str] = (), start: bool = True, apt: bool = True, source: Path = ROOT
) -> None:
    """Install `source`, and start the service where systemd runs. Raises SetupError, OSError."""
    _check_root()
    os.umask(0o022)
    if apt and site.root == Path("/"):
        ensure_system_packages(clients=True)
    _copy_program(site, source)
    _make_environment(site.program, ["completion", *extras])
    _make_account(site)
    _write_config(site)
    for name in MODELS:
        _link(site, site.models / name, site.program / "models" / name)
    _link(site, site.link, site.command)
    _write_completions(site)
    _write_units(site)
    _bring_up(site, start=start)


def uninstall(site: Site, *, purge: bool = False) -> None:
    """Remove what `install` made; configuration, voices, models and the account only with `purge`. Raises SetupError,
    OSError."""
    _check_root()
    _stop_units(site)
    for place in (site.units / DAEMON, site.units / BUTTON, *(site.root / place for place in COMPLETIONS.values())):
        _remove(place)
    for link in (site.link, *(site.models / name for name in MODELS)):
        if link.is_symlink() and os.readlink(link).startswith(site.inside(site.program) + "/"):
            _remove(link)
    _remove_program(site)
    if site.is_running:
        _run("systemctl", "daemon-reload")
    if purge:
        for folder in OWN_FOLDERS:
            _remove(site.root / folder)
        _remove_account(site)
    else:
        left = [f"/{folder}" for folder in OWN_FOLDERS if (site.root / folder).exists()]
        say(f"left as they are: {', '.join(left)} (--purge removes them)" if left else "nothing else is there")


def system_python() -> str:
    """The Python of the system, which every account may run and which sees JetPack's modules."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def mirror(source: Path, target: Path) -> bool:
    """Make `target` the same file or folder as `source`, each file by one rename; whether anything was different.
    Bytecode is neither copied nor removed. Modes are those of a program: readable by all."""
    wanted = set(_files(source))
    changed = False
    for name in sorted(set(_files(target)) - wanted):
        (target / name).unlink()
        changed = True
    for name in sorted(wanted):
        changed |= _copy_file(source / name, target / name)
    return changed


def _files(place: Path) -> Iterator[Path]:
    """Relative names of the files in a folder, `.` for a file; nothing where nothing is."""
    if place.is_file():
        yield Path()
    for home, folders, names in os.walk(place):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.endswith(".egg-info")]
        yield from (Path(home, name).relative_to(place) for name in names)


def _copy_file(source: Path, target: Path) -> bool:
    mode = 0o755 if source.stat().st_mode & 0o100 else 0o644
    if target.is_file() and target.stat().st_mode & 0o777 == mode and _same(source, target):
        return False
    _write(target, source.read_bytes(), mode)
    return True


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _write(target: Path, data: bytes, mode: int, group: int = 0) -> None:
    """Whole or not at all, also when the power fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with part.open("wb") as file:
        os.fchmod(file.fileno(), mode)
        if os.geteuid() == 0:  # a package is built by anybody
            os.fchown(file.fileno(), 0, group)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def _copy_program(site: Site, source: Path) -> None:
    program = site.program
    if program.exists() and program.resolve() == source.resolve():
        return
    if program.exists() and any(program.iterdir()) and not site.copied.exists():
        raise SetupError(f"{program} is there and was not put there by tools/install: move it away, or run its own")
    missing = [part for part in PARTS if part != "wheels" and not (source / part).exists()]
    if missing:
        raise SetupError(f"{source} is not a whole checkout: it lacks {', '.join(missing)}")
    if not site.copied.exists():
        program.mkdir(parents=True, exist_ok=True)
        site.copied.touch()
    changed = [part for part in PARTS if mirror(source / part, program / part)]
    if changed:
        say(f"copied to {program}: {', '.join(changed)}")


def _make_environment(program: Path, extras: Sequence[str]) -> None:
    """The program's own .venv, by the program's own tools/environment.py."""
    done = subprocess.run([system_python(), "-c", _ENVIRONMENT, str(program), *extras], cwd="/", check=False)
    if done.returncode:
        raise SetupError(f"the environment {program}/.venv could not be made; run this again when that is mended")


def _fingerprint(program: Path) -> str:
    """Of all that a running daemon may have read: another one after a pull in place and a package's update, too."""
    digest = hashlib.sha256()
    for part in (*PARTS, ".venv/.installed"):
        for name in sorted(_files(program / part)):
            digest.update(f"{part}/{name}\0".encode())
            digest.update(hashlib.sha256((program / part / name).read_bytes()).digest())
    return digest.hexdigest()


def _make_account(site: Site) -> None:
    """Account, groups and folders, as systemd's own tools make them: what is there is left alone."""
    files = site.program / "systemd"
    (site.root / "etc").mkdir(exist_ok=True)
    _run("systemd-sysusers", f"--root={site.root}", str(files / "edge-tts.sysusers"))
    _run("systemd-tmpfiles", f"--root={site.root}", "--create", str(files / "edge-tts.tmpfiles"))


def _write_config(site: Site) -> None:
    """Once: afterwards it is the owner's."""
    if site.config.exists():
        return
    groups = (line.split(":") for line in (site.root / "etc" / "group").read_text().splitlines())
    [number] = [int(group[2]) for group in groups if group[0] == ACCOUNT]
    _write(site.config, (site.program / "config.yaml").read_bytes(), 0o640, number)
    say(f"wrote {site.config}")


def _link(site: Site, link: Path, target: Path) -> None:
    inside = site.inside(target)
    if link.is_symlink() and os.readlink(link) == inside:
        return
    if os.path.lexists(link):
        say(f"kept {link}, which is not ours; ours would be a link to {inside}")
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(inside)
    say(f"linked {link}")


def _write_completions(site: Site) -> None:
    """From the command's own parser, so that they are never out of date."""
    for shell, place in COMPLETIONS.items():
        text = _run(str(site.program / ".venv/bin/python"), *COMPLETE, shell)
        target = site.root / place
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            _write(target, text.encode(), 0o644)
            say(f"wrote {target}")


def _write_units(site: Site) -> None:
    for name in (DAEMON, BUTTON):
        if _copy_file(site.program / "systemd" / name, site.units / name):
            say(f"wrote {site.units / name}")
        if (own := site.root / "etc/systemd/system" / name).exists():
            say(f"{own} comes before it: if that is not meant, remove it (changes belong into `systemctl edit`)")


def _systemctl(site: Site, verb: str, unit: str) -> None:
    _run("systemctl", f"--root={site.root}", "--quiet", verb, unit)


def _bring_up(site: Site, *, start: bool) -> None:
    """Enable the unit once, and restart it where something is new: the last step, so the next run makes up for it."""
    before = site.complete.read_text() if site.complete.exists() else None
    now = _fingerprint(site.program)
    if before is None:
        _systemctl(site, "enable", DAEMON)
    if site.is_running:
        _run("systemctl", "daemon-reload")
        if start and (before != now or not _is_active()):
            say("starting the service: loading the networks may take a while, building engines on a Jetson minutes")
            _run("systemctl", "--no-block", "restart", DAEMON)
    if before != now:
        _write(site.complete, now.encode(), 0o644)


def _is_active() -> bool:
    return subprocess.run(["systemctl", "--quiet", "is-active", DAEMON], check=False).returncode == 0


def _stop_units(site: Site) -> None:
    for name in (BUTTON, DAEMON):
        if (site.units / name).exists():
            _systemctl(site, "disable", name)
            if site.is_running:
                _run("systemctl", "stop", name)


def _remove_program(site: Site) -> None:
    """The whole folder where it is a copy; of a checkout or a package's folder only what was added to it."""
    if site.copied.exists():
        for place in site.program.iterdir():
            if place != site.copied:  # last: without it the rest would be taken for the owner's
                _remove(place, quiet=True)
        _remove(site.program)
        return
    added = [site.complete, site.program / ".venv", *site.program.glob("*.egg-info")]
    for place in (*added, *site.program.glob("**/__pycache__")):
        _remove(place, quiet=True)


def _remove(place: Path, *, quiet: bool = False) -> None:
    """A link is removed, and what it leads to stays."""
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir():
        shutil.rmtree(place)
    else:
        return
    if not quiet:
        say(f"removed {place}")


def _remove_account(site: Site) -> None:
    passwd = site.root / "etc" / "passwd"
    if passwd.exists() and any(line.startswith(f"{ACCOUNT}:") for line in passwd.read_text().splitlines()):
        prefix = [] if site.root == Path("/") else ["--prefix", str(site.root)]
        _run("userdel", *prefix, ACCOUNT)
        say(f"removed the account {ACCOUNT}")


def _check_root() -> None:
    if os.geteuid() != 0:
        raise SetupError("this needs root: sudo " + " ".join(sys.argv))


def _run(program: str, *arguments: str) -> str:
    found = find_program(program)
    if found is None:
        raise SetupError(f"there is no {program} on this system")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise SetupError(f"{program} {' '.join(arguments)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
