"""Changing the model set: trial and encoding while the current set speaks, then a restart."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from enrolled import new_voice, open_store
from fakes import WAIT_S
from rig import Rig, sentence
from toy_model_sets import write_model_set

from edge_tts.errors import ConfigError, ModelError, RequestError, VoiceError
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.model_commands import ModelCommands
from edge_tts.model_sets.change import ModelChange
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.speaking.internal_jobs import Work
from edge_tts.speaking.job import Job
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.store import EnrolledVoice


class ToySets:
    """A fake of ModelSets and Candidate with errors set by the test."""

    def __init__(self, folder: Path) -> None:
        self.choice = ModelChoice(folder / "model.json", configured="old")
        self.trouble: Exception | None = None
        self.voiceless = False
        self.installed_last: str | None = "old"
        self.auditions: list[str] = []
        self.inside, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.restarted = threading.Event()
        self.store = open_store(folder / "voices")
        self.features = FeatureStore(store=self.store, model=read_model_set(write_model_set(folder / "new")))
        self.refused: set[str] = set()
        self.encoded: list[str] = []
        self.closed = False

    def installed(self) -> list[str]:
        return ["new", "old"]

    def newest(self) -> str | None:
        return self.installed_last

    @contextmanager
    def trial(self, name: str, waiting: Callable[[], None]) -> Iterator[ToySets]:
        self.auditions.append(name)
        self.inside.set()
        while not self.go_on.wait(0.01):
            waiting()
        if self.trouble is not None:
            raise self.trouble
        yield self
        self.closed = True

    def restart(self) -> None:
        assert self.closed, "a restart before the candidate was closed"
        self.restarted.set()

    def missing(self) -> list[EnrolledVoice]:
        return self.features.missing()

    def encoding(self, voice: EnrolledVoice) -> Work:
        def work(networks: object, should_stop: object) -> Iterator[object]:
            self.encoded.append(voice.name)
            if voice.name in self.refused:
                raise VoiceError("this recording cannot be encoded")
            (voice.folder / "features").mkdir(exist_ok=True)
            source = self.features._model.directory / "voices" / "hum" / "features.npz"
            (voice.folder / "features" / self.features.file).write_bytes(source.read_bytes())
            yield from ()

        return work

    def check(self) -> None:
        if self.voiceless:
            raise ConfigError("voice: the model set new has no voice 'anna'")


class Stage(Rig):
    """A queue, a worker and the part under test."""

    def __init__(self, sets: ToySets) -> None:
        super().__init__(capacity=4)
        self.sets = sets
        self.change = ModelChange(runtime=self.runtime, sets=sets, internal_jobs=self.internal_jobs())
        self.commands = ModelCommands(change=self.change, new_id=self.runtime.new_id).commands()

    def send(self, command: str, payload: object = b"") -> None:
        """A command over MQTT."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.commands[command](Message(command, data))

    def steps(self) -> list[str | None]:
        """The steps in the retained topic `models`, without repetitions."""
        steps: list[str | None] = []
        for topic, value in self.notes.retained:
            step = (value["change"] or {}).get("step") if topic == "models" else None
            if topic == "models" and steps[-1:] != [step]:
                steps.append(step)
        return steps


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A running Stage."""
    running = Stage(ToySets(folder))
    with running.player, running.worker, running.change:
        yield running
        running.jobs.close(timeout_s=WAIT_S)


def test_a_set_that_is_installed_while_another_speaks_is_shown(tmp_path: Path) -> None:
    """The retained topic `models` names the set that was installed last; without news it is not published again."""
    it = Stage(ToySets(tmp_path))
    it.change.show_idle()
    it.sets.installed_last = "new"
    for _ in range(2):
        it.change.idle()
    assert [value["newest"] for topic, value in it.notes.retained if topic == "models"] == ["old", "new"]


def test_every_voice_is_encoded_before_the_change(tmp_path: Path) -> None:
    """Each step is published; the restart follows when all voices are encoded and the report is sent."""
    with stage(tmp_path) as it:
        for seed in (1, 2):
            it.sets.store.add(new_voice(seed, name=f"V{seed}"))
        it.send("models/activate", {"model": "new", "id": "change"})
        done = it.notes.wait("change", "done")
        assert it.sets.restarted.wait(WAIT_S)
        assert done.details == {"model": "new", "unready": []}
        assert sorted(it.sets.encoded) == ["V1", "V2"]
        assert it.notes.stages("change") == ["accepted", "started", "done"]
        it.notes.wait_fact("models", lambda fact: fact["current"] == "new" and fact["change"] is None)
        assert it.steps() == [None, "trying", "encoding", None]


def test_the_old_set_speaks_meanwhile(tmp_path: Path) -> None:
    """During the trial, and before each voice is encoded, requests are served."""
    with stage(tmp_path) as it:
        it.sets.store.add(new_voice(1, name="V1"))
        it.sets.go_on.clear()
        it.send("models/activate", b"new")
        assert it.sets.inside.wait(WAIT_S)
        it.jobs.submit(Job(sentence("meanwhile", "text")))
        assert it.notes.wait("meanwhile", "done")
        it.synthesizer.gate.clear()
        it.jobs.submit(Job(sentence("first", "text")))
        it.notes.wait("first", "started")
        it.jobs.submit(Job(sentence("second", "text")))
        it.sets.go_on.set()
        it.notes.wait_fact("models", lambda fact: (fact["change"] or {}).get("step") == "encoding")
        assert it.sets.encoded == []
        it.synthesizer.gate.set()
        assert it.sets.restarted.wait(WAIT_S)
        order = [report.id for report in it.notes.reports if report.stage == "done"]
        assert order.index("second") < order.index("auto2")


def test_no_sentence_is_cut_off_by_the_change(tmp_path: Path) -> None:
    """The old set speaks the queued requests to their end; none is begun after."""
    with stage(tmp_path) as it:
        it.synthesizer.gate.clear()
        for name in ("first", "second"):
            it.jobs.submit(Job(sentence(name, "text")))
        it.notes.wait("first", "started")
        it.send("models/activate", {"model": "new", "id": "change"})
        it.notes.wait("auto1", "accepted")
        assert not it.sets.restarted.is_set()
        it.synthesizer.gate.set()
        assert it.sets.restarted.wait(WAIT_S)
        it.jobs.submit(Job(sentence("late", "text")))
        assert it.notes.stages("second")[-1] == "done"
        assert it.notes.stages("late") == ["accepted"]


def test_a_defect_ends_one_change(tmp_path: Path) -> None:
    """After any exception from a set's files the change fails by name, the old set speaks on, and a retry works."""
    with stage(tmp_path) as it:
        it.sets.trouble = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        it.send("models/activate", {"model": "new", "id": "change"})
        failed = it.notes.wait("change", "failed").details
        assert failed["error"] == "InternalError"
        assert "UnicodeDecodeError" in failed["message"]
        it.notes.wait_fact("models", lambda fact: fact["current"] == "old" and fact["change"] is None)
        it.sets.trouble = None
        it.send("models/activate", {"model": "new", "id": "again"})
        it.notes.wait("again", "done")


