"""Which requests came lately: a button may report one press twice."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from edge_tts.request import SpeakMessage

_MOST = 1024


class RecentRequests:
    """Each by all that it asks for except its id and time."""

    def __init__(self) -> None:
        self._accepted: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def twin(self, say: SpeakMessage, *, now: float, dedupe_s: float) -> str | None:
        """The id of the same request, if one was accepted less than `dedupe_s` ago."""
        accepted_at, request_id = self._accepted.get(_key(say), (float("-inf"), ""))
        return request_id if now - accepted_at < dedupe_s else None

    def add(self, say: SpeakMessage, request_id: str, *, now: float) -> None:
        self._accepted.pop(_key(say), None)
        self._accepted[_key(say)] = now, request_id
        if len(self._accepted) > _MOST:
            self._accepted.popitem(last=False)


def _key(say: SpeakMessage) -> str:
    return hashlib.sha256(say.model_dump_json(exclude={"id", "start_at", "dedupe_s"}).encode()).hexdigest()
