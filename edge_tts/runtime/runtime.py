"""The context of every part."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from edge_tts.audio.provenance import Generator
from edge_tts.runtime.event_bus import EventBus
from edge_tts.runtime.health import Health

Fatal = Callable[[str, BaseException], None]
"""Called with a part's name and the exception that ended it, in its thread; must return at once."""


def random_id() -> str:
    """12 hex digits."""
    return uuid.uuid4().hex[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Shared by the parts of one appliance."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic, in seconds; the clock of every deadline."""
    new_id: Callable[[], str] = random_id
    fatal: Fatal
    events: EventBus
    health: Health
    generator: Generator | None = None
    """None: reports do not tell what makes the sound."""
