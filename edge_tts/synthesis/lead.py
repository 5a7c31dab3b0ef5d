"""How long the listener still has sound, and how much may therefore be made at once."""

from __future__ import annotations

import time
from collections.abc import Callable

_SHARE = 0.67
"""Of the sound in hand that making the next may take; the machine may have other work by then. The second piece, whose
length is given, has less in hand where it matters: 1.25 times what it takes where a second of speech takes 0.37."""


class Lead:
    """Of one request, by its own reckoning: a listener who began with the first sound and never paused is the least
    favourable one, so it holds for any player, file or connection. Sound that `handed` was told of is with the caller
    until `resumed`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lasts_until = self._resumed_at = clock()
        self._pace = float("inf")  # seconds of work for a second of sound, the last time

    def handed(self, seconds: float, *, made: bool = True) -> None:
        """So much sound is handed on; `made` False: silence that took no work."""
        now = self._clock()
        self._lasts_until = max(self._lasts_until, now) + seconds
        if made and seconds > 0:
            self._pace = (now - self._resumed_at) / seconds

    def resumed(self) -> None:
        """The caller asks for more."""
        self._resumed_at = self._clock()

    def affords(self) -> float:
        """Seconds of sound that will be made long before the listener has heard what is there."""
        in_hand = max(0.0, self._lasts_until - self._clock())
        return _SHARE * in_hand / max(self._pace, 1e-3)
