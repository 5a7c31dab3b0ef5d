"""Notices when another client overwrites our retained topics, and says so once a topic.

What it overwrote is published again, but only so often: the other one may be a second daemon that does the same.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from edge_tts.runtime.event_bus import EventBus
from edge_tts.runtime.part_status import PartStatus

log = logging.getLogger(__name__)

STATUS = "status"
MOST_CORRECTIONS = 5
"""Of one topic, until nobody has overwritten any for QUIET_S."""
QUIET_S = 600.0
_ECHOES = 1000
"""Messages of ours on one topic whose echo may still come."""
_ADVICE = "Let the broker's ACL give write access below %s to this daemon's account alone, or rename the other device"


class RetainedGuard:
    """`sent` is for any thread, the rest for the link's."""

    def __init__(self, *, events: EventBus, base: str, clock: Callable[[], float], echoes: bool) -> None:
        """`echoes`: the broker sends back what we publish, as under MQTT 3.1.1."""
        self._events, self._base, self._clock, self._echoes = events, base, clock, echoes
        self._status = PartStatus("retained_topics", events=events, advice=_ADVICE % base)
        self._own: defaultdict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_ECHOES))
        self._overwritten: Counter[str] = Counter()
        self._last = 0.0

    def begin(self) -> None:
        self._status.begin()

    def sent(self, topic: str, payload: str) -> None:
        """We are about to publish this."""
        if self._echoes:
            self._own[topic].append(hash(payload.encode()))

    def expected(self, topic: str) -> str | None:
        """The payload that belongs on one of our topics; None for another topic."""
        if topic == STATUS:
            return "online"
        value = self._events.retained().get(topic)
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def correction(self, topic: str, payload: bytes) -> str | None:
        """The payload to publish instead of another client's; None for an echo of our own, or too many corrections."""
        if hash(payload) in self._own[topic].copy() or not self._is_foreign(topic, payload):
            return None
        self._overwritten[topic] += 1
        self._last = self._clock()
        if self._overwritten[topic] == 1:
            log.warning("another client has overwritten %s/%s. %s", self._base, topic, _ADVICE % self._base)
        if self._overwritten[topic] <= MOST_CORRECTIONS + 1:
            self._show()
        return self.expected(topic) if self._overwritten[topic] <= MOST_CORRECTIONS else None

    def poll(self) -> None:
        """Begin anew once nobody has overwritten anything for a while."""
        if self._overwritten and self._clock() - self._last > QUIET_S:
            log.info("no other client has overwritten our retained topics for %.0f s", QUIET_S)
            self._overwritten.clear()
            self._status.ok(quiet=True)

    def _is_foreign(self, topic: str, payload: bytes) -> bool:
        return self._overwritten[topic] > MOST_CORRECTIONS or payload != (self.expected(topic) or "").encode()

    def _show(self) -> None:
        lost = sorted(topic for topic, count in self._overwritten.items() if count > MOST_CORRECTIONS)
        why = f"another client overwrites {', '.join(sorted(self._overwritten))}"
        self._status.fail(why + (f"; not corrected any more: {', '.join(lost)}" if lost else ""), quiet=True)
