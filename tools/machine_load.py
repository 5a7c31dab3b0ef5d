"""How much of the machine others had while something was measured: read from the system, not guessed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TOLERABLE = 0.1
"""Share of the processors that others may have; above it, a time says little about the machine."""
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Ticks:
    """Processor time since the start of the machine, in clock ticks; of our processes and their ended children."""

    total: int
    idle: int
    stolen: int
    """Taken by the host of a virtual machine."""
    ours: int


@dataclass(frozen=True, slots=True)
class MachineLoad:
    """Shares of all processors between two readings, 0 to 1."""

    processors: int
    others: float | None
    """Other processes than ours; None where the system does not say."""
    stolen: float
    """The host of a virtual machine."""
    average: float | None
    """Processes that ran or waited to, over the last minute, ours among them."""

    @property
    def too_busy(self) -> bool:
        if self.others is None:
            return self.average is not None and self.average > self.processors
        return self.others + self.stolen > TOLERABLE

    def __str__(self) -> str:
        average = "load average unknown" if self.average is None else f"load average {self.average:.1f}"
        if self.others is None:
            return f"{average} on {self.processors} processors"
        share = f"other work took {self.others:.0%} of the {self.processors} processors"
        return f"{share}, the host of this machine {self.stolen:.0%} ({average})"


def read_ticks(processes: Iterable[int], proc: Path = _PROC) -> Ticks | None:
    """Now; None on a system without /proc. A process that is gone counts nothing."""
    try:
        values = [int(word) for word in (proc / "stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    except OSError:
        return None
    user, nice, system, idle, waiting, interrupts, soft, stolen = values
    total = user + nice + system + idle + waiting + interrupts + soft + stolen
    return Ticks(total, idle + waiting, stolen, sum(_process_ticks(proc / str(process)) for process in processes))


def load_between(before: Ticks | None, after: Ticks | None, average: float | None) -> MachineLoad:
    processors = os.cpu_count() or 1
    if before is None or after is None or after.total <= before.total:
        return MachineLoad(processors=processors, others=None, stolen=0.0, average=average)
    total, stolen = after.total - before.total, after.stolen - before.stolen
    others = total - (after.idle - before.idle) - stolen - (after.ours - before.ours)
    return MachineLoad(processors, max(0.0, others / total), stolen / total, average)


def load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _process_ticks(folder: Path) -> int:
    try:
        fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return 0
    return sum(int(field) for field in fields[11:15])
