"""The commands about model sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_model, parse_rollback
from edge_tts.model_sets.change import ChangeRequest, ModelChange


class ModelCommands:
    """Serves `models/activate` and `models/rollback`."""

    def __init__(self, *, change: ModelChange, new_id: Callable[[], str]) -> None:
        self._change, self._new_id = change, new_id

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        return {"models/activate": self._activate, "models/rollback": self._roll_back}

    def _activate(self, message: Message) -> None:
        payload = parse_model(message.payload)
        self._change.activate(ChangeRequest(payload.id or self._new_id(), payload.model, message.reply))

    def _roll_back(self, message: Message) -> None:
        payload = parse_rollback(message.payload)
        self._change.roll_back(payload.id or self._new_id(), message.reply)
