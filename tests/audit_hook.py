"""An audit hook sees what Python does to the disk. It can be added once and never be removed, so each is added once."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any


@functools.cache
def install(hook: Callable[[str, tuple[Any, ...]], None]) -> None:
    """Have `hook` hear of every event from now on; a second call with the same one changes nothing."""
    sys.addaudithook(hook)
