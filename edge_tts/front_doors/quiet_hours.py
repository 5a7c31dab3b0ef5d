"""Hours in which the device does not speak aloud, and spans of the day in general."""

from __future__ import annotations

import math
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


def seconds_until(at: time, now: datetime) -> int:
    """Until the next time that the clock shows `at`, at least 1; right over a change of summer time."""
    then = datetime.combine(now.date(), at, now.tzinfo)
    then += timedelta(days=0 if then > now else 1)
    return max(1, math.ceil(then.timestamp() - now.timestamp()))


class QuietHours:
    """By the device's local time."""

    def __init__(self, config: ContentConfig, *, now: Callable[[], datetime] = datetime.now) -> None:
        self._exempt, self._now = config.quiet_exempt, now
        self._hours = None if config.quiet_hours is None else DailySpan(config.quiet_hours)

    def check(self, priority: Priority, *, in_s: float = 0.0) -> None:
        """Raises QuietHoursError for what would begin in so many seconds."""
        if self._hours is None or priority in self._exempt:
            return
        begins = self._now() + timedelta(seconds=in_s)
        if begins.time() in self._hours:
            end, rule = f"{self._hours.end:%H:%M}", "content.quiet_hours"
            text = f"nothing of priority {priority} is spoken until {end} ({rule})"
            raise QuietHoursError(text, rule=rule, retry_after_s=seconds_until(self._hours.end, begins))
