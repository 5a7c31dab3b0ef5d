"""The processes that are compared, and how they are asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.environment import ROOT

HERE = Path(__file__).resolve().parent
PEERS = {"genie": "Genie-TTS", "upstream": "GPT-SoVITS", "cpufast": "gpt-sovits-cpufast", "lite": "gsv-tts-lite"}
"""What `--peer` takes -> who that is. Each has a file in `peers` but cpufast, which is as upstream."""
_ADAPTERS = {"cpufast": "upstream"}

Answer = Mapping[str, Any]


class PlaceError(Exception):
    """A peer is not where it was said to be; the message says what is looked for."""


@dataclass(frozen=True)
class Command:
    """How a contender is started."""

    words: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Process:
    """A contender's process. One that cannot start or has died answers everything with the reason."""

    def __init__(self, name: str, command: Command, job: Mapping[str, Any], folder: Path) -> None:
        self.name = name
        self._log = folder / f"{name.replace(' ', '-')}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command.words, json.dumps(job)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder,
                env={**os.environ, "ORT_DISABLE_TELEMETRY": "1", **command.environment},
            )
        self.started = self._read()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, task: str, **parameters: Any) -> Answer:
        """What it took, or `cannot` and why."""
        if "cannot" in self.started:
            return self.started
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"task": task, **parameters}) + "\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it is gone, which the next line shows
        answer = self._read()
        if self._process.poll() is not None:
            self.started = answer
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        status = self._process.wait()
        return {"cannot": f"its process ended with status {status}; see {self._log}"}


@contextmanager
def processes(commands: Mapping[str, Command], jobs: Mapping[str, Mapping[str, Any]]) -> Iterator[list[Process]]:
    """All contenders, started one after another, so that none disturbs another's loading."""
    running: list[Process] = []
    try:
        for name, command in commands.items():
            running.append(Process(name, command, jobs[name], Path(jobs[name]["work"])))
        yield running
    finally:
        for process in running:
            process.close()


def our_command(module: str) -> Command:
    """A contender of this checkout: `ours` or `floor`."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return Command([sys.executable, "-m", f"tools.benchmark.{module}"], {"PYTHONPATH": os.pathsep.join(places)})


def peer_command(peer: str, place: Path) -> Command:
    """A peer in a virtual environment that has its package, or in a checkout, with the environment in it if there is
    one. Raises PlaceError."""
    if peer not in PEERS:
        raise PlaceError(f"no peer called {peer}; there are {', '.join(PEERS)}")
    if not place.is_dir():
        raise PlaceError(f"{place}: no such folder; give a checkout of {PEERS[peer]} or an environment that has it")
    homes = [place, place / ".venv", place / "venv"]
    pythons = [home / "bin" / "python" for home in homes if (home / "bin" / "python").exists()]
    python = str(pythons[0].absolute()) if pythons else sys.executable
    paths = [str(HERE)] if python == str(place.absolute() / "bin" / "python") else [str(HERE), str(place.absolute())]
    return Command([python, "-m", f"peers.{_ADAPTERS.get(peer, peer)}"], {"PYTHONPATH": os.pathsep.join(paths)})
