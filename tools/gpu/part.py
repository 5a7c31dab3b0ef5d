"""Runs one part of the GPU day: `python -m tools.gpu.part NAME FOLDER`. A part that crashes or hangs costs itself."""

from __future__ import annotations

import importlib
import logging
import sys
import traceback
from pathlib import Path

from tools.gpu.report import Report, Skipped


class Warnings(logging.Handler):
    """Keeps the warnings of our own code for the report."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.WARNING)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        self._report.log.append(f"{record.levelname} {record.getMessage()}"[:300])
        del self._report.log[:-50]


def run(report: Report, folder: Path) -> None:
    """Run the part called as the report; nothing that it raises comes out."""
    logging.basicConfig(level=logging.WARNING, handlers=[Warnings(report)])
    try:
        importlib.import_module(f"tools.gpu.{report.part}").run(report, folder)
    except Skipped as reason:
        report.status, report.reason = "skipped", str(reason)
    except ImportError as missing:
        report.status, report.reason = "skipped", f"a library is missing or does not load here: {missing}"
    except Exception as error:  # noqa: BLE001 - a machine that nobody has seen yet
        report.status, report.reason = "failed", f"{type(error).__name__}: {error}"[:400]
        report.log += traceback.format_exc().splitlines()[-6:]
    else:
        report.status = "ok" if report.status == "ended early" else report.status
    report.save()


if __name__ == "__main__":
    target = Path(sys.argv[2])
    run(Report(sys.argv[1], file=target / f"{sys.argv[1]}.json"), target)
