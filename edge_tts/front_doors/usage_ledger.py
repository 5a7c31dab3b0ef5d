"""How much each caller had, and whether it may have more: characters and seconds of speech, by the minute and the day.

A minute is any sixty seconds, a day reaches from midnight to midnight of the device's clock. A clock that goes back
gives nothing back: what lies ahead of it counts as now, and a day that was begun goes on, until the clock has been
behind for a whole day (then it was wrong before).
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Literal

from edge_tts.config import CallerRules
from edge_tts.durable.state_file import StateFile
from edge_tts.errors import QuotaError
from edge_tts.schema import Field, Record

log = logging.getLogger(__name__)

MOST_ACCOUNTS = 256
"""Of callers that the configuration does not name; further ones share one."""
MINUTE_S, DAY_S = 60.0, 86400.0
_OTHERS = "others"

Kind = Literal["chars", "speech_s"]
Amounts = Mapping[Kind, float]
_LIMITS: tuple[tuple[str, Kind, bool], ...] = (
    ("chars_per_minute", "chars", False),
    ("chars_per_day", "chars", True),
    ("speech_s_per_minute", "speech_s", False),
    ("speech_s_per_day", "speech_s", True),
)
"""Key of `CallerRules`, what it counts, whether by the day."""
_WORDS = {"chars": "characters", "speech_s": "seconds of speech"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one account may have."""

    account: str
    rules: CallerRules
    where: str
    """The key of the rules in the configuration."""
    named: bool
    """Whether the configuration names it."""

    @property
    def is_limited(self) -> bool:
        return any(getattr(self.rules, key) is not None for key, _, _ in _LIMITS)

    @property
    def who(self) -> str:
        return f"the caller {self.account}" if self.named else f"a caller that is not named ({self.account})"


@dataclass(slots=True)
class Account:
    today: dict[Kind, float] = field(default_factory=lambda: {"chars": 0.0, "speech_s": 0.0})
    recent: list[tuple[float, Kind, float]] = field(default_factory=list)
    """Of the last minute, one entry a second and kind: the end of that second, in Unix time, and how much."""

    def add(self, kind: Kind, amount: float, now: float) -> None:
        self.today[kind] = max(0.0, self.today[kind] + amount)
        second = math.ceil(now)
        for index, (at, other, before) in enumerate(self.recent):
            if at == second and other == kind:
                self.recent[index] = at, kind, before + amount
                return
        self.recent.append((second, kind, amount))

    def prune(self, now: float) -> None:
        """What is a minute old leaves; what lies ahead was noted by a clock that was ahead."""
        self.recent = [(min(at, math.ceil(now)), kind, n) for at, kind, n in self.recent if at > now - MINUTE_S]

    def in_minute(self, kind: Kind) -> float:
        return math.fsum(amount for _, other, amount in self.recent if other == kind)

    def minute_wait_s(self, kind: Kind, room_for: float, now: float) -> float:
        """Until no more than `room_for` is left in the minute."""
        left, wait = self.in_minute(kind), 0.0
        for at, other, amount in sorted(self.recent):
            if left <= room_for:
                break
            left -= amount if other == kind else 0
            wait = at + MINUTE_S - now
        return max(0.0, wait)


class Book:
    """All accounts. Arithmetic only: times are Unix times, and `turn` comes before everything else at a time."""

    def __init__(self, *, day: int = 0, behind_since: float | None = None, zone: tzinfo | None = None) -> None:
        """`day`: that of `today`, as a proleptic ordinal. `zone` None: the system's."""
        self.day, self.behind_since, self._zone = day, behind_since, zone
        self.accounts: dict[str, Account] = {}

    def turn(self, now: float) -> None:
        """Begin a new day where one has begun, and forget what is over."""
        for account in self.accounts.values():
            account.prune(now)
        today = datetime.fromtimestamp(now, self._zone).toordinal()
        if today < self.day:
            self.behind_since = min(now, self.behind_since or now)
            if now - self.behind_since < DAY_S:
                return
        self.behind_since = None
        if today != self.day:
            self.day = today
            self.accounts = {name: Account(recent=one.recent) for name, one in self.accounts.items() if one.recent}

    def account(self, allowance: Allowance) -> Account:
        name = allowance.account
        if name not in self.accounts and not allowance.named and len(self.accounts) >= MOST_ACCOUNTS:
            name = _OTHERS
        return self.accounts.setdefault(name, Account())

    def check(self, account: Account, allowance: Allowance, amounts: Amounts, now: float) -> None:
        """Raises QuotaError, by the rule that takes longest, where there is no room. Speech may begin while any of its
        seconds are left: how long it takes is not known before."""
        refusals = list(self._refusals(account, allowance, amounts, now))
        if refusals:
            raise max(refusals, key=lambda one: math.inf if one.retry_after_s is None else one.retry_after_s)

    def _refusals(self, account: Account, allowance: Allowance, amounts: Amounts, now: float) -> Iterator[QuotaError]:
        for key, kind, daily in _LIMITS:
            limit = getattr(allowance.rules, key)
            if limit is None or kind not in amounts:
                continue
            room = limit - amounts[kind] if kind == "chars" else math.nextafter(limit, -1)
            had = account.today[kind] if daily else account.in_minute(kind)
            if had <= room:
                continue
            if room < 0:
                wait_s = None
            else:
                wait_s = self._until_midnight_s(now) if daily else account.minute_wait_s(kind, room, now)
            yield _refusal(allowance, key, kind, wait_s)

    def _until_midnight_s(self, now: float) -> float:
        midnight = datetime.combine(date.fromordinal(self.day + 1), datetime.min.time(), self._zone)
        ends = midnight.timestamp()
        if self.behind_since is not None:
            was_wrong = self.behind_since + DAY_S
            if datetime.fromtimestamp(was_wrong, self._zone).toordinal() < self.day:  # else it is that day by then
                ends = min(ends, was_wrong)
        return max(1.0, ends - now)


