"""What the machine is: GPU, driver, clocks, processor, libraries."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

from tools.gpu.report import Report, Skipped

QUERY = (
    "name,driver_version,compute_cap,memory.total,power.limit,clocks.max.sm,clocks.max.mem,"
    "temperature.gpu,power.draw,clocks.sm,memory.used"
)
_LIBRARIES = ("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-rtx-cu13-bindings", "torch")

Ask = Callable[[str], dict[str, str]]


def ask_nvidia_smi(query: str) -> dict[str, str]:
    """Field -> value of the first GPU. Raises Skipped where there is none."""
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=15)
    except FileNotFoundError:
        raise Skipped("there is no nvidia-smi: no NVIDIA driver on this machine") from None
    except (OSError, subprocess.SubprocessError) as error:
        raise Skipped(f"nvidia-smi shows no GPU: {error}") from error
    values = done.stdout.strip().splitlines()[0].split(", ") if done.stdout.strip() else []
    return dict(zip(query.split(","), values, strict=False))


def run(report: Report, folder: Path, ask: Ask = ask_nvidia_smi) -> None:
    report.row("processor", f"{platform.machine()}, {os.cpu_count()} cores", platform.platform())
    report.row("Python", platform.python_version(), ", ".join(_installed()) or "none of the libraries is installed")
    facts = ask(QUERY)
    for name, value in facts.items():
        report.row(name, value)
    report.figure("gpu", facts)


def _installed() -> list[str]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
