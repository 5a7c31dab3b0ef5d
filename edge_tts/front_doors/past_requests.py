"""What became of a request, for its caller: `requests/get` over MQTT and `GET /v1/requests/ID`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from edge_tts.errors import RequestError, UnknownRequestError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_request_id
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import no_reply
from edge_tts.speaking.request_records import RequestRecords
from edge_tts.speaking.results import Results
from edge_tts.values import Caller, Report

COMMAND = "requests/get"


class PastRequests:
    """Any thread."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        records: RequestRecords,
        results: Results,
        may_ask: Callable[[str, Caller], bool] = lambda owner, caller: True,
    ) -> None:
        """`may_ask`: whether a caller may ask for a request of that owner."""
        self._runtime, self.records, self.results, self._may_ask = runtime, records, results, may_ask

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        return {COMMAND: self._get}

    def tell(
        self, request_id: str, caller: Caller, *, with_result: bool = True, address: str | None = None
    ) -> dict[str, Any]:
        """Its stages and details, and its sound where that was to be delivered and is kept still. `address`: by which
        the caller reaches the HTTP server. Raises UnknownRequestError, also for what belongs to another caller."""
        record = self.records.find(request_id)
        if record is None or not self._may_ask(record.owner, caller):
            raise UnknownRequestError(f"no request '{request_id}' of yours is known; they are for a day")
        at = datetime.fromtimestamp(record.at, timezone.utc).isoformat(timespec="seconds")
        told = {"id": record.id, "at": at, "stage": record.stage, "stages": record.stages, "details": record.details}
        result = self.results.find(request_id, record.owner) if with_result else None
        return told if result is None else {**told, "result": self.results.offer(result, address=address)}

    def _get(self, message: Message) -> None:
        """The answer has an id of its own: that of the request would be taken for another report on it."""
        answer_id = self._runtime.new_id()
        is_private = message.reply is not no_reply  # what is on `events` is for everybody
        try:
            asked = parse_request_id(message.payload)
            told = self.tell(asked, message.caller, with_result=is_private)
        except RequestError as refused:
            details = {"kind": COMMAND, "error": type(refused).__name__, "message": str(refused)}
            self._answer(message, Report(answer_id, "failed", 0.0, details))
            return
        details = {"kind": COMMAND, "of": told.pop("id"), **told}
        self._answer(message, Report(answer_id, "done", 0.0, details))

    def _answer(self, message: Message, report: Report) -> None:
        if message.reply is no_reply:
            self._runtime.events.report(report)
        else:
            message.reply(report)
