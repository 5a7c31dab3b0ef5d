"""The context that every part is handed: clock, ids, what to do about a defect, events, health."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from edge_tts.runtime.event_bus import EventBus
from edge_tts.runtime.health import Health

Fatal = Callable[[str, BaseException], None]
"""Called with a part's name and the exception that ended it; must return at once."""


def random_id() -> str:
    """12 hex digits, for a request that came without an id."""
    return uuid.uuid4().hex[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What the parts of one appliance share."""

    clock: Callable[[], float] = time.monotonic
    """Seconds; every deadline and time-out is on it."""
    new_id: Callable[[], str] = random_id
    fatal: Fatal
    events: EventBus
    health: Health
