"""What a part of the GPU day leaves behind: a file that is whole after every line, since the part may be ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

WORK = "work"
"""The folder, in that of the results, for what nobody needs afterwards: model sets, engines, wheels."""


class Skipped(Exception):
    """A part, or the rest of it, cannot be run here; the message says why."""


@dataclass
class Report:
    """The results of one part."""

    part: str
    status: str = "ended early"
    """ok, failed, skipped, timed out, ended early, no time."""
    reason: str = ""
    seconds: float = 0.0
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    """What, result, note: lines for people."""
    figures: dict[str, Any] = field(default_factory=dict)
    """The same and more, for programs and later parts."""
    log: list[str] = field(default_factory=list)
    """Warnings of our own code meanwhile."""
    file: Path | None = None

    def row(self, what: str, result: str, note: str = "") -> None:
        self.rows.append((what, result, note))
        self.save()

    def figure(self, name: str, value: Any) -> None:
        self.figures[name] = value
        self.save()

    @contextmanager
    def check(self, what: str) -> Iterator[None]:
        """A claim that the block proves: whatever it raises is a failed line, and the part goes on."""
        try:
            yield
        except Skipped as reason:
            self.row(what, "skipped", str(reason))
        except Exception as error:  # noqa: BLE001 - a machine that nobody has seen yet
            self.status = "failed"
            self.row(what, "FAILED", f"{type(error).__name__}: {error}"[:400])
        else:
            self.row(what, "ok")

    def save(self) -> None:
        if self.file is not None:
            beside = self.file.with_suffix(".partial")
            beside.write_text(json.dumps(self.as_json(), indent=1) + "\n", encoding="utf-8")
            beside.replace(self.file)

    def as_json(self) -> dict[str, Any]:
        values = {**asdict(self)}
        del values["file"]
        return values


Part = Callable[[Report, Path], None]
"""A part: fills its report; the folder has the reports of the parts before it, and one for its files, `WORK`."""


def read_report(file: Path, part: str) -> Report:
    """What a part has left, whole or not; an empty one when it left nothing."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        values["rows"] = [tuple(row) for row in values["rows"]]
        return Report(**values)
    except (OSError, ValueError, TypeError, KeyError):
        return Report(part)


def figure_of(folder: Path, part: str, name: str) -> Any:
    """A figure that an earlier part has found, or None."""
    return read_report(folder / f"{part}.json", part).figures.get(name)
