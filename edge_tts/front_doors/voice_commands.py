"""The commands about voices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from edge_tts.enrolment.enrolment import Enrolment
from edge_tts.enrolment.requests import EnrolmentPolicy, EnrolRequest
from edge_tts.errors import PayloadError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_deletion, parse_enroll, parse_one_voice, parse_undeletion
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.on_demand import Speaker
from edge_tts.speaking.worker import Task
from edge_tts.values import AudioChunk
from edge_tts.voices.local_voices import Voices
from edge_tts.voices.store import VoiceStore


class VoiceCommands:
    """Serves `voices/delete`, `voices/undelete` and `voices/rename`.

    A change of the store is a task in the worker's queue, so that no voice is deleted while it speaks. `changed` is
    called after it. The reports on a deletion have the voice's id.
    """

    def __init__(self, *, runtime: Runtime, jobs: JobQueue, voices: Voices, changed: Callable[[], None]) -> None:
        self._runtime, self._jobs, self._voices, self._changed = runtime, jobs, voices, changed

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        """Command -> its handler, which may raise RequestError."""
        return {"voices/delete": self._delete, "voices/undelete": self._undelete, "voices/rename": self._rename}

    def _delete(self, message: Message) -> None:
        payload, store = parse_deletion(message.payload), self._store(message)
        ref = self._voices.catalogue.deletable(payload.id, payload.name)
        delete = store.delete if payload.forget else store.delete_later
        self._change(payload.id, message, lambda: delete(ref))

    def _undelete(self, message: Message) -> None:
        payload = parse_undeletion(message.payload)
        ref = self._voices.catalogue.undeletable(payload.id, payload.name)
        store = self._store(message)
        self._change(payload.id, message, lambda: store.undelete(ref))

    def _rename(self, message: Message) -> None:
        payload = parse_one_voice(message.payload, what="voices/rename")
        if payload.name is None:
            raise PayloadError("voices/rename: key 'name' is missing")
        ref, name, store = self._voices.catalogue.enrolled(payload.voice), payload.name, self._store(message)
        self._change(payload.id, message, lambda: store.rename(ref, name))

    def _store(self, message: Message) -> VoiceStore:
        return self._voices.store.acting(str(message.caller))

    def _change(self, request_id: str | None, message: Message, change: Callable[[], object]) -> None:
        def work(networks: Speaker, should_stop: Callable[[], bool]) -> Iterator[AudioChunk]:
            change()
            self._changed()
            yield from ()

        self._jobs.submit(Job(Task(id=request_id or self._runtime.new_id(), work=work), reply=message.reply))


class EnrolCommands:
    """Serves `enroll` and `enroll/press` from a remote sender. `enrolment` None: it is switched off."""

    def __init__(self, *, runtime: Runtime, enrolment: Enrolment | None, policy: EnrolmentPolicy) -> None:
        self._runtime, self._enrolment, self._policy = runtime, enrolment, policy

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        return {"enroll": self._enroll, "enroll/press": lambda message: self._open().remote_press()}

    def _open(self) -> Enrolment:
        if self._enrolment is None:
            raise PayloadError("enroll: enrolment is switched off on this device (enrolment.enabled)")
        return self._enrolment

    def _enroll(self, message: Message) -> None:
        payload, enrolment = parse_enroll(message.payload), self._open()
        person = self._policy.person(payload.name, payload.language)
        request_id = payload.id or self._runtime.new_id()
        enrolment.begin(EnrolRequest(request_id, person, short=payload.short, reply=message.reply))
