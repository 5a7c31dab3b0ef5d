"""PendingVoices: encoding one voice at a time, at low priority, each at most once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from enrolled import ToyEncoder, make_features, new_voice, open_store, silence, voice_from
from fakes import Notes
from rig import make_runtime, sentence
from toy_model_sets import write_model_set

from edge_tts.errors import AudioError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.speaking.internal_jobs import InternalJobs
from edge_tts.speaking.job import Discard, Job, Outcome, failure
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.worker import Task
from edge_tts.voices import store as voice_store
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.pending_voices import PendingVoices


class Room:
    """Two voices without features, a queue, and a worker played by the test."""

    def __init__(self, folder: Path) -> None:
        self.store = open_store(folder / "voices")
        self.voices = [self.store.add(new_voice(seed, name=f"V{seed}")) for seed in (1, 2)]
        self.features = FeatureStore(store=self.store, model=read_model_set(write_model_set(folder / "toy")))
        self.encoder, self.notes, self.done, self.failed = ToyEncoder(), Notes(), 0, 0
        ids = iter(f"e{number}" for number in range(100))
        runtime = replace(make_runtime(self.notes), new_id=lambda: next(ids))
        self.jobs = JobQueue(runtime=runtime, capacity=2)
        internal_jobs = InternalJobs(runtime=runtime, jobs=self.jobs, sink=Discard())
        self.pending = PendingVoices(
            features=self.features,
            internal_jobs=internal_jobs,
            unready=self.features.missing,
            done=self._count,
            failed=self._count_failed,
        )

    def _count(self) -> None:
        self.done += 1

    def _count_failed(self) -> None:
        self.failed += 1

    def serve(self) -> str | None:
        """Run the next job; its id."""
        job = self.jobs.dequeue(0)
        if job is None:
            return None
        outcome = Outcome("done")
        try:
            if isinstance(job.request, Task):
                list(job.request.work(self.encoder, lambda: False))
        except AudioError as error:
            outcome = failure(error)
        self.jobs.finish(job, outcome)
        return job.request.id


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A Household that has been polled once."""
    room = Room(tmp_path)
    room.pending.poll()
    assert room.serve() is None
    return room


def test_all_are_encoded_one_after_the_other(room: Room) -> None:
    """Polling during a job adds none; after it the next voice follows, until all have features."""
    for expected in ("e0", "e1"):
        room.pending.poll()
        room.pending.poll()
        assert room.serve() == expected
        assert room.serve() is None
    room.pending.poll()
    assert room.serve() is None
    assert room.done == 2
    assert room.features.missing() == []
    assert [length for length, _, _ in room.encoder.encoded] == [3200, 3200]
    loaded = room.features.load(room.voices[0])
    assert loaded is not None
    assert loaded.name == "V1"


def test_a_voice_that_has_only_just_come_waits_for_the_next_look(room: Room) -> None:
    """A voice found unready for the first time is not queued, as its enrolment is about to save the features."""
    for voice in room.voices:
        make_features(room.features, voice)
    late = room.store.add(new_voice(3, name="V3"))
    room.pending.poll()
    assert room.serve() is None
    make_features(room.features, late)
    room.pending.poll()
    assert room.serve() is None
    room.store.add(new_voice(4, name="V4"))
    for _ in range(2):
        room.pending.poll()
    assert room.serve() == "e0"


def test_speech_comes_first(room: Room) -> None:
    """A later speech request is served before a queued encoding."""
    room.pending.poll()
    room.jobs.submit(Job(sentence("sentence", "text")))
    assert room.serve() == "sentence"
    assert room.serve() == "e0"


def test_what_cannot_be_encoded_is_tried_once(room: Room) -> None:
    """A failure is in the report and in `reason`, is not retried, and the next voice follows."""
    assert [room.pending.reason(voice.ref) for voice in room.voices] == [None, None]
    room.encoder.refuse_to_encode = True
    for _ in range(4):
        room.pending.poll()
        room.serve()
    assert (room.done, room.failed) == (0, 2)
    assert {room.pending.reason(voice.ref) for voice in room.voices} == {"this recording cannot be encoded"}
    assert room.notes.wait("e0", "failed").details["message"] == "this recording cannot be encoded"
    assert len(room.features.missing()) == 2
    room.pending.poll()
    assert room.serve() is None


def test_a_voice_that_came_back_is_tried_again(room: Room) -> None:
    """A voice that could not be encoded because it was deleted meanwhile is encoded once that is undone."""
    ref = room.features.missing()[0].ref
    room.pending.poll()
    room.store.delete_later(ref)
    room.encoder.refuse_to_encode = True  # as it does whose files are gone
    room.serve()
    room.encoder.refuse_to_encode = False
    room.pending.poll()
    room.serve()
    room.store.undelete(ref)
    for _ in range(3):
        room.pending.poll()
        room.serve()
    assert room.features.missing() == []


@pytest.mark.parametrize(
    "recordings", [[silence(61)], [silence(60, 48000, 8), silence(60, 48000, 4)]], ids=["long", "much"]
)
def test_a_voice_from_before_the_limits_is_refused_by_name(
    room: Room, monkeypatch: pytest.MonkeyPatch, recordings: list[bytes]
) -> None:
    """A stored voice that would unpack to more than the memory fails alone, and the others follow."""
    with monkeypatch.context() as before:
        before.setattr(voice_store, "check_files", lambda *_, **__: None)
        bomb = room.store.add(voice_from(*recordings))
    for _ in range(4):
        room.pending.poll()
        room.serve()
    assert room.done == 2
    assert [voice.ref for voice in room.features.missing()] == [bomb.ref]
    assert ".flac: " in (room.pending.reason(bomb.ref) or "")


def test_what_was_stopped_or_crowded_out_gets_another_turn(room: Room) -> None:
    """A voice whose job was stopped or dropped from a full queue is retried."""
    room.pending.poll()
    room.jobs.stop()
    room.pending.poll()
    for name in ("a", "b"):
        room.jobs.submit(Job(sentence(name, "text")))
    assert [room.serve(), room.serve(), room.serve()] == ["a", "b", None]
    room.pending.poll()
    assert room.serve() == "e2"
    assert (room.done, room.failed) == (1, 0)
