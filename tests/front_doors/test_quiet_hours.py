"""Quiet hours: when they are, and whom they keep from speaking."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from dispatcher_rig import DispatcherRig

from edge_tts.config import ContentConfig
from edge_tts.errors import QuietHoursError
from edge_tts.front_doors.quiet_hours import QuietHours
from edge_tts.values import Priority


def is_quiet(clock: str, priority: Priority = "normal", **keys: Any) -> bool:
    hours = QuietHours(ContentConfig.model_validate(keys), now=lambda: datetime.fromisoformat(f"2026-01-02T{clock}:00"))
    try:
        hours.check(priority)
    except QuietHoursError:
        return True
    return False


@pytest.mark.parametrize(
    ("hours", "quiet", "loud"),
    [
        ("22:00-07:00", ["22:00", "23:59", "00:00", "06:59"], ["07:00", "12:00", "21:59"]),
        ("13:00-15:00", ["13:00", "14:59"], ["12:59", "15:00", "00:00"]),
    ],
)
def test_the_hours_may_reach_over_midnight(hours: str, quiet: list[str], loud: list[str]) -> None:
    """The beginning is quiet, the end is not."""
    assert [is_quiet(clock, quiet_hours=hours) for clock in quiet] == [True] * len(quiet)
    assert [is_quiet(clock, quiet_hours=hours) for clock in loud] == [False] * len(loud)


def test_an_alert_is_exempt_unless_configured_otherwise() -> None:
    """By default alerts alone."""
    assert not is_quiet("23:00", "alert", quiet_hours="22:00-07:00")
    assert is_quiet("23:00", "low", quiet_hours="22:00-07:00")
    assert is_quiet("23:00", "alert", quiet_hours="22:00-07:00", quiet_exempt=[])
    assert not is_quiet("23:00")


def test_a_refusal_says_when_to_come_back() -> None:
    """With the key that is the reason."""
    hours = QuietHours(ContentConfig(quiet_hours="22:00-07:30"), now=lambda: datetime(2026, 1, 2, 23))
    with pytest.raises(QuietHoursError, match=r"until 07:30 \(content.quiet_hours\)") as refused:
        hours.check("normal")
    assert refused.value.details == {"rule": "content.quiet_hours", "retry_after_s": 8.5 * 3600}
    hours.check("normal", in_s=9 * 3600)  # what begins later is judged by then


@pytest.mark.parametrize("hours", ["22-7", "25:00-07:00", "22:00", "22:60-23:00", "07:00-07:00", "22:00-07:00\n"])
def test_hours_that_cannot_be_are_refused(hours: str) -> None:
    """When the configuration is read."""
    with pytest.raises(ValueError, match="quiet_hours"):
        ContentConfig(quiet_hours=hours)


def test_a_message_is_refused_in_quiet_hours_and_an_alert_is_not() -> None:
    """The refusal is a receipt like any other; nothing waits."""
    night = QuietHours(ContentConfig(quiet_hours="22:00-07:00"), now=lambda: datetime(2026, 1, 2, 23))
    rig = DispatcherRig(quiet=night)
    rig.handle(b'{"text": "Hello.", "id": "a"}')
    assert [(report.id, report.stage) for report in rig.notes.reports] == [("a", "failed")]
    assert rig.notes.reports[0].details["error"] == "QuietHoursError"
    rig.handle(b'{"text": "Fire!", "id": "b", "priority": "alert"}')
    assert rig.request().text == "Fire!"
