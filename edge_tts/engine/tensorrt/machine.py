"""What an engine is bound to: versions, GPU and device."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_tts.engine.tensorrt.cuda import Cuda


@dataclass(frozen=True, slots=True)
class Machine:
    """An engine built on one machine is never run on another."""

    tensorrt: str
    cuda: str
    capability: str
    """Of the GPU, `8.7` on an Orin."""
    l4t: str
    """As `l4t_release`."""
    device: str
    """Digest of the machine id, so that an engine copied from another device is not found."""


def this_machine(trt: Any, cuda: Cuda, *, root: Path = Path("/")) -> Machine:
    return Machine(
        tensorrt=str(trt.__version__),
        cuda=cuda.version(),
        capability=cuda.capability(),
        l4t=l4t_release(root),
        device=hashlib.sha256(_text(root / "etc/machine-id").encode()).hexdigest()[:16],
    )


def l4t_release(root: Path = Path("/")) -> str:
    """Release of Jetson Linux as `36.4.3`, from `# R36 (release), REVISION: 4.3, ...`; empty elsewhere."""
    match = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", _text(root / "etc/nv_tegra_release"))
    return f"{match[1]}.{match[2]}" if match else ""


def board_name(root: Path = Path("/")) -> str:
    """As `NVIDIA Jetson AGX Orin Developer Kit`; empty where the firmware names none."""
    return _text(root / "proc/device-tree/model").strip("\0")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""  # not a Jetson, or no systemd
