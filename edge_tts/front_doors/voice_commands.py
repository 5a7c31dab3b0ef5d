"""The commands about voices: enrol, delete, rename. Checks each once and hands it on. Knows nothing of MQTT's wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from edge_tts.enrolment.enrolment import Enrolment, EnrolRequest, Person
from edge_tts.errors import PayloadError
from edge_tts.front_doors.dispatcher import Message
from edge_tts.front_doors.payloads import parse_enroll, parse_one_voice
from edge_tts.runtime.event_bus import EventBus
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.worker import Speaker, Task
from edge_tts.values import AudioChunk
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.store import VoiceStore


class VoiceCommands:
    """Serves `enroll`, `enroll/press` (of somebody who is not at the device), `voices/delete` and `voices/rename`.

    A change of the store is a task in the worker's line: it waits its turn, so a voice is not taken away from under a
    sentence, and it ends with a report like everything else. `enrolment` is None where enrolment is switched off.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        store: VoiceStore,
        jobs: JobQueue,
        events: EventBus,
        enrolment: Enrolment | None,
        person: Callable[[str | None, Literal["zh", "en"] | None], Person | None],
        changed: Callable[[], None],
        new_id: Callable[[], str],
    ) -> None:
        self._catalogue, self._store = catalogue, store
        self._jobs, self._events = jobs, events
        self._enrolment, self._person = enrolment, person
        self._changed, self._new_id = changed, new_id

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        """Command -> who serves it; each may raise RequestError."""
        return {
            "enroll": self._enroll,
            "enroll/press": lambda message: self._press(),
            "voices/delete": self._delete,
            "voices/rename": self._rename,
        }

    def _press(self) -> None:
        self._open().remote_press()

    def _open(self) -> Enrolment:
        if self._enrolment is None:
            raise PayloadError("enroll: enrolment is switched off on this device (enrolment.enabled)")
        return self._enrolment

    def _enroll(self, message: Message) -> None:
        payload, enrolment = parse_enroll(message.payload), self._open()
        request = EnrolRequest(payload.id or self._new_id(), self._person(payload.name, payload.language))
        with self._events.expecting_replies(request.id, message.reply_to):
            enrolment.begin(request)

    def _delete(self, message: Message) -> None:
        payload = parse_one_voice(message.payload, what="voices/delete")
        ref = self._catalogue.remains(payload.voice)
        self._change(payload.id, message, lambda: self._store.delete(ref))

    def _rename(self, message: Message) -> None:
        payload = parse_one_voice(message.payload, what="voices/rename")
        if payload.name is None:
            raise PayloadError("voices/rename: key 'name' is missing")
        ref, name = self._catalogue.enrolled(payload.voice), payload.name
        self._change(payload.id, message, lambda: self._store.rename(ref, name))

    def _change(self, request_id: str | None, message: Message, change: Callable[[], object]) -> None:
        def work(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            change()
            self._changed()
            yield from ()

        task = Task(id=request_id or self._new_id(), work=work)
        with self._events.expecting_replies(task.id, message.reply_to):
            self._jobs.submit(task)
