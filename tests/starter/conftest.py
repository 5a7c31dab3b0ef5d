"""Where torch is installed, it must not take the folder `tests/triton` for the package of that name."""

from __future__ import annotations

import sys
from importlib.util import find_spec

if find_spec("torch") is not None:
    sys.modules["triton"] = None  # type: ignore[assignment]
    import torch._dynamo  # noqa: F401 - looks for it once

    del sys.modules["triton"]
