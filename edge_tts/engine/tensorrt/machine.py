"""What an engine is bound to: versions, GPU and device. Reads files and asks CUDA; knows nothing of engines."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_tts.engine.tensorrt.cuda import Cuda


@dataclass(frozen=True, slots=True)
class Machine:
    """An engine built on one machine value is never run on another."""

    tensorrt: str
    cuda: str
    capability: str
    """Compute capability of the GPU, `8.7` on an Orin."""
    l4t: str
    """Release of Jetson Linux as `36.4.3`; empty elsewhere."""
    device: str
    """Digest of this installation's machine id: an engine copied from another device is not found here."""


def this_machine(trt: Any, cuda: Cuda, *, root: Path = Path("/")) -> Machine:
    """The machine we run on."""
    return Machine(
        tensorrt=str(trt.__version__),
        cuda=cuda.version(),
        capability=cuda.capability(),
        l4t=l4t_release(root),
        device=hashlib.sha256(_text(root / "etc/machine-id").encode()).hexdigest()[:16],
    )


def l4t_release(root: Path = Path("/")) -> str:
    """Release of Jetson Linux, from /etc/nv_tegra_release (`# R36 (release), REVISION: 4.3, ...`); empty elsewhere."""
    found = re.search(r"R(\d+) \(release\), REVISION: ([\d.]+)", _text(root / "etc/nv_tegra_release"))
    return f"{found[1]}.{found[2]}" if found else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""  # not a Jetson, or no systemd
