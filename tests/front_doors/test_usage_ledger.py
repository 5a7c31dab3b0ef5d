"""Quotas: by the minute and the day, whatever the clock does."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bad_disk import full
from fakes import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_tts.config import CallerRules
from edge_tts.errors import QuotaError
from edge_tts.front_doors.usage_ledger import MOST_ACCOUNTS, Allowance, UsageLedger

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 15, 12, tzinfo=BERLIN).timestamp()
DAY_S = 86400.0

times = st.floats(0, 100) | st.floats(0, 3 * DAY_S)
"""Steps of a clock."""


def allowance(account: str = "kitchen", *, named: bool = True, **rules: float) -> Allowance:
    return Allowance(account, CallerRules(**rules), f"access.callers.{account}", named=named)


def at(now: float, *, path: Path | None = None) -> tuple[UsageLedger, FakeClock]:
    """A ledger, and its clock."""
    clock = FakeClock()
    clock.now = now
    return UsageLedger(path, wall=clock, zone=BERLIN), clock


def takes(ledger: UsageLedger, who: Allowance, chars: int) -> bool:
    """Whether it may have so many characters; then it has."""
    try:
        ledger.take(who, chars, free=False)
    except QuotaError:
        return False
    return True


def wait_s(ledger: UsageLedger, who: Allowance, chars: int = 1) -> float | None:
    """When to come back, by the refusal."""
    with pytest.raises(QuotaError) as refused:
        ledger.take(who, chars, free=False)
    return refused.value.retry_after_s


@given(st.lists(st.tuples(times, st.integers(0, 60)), max_size=60))
def test_no_minute_and_no_day_has_more_than_its_limit(asked: list[tuple[float, int]]) -> None:
    """Whenever whatever is asked for: in any sixty seconds, and on any date, no more is given than the limits say."""
    ledger, clock = at(NOON)
    who, given_ = allowance(chars_per_minute=100, chars_per_day=250), list[tuple[float, int]]()
    for step, chars in asked:
        clock.now += step
        if takes(ledger, who, chars):
            given_.append((clock.now, chars))
    for now, _ in given_:
        assert sum(chars for then, chars in given_ if now - 60 < then <= now) <= 100
    dates = itertools.groupby(given_, key=lambda one: datetime.fromtimestamp(one[0], BERLIN).date())
    assert all(sum(chars for _, chars in of_day) <= 250 for _, of_day in dates)


@given(st.lists(st.tuples(times | st.floats(-DAY_S, 0), st.integers(0, 60)), max_size=30), st.integers(1, 60))
def test_who_comes_back_when_told_is_served(asked: list[tuple[float, int]], chars: int) -> None:
    """What was refused is given at the time that the refusal names, if nothing else was asked for meanwhile, also
    behind a clock that jumps."""
    ledger, clock = at(NOON)
    who = allowance(chars_per_minute=100, chars_per_day=250)
    for step, before in asked:
        clock.now += step
        takes(ledger, who, before)
    if not takes(ledger, who, chars):
        wait = wait_s(ledger, who, chars)
        assert wait is not None
        clock.now += wait
        assert takes(ledger, who, chars)


@given(st.lists(st.tuples(st.floats(-DAY_S / 2, DAY_S), st.integers(0, 60)), max_size=60))
def test_a_clock_that_goes_back_gives_nothing_back(asked: list[tuple[float, int]]) -> None:
    """However a clock jumps, there is one limit for each date that it reaches for the first time, and one more where it
    was behind for a day."""
    ledger, clock = at(NOON)
    who, had, reached = allowance(chars_per_day=100), 0, set[object]()
    latest = behind = 0.0
    for step, chars in asked:
        clock.now += step
        date = datetime.fromtimestamp(clock.now, BERLIN).toordinal()
        if date > latest:
            latest = date
            reached.add(date)
        behind += date < latest
        had += chars * takes(ledger, who, chars)
    assert had <= 100 * (len(reached) + behind)


def test_a_clock_that_was_set_back_by_an_hour_does_not_lengthen_the_minute() -> None:
    """What was noted ahead of the clock counts as of now, and is over a minute later."""
    ledger, clock = at(NOON)
    who = allowance(chars_per_minute=100)
    assert takes(ledger, who, 100)
    clock.now -= 3600
    assert not takes(ledger, who, 1)
    clock.now += 61
    assert takes(ledger, who, 100)


def test_a_day_that_a_wrong_clock_began_ends_after_a_day() -> None:
    """A clock that was years ahead once does not close the account for years; one that is behind for a while, as
    after a start without a battery, opens nothing."""
    ledger, clock = at(NOON + 3650 * DAY_S)
    who = allowance(chars_per_day=100)
    assert takes(ledger, who, 100)
    for hours in (0, 1, 23):
        clock.now = NOON + 3600 * hours
        assert not takes(ledger, who, 1)
    clock.now = NOON + DAY_S
    assert takes(ledger, who, 100)


@pytest.mark.parametrize(
    ("evening", "hours"),
    [
        (datetime(2026, 6, 15, 12, tzinfo=BERLIN), 12),
        (datetime(2026, 3, 29, tzinfo=BERLIN), 23),
        (datetime(2026, 10, 25, tzinfo=BERLIN), 25),
    ],
)
def test_a_day_is_from_midnight_to_midnight(evening: datetime, hours: int) -> None:
    """Also on the days on which the clock is put forward or back."""
    ledger, clock = at(evening.timestamp())
    who = allowance(chars_per_day=100)
    assert takes(ledger, who, 100)
    assert wait_s(ledger, who) == hours * 3600
    clock.now += hours * 3600 - 1
    assert not takes(ledger, who, 1)
    clock.now += 1
    assert takes(ledger, who, 100)


def test_a_minute_reaches_over_midnight() -> None:
    """The new day does not forget the last minute."""
    ledger, clock = at(NOON + DAY_S / 2 - 10)
    who = allowance(chars_per_minute=100)
    assert takes(ledger, who, 100)
    clock.now += 20
    assert not takes(ledger, who, 1)
    clock.now += 41
    assert takes(ledger, who, 1)


@settings(max_examples=30)
@given(st.lists(st.tuples(times, st.integers(0, 60), st.booleans()), max_size=20))
def test_quotas_survive_restarts(asked: list[tuple[float, int, bool]]) -> None:
    """A ledger that is saved and opened again, at any moment, refuses what one refuses that ran through."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "usage.json"
        ledger, clock = at(NOON, path=path)
        steady, own = at(NOON)
        who = allowance(chars_per_minute=100, chars_per_day=250, speech_s_per_day=20)
        for step, chars, restart in asked:
            clock.now = own.now = clock.now + step
            assert takes(ledger, who, chars) == takes(steady, who, chars)
            assert (ledger.hear(who, 0.5, free=False) is None) == (steady.hear(who, 0.5, free=False) is None)
            if restart:
                ledger.save()
                ledger = UsageLedger(path, wall=clock, zone=BERLIN)


