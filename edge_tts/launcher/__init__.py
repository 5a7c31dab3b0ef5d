"""The command `edge-ttsd`, installed as the package `edge_ttsd`: outside of `edge_tts`, for PyPI's edge-tts is another
project that installs its files over that one. Read `main`, which checks for it before anything of ours is imported.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys


def main() -> int:
    """Run the command line, unless the namesake is installed in the same environment."""
    try:
        other = importlib.metadata.distribution("edge-tts")
    except importlib.metadata.PackageNotFoundError:
        try:
            return int(importlib.import_module("edge_tts.cli.main").main())
        except KeyboardInterrupt:  # while it is being imported
            return 130
    print(
        f"edge-ttsd: PyPI's edge-tts {other.version} is installed in this Python environment ({sys.prefix}); it"
        " overwrites the package edge_tts that edge-ttsd needs. Use a virtual environment of its own for each, or:"
        " pip uninstall edge-tts && pip install --force-reinstall . (in the checkout)",
        file=sys.stderr,
    )
    return 1
