"""Hours in which the device does not speak aloud."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta

from edge_tts.config import ContentConfig
from edge_tts.errors import QuietHoursError
from edge_tts.values import Priority


class QuietHours:
    """By the device's local time; the end is not among them, and they may reach over midnight."""

    def __init__(self, config: ContentConfig, *, now: Callable[[], datetime] = datetime.now) -> None:
        self._exempt, self._now, self._hours = config.quiet_exempt, now, None
        if config.quiet_hours is not None:
            begin, end = map(time.fromisoformat, config.quiet_hours.split("-"))
            self._hours = begin, end

    def check(self, priority: Priority, *, in_s: float = 0.0) -> None:
        """Raises QuietHoursError for what would begin in so many seconds."""
        if self._hours is None or priority in self._exempt:
            return
        (begin, end), now = self._hours, (self._now() + timedelta(seconds=in_s)).time()
        if begin <= now < end if begin < end else now >= begin or now < end:
            raise QuietHoursError(f"nothing of priority {priority} is spoken until {end:%H:%M} (content.quiet_hours)")
