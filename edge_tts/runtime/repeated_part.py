"""A part that does the same again and again, and more often while it fails."""

from __future__ import annotations

import threading
from random import Random

from edge_tts.runtime.part import OptionalPart
from edge_tts.runtime.runtime import Runtime

_TICK_S = 1.0


class RepeatedPart(OptionalPart):
    """Calls `attempt` at the start, then every `interval_s`, and after `soon`.

    After a failure the delay is the `retry_s`, doubled with each further failure up to the interval; all with jitter,
    so that devices do not ask all at once.
    """

    def __init__(
        self, *, name: str, runtime: Runtime, advice: str, retry_s: float, interval_s: float, random: Random
    ) -> None:
        super().__init__(name=name, runtime=runtime, advice=advice, retry_s=retry_s, stop_timeout_s=10.0)
        self._interval_s, self._random = interval_s, random
        self.pulse = runtime.health.pulse(name)
        """Call it at least every few seconds while something takes long."""
        self._wake = threading.Event()
        self._failures = 0

    def attempt(self) -> bool:
        """Returns False for a failure that may be over soon."""
        raise NotImplementedError

    def soon(self) -> None:
        """Attempt without waiting for the interval. Returns at once."""
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    def work(self) -> None:
        self.ready()
        self.repeat()

    def repeat(self) -> None:
        """Until the part is stopped."""
        while not self.stopping.is_set():
            self._wake.clear()
            self._wait(self._pause_s(self.attempt()))

    def abandoned(self) -> bool:
        """Polled while something takes long: True ends it early."""
        self.pulse()
        return self.stopping.is_set()

    def _pause_s(self, well: bool) -> float:
        self._failures = 0 if well else self._failures + 1
        longest = self._interval_s
        if self._failures:
            longest = min(longest, self._retry_s * 2.0 ** min(self._failures - 1, 30))
        return longest * self._random.uniform(0.75, 1.0)

    def _wait(self, pause_s: float) -> None:
        while pause_s > 0 and not self.stopping.is_set():
            self.pulse()
            if self._wake.wait(min(pause_s, _TICK_S)):
                return
            pause_s -= _TICK_S
