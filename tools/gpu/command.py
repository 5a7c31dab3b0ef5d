"""Everything that any machine with an NVIDIA GPU can prove and measure, unattended, within nine minutes.

Each part runs in a process of its own and is skipped with its reason, or ended, without costing the others. The results
are one JSON file and one page in Markdown. Only the standard library is needed to begin.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_tts.durable.atomic import replacing
from tools.gpu.page import as_page
from tools.gpu.report import WORK, Report, read_report

ROOT = Path(__file__).resolve().parents[2]
PARTS: Mapping[str, float] = {
    "machine": 20.0,
    "memory": 60.0,
    "sets": 90.0,
    "provider": 110.0,
    "engines": 200.0,
    "training": 60.0,
}
"""Part -> the seconds it may take, at most."""
_LEAST_S = 5.0


@dataclass(frozen=True)
class Day:
    """Where and how long."""

    out: Path
    minutes: float = 9.0
    environment: Mapping[str, str] | None = None
    clock: Callable[[], float] = time.monotonic
    command: Sequence[str] = (sys.executable, "-m", "tools.gpu.part")


def main() -> int:
    """0 unless a part failed: what is skipped is no failure."""
    arguments = _arguments()
    (arguments.out / WORK).mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    environment, notes = _environment(arguments.wheels, arguments.out)
    day = Day(arguments.out, arguments.minutes - (time.monotonic() - began) / 60, environment)
    reports = spend(day)
    write(day, reports, notes)
    shutil.rmtree(arguments.out / WORK, ignore_errors=True)
    print(f"\n{arguments.out / 'gpu_day.json'}\n{arguments.out / 'gpu_day.md'}")
    return 1 if any(report.status in ("failed", "timed out", "ended early") for report in reports) else 0


def spend(day: Day) -> list[Report]:
    """Run all parts within the time; never raises for one of them."""
    ends = day.clock() + 60 * day.minutes
    reports = []
    for name, limit in PARTS.items():
        left = ends - day.clock()
        report = run_part(day, name, min(limit, left)) if left > _LEAST_S else Report(name, "no time", "the time is up")
        print(f"{name:10} {report.status:10} {report.seconds:6.1f} s  {report.reason[:90]}", flush=True)
        reports.append(report)
    return reports


def run_part(day: Day, name: str, limit_s: float) -> Report:
    """One part in a process group of its own, ended when its time is up; what it had found by then is kept."""
    file, log = day.out / f"{name}.json", day.out / f"{name}.log"
    file.unlink(missing_ok=True)
    began, late = day.clock(), False
    environment = {**os.environ, **(day.environment or {})}
    with log.open("wb") as output:
        child = subprocess.Popen(
            [*day.command, name, str(day.out.absolute())],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            child.wait(limit_s)
        except subprocess.TimeoutExpired:
            late = True
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    report = read_report(file, name)
    report.seconds = day.clock() - began
    if late:
        report.status, report.reason = "timed out", f"it was still going on after {limit_s:.0f} s and was ended"
    elif report.status == "ended early":
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-2:]
        report.reason = f"its process ended with status {child.returncode}: {' / '.join(last)}"[:400]
    return report


def write(day: Day, reports: Sequence[Report], notes: Sequence[str]) -> None:
    """One JSON and one page."""
    values = {"notes": list(notes), "parts": [report.as_json() for report in reports]}
    pages = {"gpu_day.json": json.dumps(values, indent=1) + "\n", "gpu_day.md": as_page(reports, notes)}
    for name, text in pages.items():
        with replacing(day.out / name) as beside:
            beside.write_text(text, encoding="utf-8")


def _environment(wheels: Path | None, out: Path) -> tuple[dict[str, str], list[str]]:
    """The environment of the parts: the folder's wheels in a place of their own, and nothing from anywhere else."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    notes = []
    if wheels is not None:
        site = out / WORK / "site"
        found = sorted(wheels.glob("*.whl"))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--upgrade"]
        for wheel in found:  # one at a time: one that does not fit this machine costs itself
            command = [*pip, "--no-cache-dir", "--target", str(site), str(wheel)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
                notes.append(f"not installed: {wheel.name} ({last})"[:300])
        notes.append(f"{len(found)} wheels given" if found else f"there is no wheel in {wheels}")
        places.insert(0, str(site.absolute()))
    return {"PYTHONPATH": os.pathsep.join(places)}, notes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/gpu_day", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".state/gpu_day"), metavar="DIR", help="for the results")
    parser.add_argument(
        "--wheels", type=Path, metavar="DIR", help="install these wheels, and nothing else, for this day"
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="time for everything together (default: 9)")
    return parser.parse_args()