def test_a_set_that_cannot_speak_changes_nothing(tmp_path: Path) -> None:
    """The report says why, nothing restarts, and a retry is accepted."""
    with stage(tmp_path) as it:
        it.sets.trouble = ModelError("wave.onnx: is damaged")
        it.send("models/activate", {"model": "new", "id": "bad"})
        assert it.notes.wait("bad", "failed").details == {"error": "ModelError", "message": "wave.onnx: is damaged"}
        it.notes.wait_fact("models", lambda fact: fact["change"] is None)
        assert (it.sets.choice.current, it.sets.restarted.is_set()) == ("old", False)
        it.sets.trouble, it.sets.voiceless = None, True
        it.send("models/activate", {"model": "new", "id": "mute"})
        assert "no voice 'anna'" in it.notes.wait("mute", "failed").details["message"]
        assert it.sets.choice.current == "old"


def test_a_voice_that_cannot_be_encoded_is_named_and_left_behind(tmp_path: Path) -> None:
    """A voice that cannot be encoded does not prevent the change."""
    with stage(tmp_path) as it:
        voices = [it.sets.store.add(new_voice(seed, name=f"V{seed}")) for seed in (1, 2)]
        it.sets.refused = {"V1"}
        it.send("models/activate", {"model": "new", "id": "change"})
        assert it.notes.wait("change", "done").details["unready"] == [voices[0].ref.id]


def test_an_encoding_that_was_stopped_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`stop` ends the current speech, not the change."""
    monkeypatch.setattr("edge_tts.model_sets.change._RETRY_S", 0.0)
    with stage(tmp_path) as it:
        it.sets.store.add(new_voice(1, name="V1"))
        it.synthesizer.gate.clear()
        it.jobs.submit(Job(sentence("first", "text")))
        it.notes.wait("first", "started")
        it.send("models/activate", {"model": "new", "id": "change"})
        it.notes.wait("auto1", "accepted")
        it.jobs.stop("auto1")
        it.notes.wait("auto2", "accepted")
        assert it.sets.encoded == []
        it.synthesizer.gate.set()
        assert it.notes.wait("change", "done")


def test_rollback_goes_to_the_set_before(tmp_path: Path) -> None:
    """A rollback is a change to the previous set; without one it is refused."""
    with stage(tmp_path) as it:
        with pytest.raises(RequestError, match="no model set spoke before old"):
            it.send("models/rollback")
        it.sets.choice.choose("new")
        it.send("models/rollback", {"id": "back"})
        assert it.notes.wait("back", "done").details["model"] == "old"
        assert it.sets.auditions == ["old"]


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"nwe", "no model set 'nwe', did you mean 'new'"),
        (b"old", "the model set old speaks already"),
        (b"", "the payload is empty"),
        (b'{"modle": "new"}', "unknown key 'modle', did you mean 'model'"),
        (b"../new", "no model set '../new'"),
    ],
)
def test_a_wrong_wish_is_refused(tmp_path: Path, payload: bytes, says: str) -> None:
    """An impossible request is refused at once, by name."""
    with stage(tmp_path) as it, pytest.raises(RequestError, match=says):
        it.send("models/activate", payload)


def test_one_change_at_a_time_and_none_after_the_end(tmp_path: Path) -> None:
    """A second request is refused during a change; stopping the process ends the change with a report."""
    with stage(tmp_path) as it:
        it.sets.go_on.clear()
        it.send("models/activate", {"model": "new", "id": "change"})
        assert it.sets.inside.wait(WAIT_S)
        with pytest.raises(RequestError, match="under way"):
            it.send("models/activate", b"new")
    assert it.notes.stages("change")[-1] == "interrupted"
    assert (it.sets.choice.current, it.sets.restarted.is_set()) == ("old", False)
