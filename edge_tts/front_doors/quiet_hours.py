"""Hours in which the device does not speak aloud, and spans of the day in general."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta

from edge_tts.config import ContentConfig, Hours
from edge_tts.errors import QuietHoursError
from edge_tts.values import Priority


class DailySpan:
    """The end is not in it, and it may reach over midnight."""

    def __init__(self, hours: Hours) -> None:
        self.begin, self.end = map(time.fromisoformat, hours.split("-"))

    def __contains__(self, at: time) -> bool:
        if self.begin < self.end:
            return self.begin <= at < self.end
        return at >= self.begin or at < self.end

    def next_begin(self, now: datetime) -> datetime:
        today = datetime.combine(now.date(), self.begin, now.tzinfo)
        return today if today > now else today + timedelta(days=1)


class QuietHours:
    """By the device's local time."""

    def __init__(self, config: ContentConfig, *, now: Callable[[], datetime] = datetime.now) -> None:
        self._exempt, self._now = config.quiet_exempt, now
        self._hours = None if config.quiet_hours is None else DailySpan(config.quiet_hours)

    def check(self, priority: Priority, *, in_s: float = 0.0) -> None:
        """Raises QuietHoursError for what would begin in so many seconds."""
        if self._hours is None or priority in self._exempt:
            return
        if (self._now() + timedelta(seconds=in_s)).time() in self._hours:
            end = f"{self._hours.end:%H:%M}"
            raise QuietHoursError(f"nothing of priority {priority} is spoken until {end} (content.quiet_hours)")