def test_seconds_are_counted_as_they_are_heard() -> None:
    """Speech goes on while any of its seconds are left; then nothing is heard and nothing is accepted, until the minute
    is over."""
    ledger, clock = at(NOON)
    who = allowance(speech_s_per_minute=1.0)
    assert [ledger.hear(who, 0.4, free=False) is None for _ in range(5)] == [True, True, True, False, False]
    assert 60 <= (wait_s(ledger, who, 0) or 0) <= 61
    clock.now += 61
    assert takes(ledger, who, 5)


def test_more_than_fits_is_never_promised() -> None:
    """A text that is longer than the limit, or a limit of nothing, has no time to come back at."""
    ledger, _ = at(NOON)
    assert wait_s(ledger, allowance(chars_per_minute=10), 11) is None
    assert wait_s(ledger, allowance(speech_s_per_day=0)) is None


def test_the_rule_that_takes_longest_is_told() -> None:
    """Of two limits that are reached the message and the time are those of the day."""
    ledger, _ = at(NOON)
    who = allowance(chars_per_minute=10, chars_per_day=10)
    assert takes(ledger, who, 10)
    with pytest.raises(
        QuotaError, match=r"the caller kitchen has had its 10 characters of this day; come back in 43200 s"
    ):
        ledger.take(who, 1, free=False)


def test_what_is_free_is_counted() -> None:
    """An alert of who may is heard beyond the limit, and others then wait longer."""
    ledger, _ = at(NOON)
    who = allowance(chars_per_day=10, speech_s_per_day=1)
    ledger.take(who, 50, free=True)
    assert all(ledger.hear(who, 1.0, free=True) is None for _ in range(3))
    assert not takes(ledger, who, 1)


def test_what_was_not_accepted_after_all_is_given_back() -> None:
    """As where the queue was full."""
    ledger, clock = at(NOON)
    who = allowance(chars_per_minute=10, chars_per_day=10)
    taken = ledger.take(who, 10, free=False)
    clock.now += 1.5
    ledger.give_back(who, 10, taken)
    assert takes(ledger, who, 10)
    assert not takes(ledger, who, 1)


def strangers(count: int) -> Iterable[Allowance]:
    return (allowance(f"wyoming:10.0.{n // 256}.{n % 256}", named=False, chars_per_day=10) for n in range(count))


def test_there_are_only_so_many_accounts(tmp_path: Path) -> None:
    """Strangers beyond the bound share one account, so that no flood of addresses fills memory or disk; who is named
    has its own."""
    ledger, _ = at(NOON, path=tmp_path / "usage.json")
    for who in strangers(MOST_ACCOUNTS):
        assert takes(ledger, who, 10)
    late = [takes(ledger, who, 10) for who in list(strangers(MOST_ACCOUNTS + 50))[MOST_ACCOUNTS:]]
    assert late == [True] + [False] * 49
    assert takes(ledger, allowance("kitchen", chars_per_day=10), 10)
    ledger.save()
    assert (tmp_path / "usage.json").stat().st_size < 100 * MOST_ACCOUNTS


def test_without_a_limit_there_is_no_file(tmp_path: Path) -> None:
    """A private home writes nothing."""
    ledger, _ = at(NOON, path=tmp_path / "usage.json")
    assert takes(ledger, allowance(), 10**6)
    assert ledger.hear(allowance(), 3600.0, free=False) is None
    ledger.save()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_costs_the_memory_and_not_the_speech(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, the limits hold on, and the next save that works has everything."""
    ledger, clock = at(NOON, path=tmp_path / "usage.json")
    who = allowance(chars_per_day=10)
    assert takes(ledger, who, 10)
    with full(tmp_path):
        ledger.save()
        ledger.save()
    assert sum("forgotten at the next start" in record.getMessage() for record in caplog.records) == 1
    assert not takes(ledger, who, 1)
    ledger.save()
    assert not takes(UsageLedger(tmp_path / "usage.json", wall=clock, zone=BERLIN), who, 1)
