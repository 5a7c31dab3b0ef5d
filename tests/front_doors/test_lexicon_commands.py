"""`lexicon/set` and `lexicon/remove`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dispatcher_rig import DispatcherRig

from edge_tts.config import AccessConfig
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.dispatcher import Dispatcher, RequestRules
from edge_tts.front_doors.lexicon_commands import LexiconCommands
from edge_tts.front_doors.message import Message
from edge_tts.text.lexicon_file import LexiconFile


class LexiconRig(DispatcherRig):
    """A dispatcher with the commands about words, for a set that speaks English."""

    def __init__(self, folder: Path, capacity: int = 8) -> None:
        super().__init__(capacity)
        self.file = LexiconFile(folder / "lexicon.json", {})
        self.lexicon = LexiconCommands(
            runtime=self.runtime,
            lexicon=self.file,
            jobs=self.jobs,
            player=self.player,
            access=Access(AccessConfig()),
            languages=("en",),
        )
        self.dispatcher = Dispatcher(
            runtime=self.runtime,
            rules=RequestRules(str, ContentRules(100), 1000),
            jobs=self.jobs,
            player=self.player,
            more=self.lexicon.commands(),
        )

    def send(self, command: str, payload: object) -> dict[str, Any]:
        """What the last reply says."""
        data = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        self.dispatcher.handle(Message(command, data, reply=self.notes.reply("there")))
        _, report = self.notes.replies[-1]
        return {"id": report.id, "stage": report.stage, **report.details}


def test_a_word_is_kept_answered_and_spoken_back(tmp_path: Path) -> None:
    """The answer has the phonemes; the word is queued in the default voice, and everybody sees it retained."""
    rig = LexiconRig(tmp_path)
    answer = rig.send("lexicon/set", {"word": "Aoife", "pronunciation": "EE fa", "id": "a"})
    assert (answer["id"], answer["stage"], answer["phonemes"]) == ("a", "done", "IY1 F AH0")
    request = rig.request()
    assert (request.text, request.voice, request.language) == ("Aoife", "hum", "en")
    assert rig.events.retained()["lexicon"] == {"words": {"en": {"Aoife": "EE fa"}}, "why": None}
    assert rig.send("lexicon/remove", "aoife")["stage"] == "done"
    assert rig.events.retained()["lexicon"]["words"] == {}


def test_nothing_is_spoken_that_was_not_wanted_or_cannot_be(tmp_path: Path) -> None:
    """With `say: false` nothing is queued; a word of a language that the set lacks is kept with a warning."""
    rig = LexiconRig(tmp_path)
    rig.send("lexicon/set", {"word": "Aoife", "pronunciation": "EE fa", "say": False})
    answer = rig.send("lexicon/set", {"word": "重庆", "pronunciation": "chong2 qing4"})
    assert answer["warning"] == "the model set speaks en, not zh"
    assert rig.jobs.dequeue(0) is None
    assert set(rig.file.added()) == {"en", "zh"}


def test_a_full_queue_costs_only_the_sound(tmp_path: Path) -> None:
    """The word is kept, and the answer says that it is not heard."""
    rig = LexiconRig(tmp_path, capacity=1)
    rig.handle(b"hello")
    answer = rig.send("lexicon/set", {"word": "Aoife", "pronunciation": "EE fa"})
    assert answer["stage"] == "done"
    assert "queue" in answer["warning"]
    assert rig.file.added() == {"en": {"Aoife": "EE fa"}}


def test_a_wrong_pronunciation_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """One `failed` report names the syllable, and the key when one is missing or misnamed; nothing is kept."""
    rig = LexiconRig(tmp_path)
    assert "qing4" in rig.send("lexicon/set", {"word": "重庆", "pronunciation": "chong2 qingg4"})["message"]
    assert "pronunciation" in rig.send("lexicon/set", {"word": "Aoife", "phonemes": "EE fa"})["message"]
    assert "was not added" in rig.send("lexicon/remove", {"word": "Aoife"})["message"]
    assert rig.file.added() == {}


def test_a_change_by_another_process_is_noticed(tmp_path: Path) -> None:
    """The retained topic follows the file, and is published once."""
    rig = LexiconRig(tmp_path)
    LexiconFile(tmp_path / "lexicon.json", {}).add("en", "Eva", "AY va")
    rig.lexicon.refresh()
    before = rig.events.retained()["lexicon"]
    rig.lexicon.refresh()
    assert before == {"words": {"en": {"Eva": "AY va"}}, "why": None}
    assert rig.events.retained()["lexicon"] is before