def _refusal(allowance: Allowance, key: str, kind: Kind, wait_s: float | None) -> QuotaError:
    limit, what = getattr(allowance.rules, key), _WORDS[kind]
    rule, span = f"{allowance.where}.{key}", "day" if key.endswith("day") else "minute"
    if wait_s is None:
        return QuotaError(f"{allowance.who} may not have more than {limit:g} {what} a {span} ({rule})", rule=rule)
    wait_s = math.ceil(wait_s)
    text = f"{allowance.who} has had its {limit:g} {what} of this {span}; come back in {wait_s} s ({rule})"
    return QuotaError(text, rule=rule, retry_after_s=wait_s)


class _StoredAccount(Record):
    chars: float
    speech_s: float
    recent: tuple[tuple[float, Kind, float], ...]


class _StoredBook(Record):
    format: Literal[1] = 1
    day: int = 0
    behind_since: float | None = None
    accounts: dict[str, _StoredAccount] = Field(default={})


class UsageLedger:
    """A book kept over a restart. Thread-safe. Only those are entered who have a limit: without any there is no file.

    It is written by `save`, every few seconds and at a stop: what a caller had since may be forgotten by a power cut.
    """

    def __init__(
        self, path: Path | None = None, *, wall: Callable[[], float] = time.time, zone: tzinfo | None = None
    ) -> None:
        """`path` None: it is not kept."""
        self._file = None if path is None else StateFile(path, _StoredBook, what="how much the callers had")
        self._wall, self._zone, self._lock = wall, zone, threading.Lock()
        self._changed, self._trouble = False, ""

    @cached_property
    def _book(self) -> Book:
        """Read when somebody has a limit."""
        stored = _StoredBook() if self._file is None else self._file.read(_StoredBook())
        book = Book(day=stored.day, behind_since=stored.behind_since, zone=self._zone)
        for name, one in stored.accounts.items():
            today: dict[Kind, float] = {"chars": one.chars, "speech_s": one.speech_s}
            book.accounts[name] = Account(today, list(one.recent))
        return book

    def take(self, allowance: Allowance, chars: int, *, free: bool) -> float:
        """Enter the characters of a request; when, for `give_back`. Raises QuotaError, unless it is `free`, where they
        are too many, or no seconds of speech are left."""
        with self._lock:
            now = self._wall()
            if allowance.is_limited:
                self._enter(allowance, {"chars": chars, "speech_s": 0.0}, now, free=free)
            return now

    def give_back(self, allowance: Allowance, chars: int, at: float) -> None:
        """Of a request that was entered then, and not accepted after all."""
        with self._lock:
            if allowance.is_limited:
                self._book.account(allowance).add("chars", -chars, at)

    def hear(self, allowance: Allowance, seconds: float, *, free: bool) -> QuotaError | None:
        """Enter speech that is about to be heard; an error, and no entry, where none is left."""
        with self._lock:
            if seconds and allowance.is_limited:
                try:
                    self._enter(allowance, {"speech_s": seconds}, self._wall(), free=free)
                except QuotaError as used_up:
                    return used_up
            return None

    def save(self) -> None:
        """Write what has changed. A disk that refuses is logged once; the book goes on in memory."""
        with self._lock:
            if self._file is None or not self._changed:
                return
            self._changed = False
            record = self._record()
        try:
            self._file.write(record)
            self._trouble = ""
        except OSError as error:
            self._changed = True
            if self._trouble != str(error.strerror):
                log.warning("how much the callers had is forgotten at the next start: %s", error)
            self._trouble = str(error.strerror)

    def _enter(self, allowance: Allowance, amounts: Amounts, now: float, *, free: bool) -> None:
        self._book.turn(now)
        account = self._book.account(allowance)
        if not free:
            self._book.check(account, allowance, amounts, now)
        for kind, amount in amounts.items():
            if amount:
                account.add(kind, amount, now)
        self._changed = True

    def _record(self) -> _StoredBook:
        accounts = {
            name: _StoredAccount(chars=one.today["chars"], speech_s=one.today["speech_s"], recent=tuple(one.recent))
            for name, one in self._book.accounts.items()
        }
        return _StoredBook(day=self._book.day, behind_since=self._book.behind_since, accounts=accounts)
