"""The phrase cache: what is the same, what is kept, what disks do to it, and who leaves it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_disk import full, unreadable
from fakes import FakeSynthesizer, silent_voice
from rig import Rig, sentence
from toy_model_sets import write_model_set

from edge_tts.config import Config, config_from
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.request import SpeakRequest
from edge_tts.speaking import phrase_cache
from edge_tts.speaking.phrase_cache import PhraseCache, forget_voice, open_phrase_cache, origin_of, remove_phrases
from edge_tts.text.lexicon import Lexicon
from edge_tts.values import AudioChunk, GuardCounts, ModelSet, Voice

RATE = 8000
VOICES = {"hum", "buzz"}


class Cached:
    """A cache over a stand-in that draws other noise each time."""

    def __init__(self, directory: Path, model: ModelSet, *, max_bytes: int = 1 << 20, origin: str = "origin") -> None:
        self.directory, self.voices, self.lexicon = directory, set(VOICES), Lexicon({})
        self.rendered: list[SpeakRequest] = []
        self.seconds, self.last = 0.5, {"last": True}
        self.cache = PhraseCache(
            directory=directory,
            max_bytes=max_bytes,
            origin=origin,
            model=model,
            lexicon=lambda: self.lexicon,
            voices=lambda: self.voices,
        )

    def say(self, text: str = "tea", voice: Voice | None = None, **keys: Any) -> list[AudioChunk]:
        """The chunks of a request."""
        request = sentence("a", text, **keys)
        return list(self.cache.speak(request, voice or silent_voice("hum"), lambda: self._render(request)))

    def hits(self, **keys: Any) -> bool:
        """Whether nothing has to be rendered."""
        before = len(self.rendered)
        self.say(**keys)
        return len(self.rendered) == before

    def files(self) -> list[Path]:
        """All that is on the disk."""
        return [path for path in self.directory.rglob("*") if path.is_file()]

    def _render(self, request: SpeakRequest) -> Iterator[AudioChunk]:
        self.rendered.append(request)
        noise = np.random.default_rng(len(self.rendered)).uniform(-1, 1, int(self.seconds * RATE)).astype(np.float32)
        yield AudioChunk(noise[:100], RATE, request.id, last=False)
        yield replace(AudioChunk(noise[100:], RATE, request.id, last=False), **self.last)


@pytest.fixture
def model(tmp_path: Path) -> ModelSet:
    return read_model_set(write_model_set(tmp_path / "models" / "toy"))


@pytest.fixture
def cached(tmp_path: Path, model: ModelSet) -> Cached:
    return Cached(tmp_path / "phrases", model)


def samples(chunks: list[AudioChunk]) -> Any:
    """float32 [n]"""
    return np.concatenate([chunk.samples for chunk in chunks])


def test_the_same_request_is_rendered_once(cached: Cached) -> None:
    """Its sound comes again, to the last bit of 16, with its warnings, whatever its urgency and volume."""
    cached.last = {"last": True, "warnings": ("left out: Иван",)}
    first, again = cached.say(), cached.say(priority="alert", volume=10, ttl_s=5)
    assert np.abs(samples(first) - samples(again)).max() <= 1 / 32768
    assert (again[-1].last, again[-1].warnings, again[-1].cached) == (True, ("left out: Иван",), True)
    assert not any(chunk.cached for chunk in first)
    assert len(cached.rendered) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Tea"},
        {"language": "en"},
        {"speed": 1.5},
        {"seed": 1},
        {"temperature": 0.5},
        {"split": "cut1"},
        {"ssml": True},
        {"fragment_interval": 1.0},
        {"voice": silent_voice("buzz")},
        {"voice": replace(silent_voice("hum"), conditioning=np.ones((1, 4, 1), np.float32))},
        {"voice": replace(silent_voice("hum"), language="zh")},
    ],
    ids=str,
)
def test_what_changes_the_sound_is_another_phrase(cached: Cached, change: dict[str, Any]) -> None:
    """Text, way of reading, sampling, and the features of the voice."""
    assert not cached.hits()
    assert not cached.hits(**change)
    assert cached.hits()
    assert cached.hits(**change)


def test_the_default_written_out_is_the_same_phrase(cached: Cached) -> None:
    """What the model set would choose anyway may be said or left out."""
    assert not cached.hits()
    assert cached.hits(top_k=15, temperature=1.0)


def test_a_word_that_is_said_otherwise_makes_other_phrases(cached: Cached) -> None:
    """What is kept with the old lexicon waits until that is back; a change in mid-sentence keeps nothing."""
    old = cached.lexicon
    assert not cached.hits()
    cached.lexicon = Lexicon({"en": {"tea": "coffee"}})
    assert not cached.hits()
    cached.lexicon = old
    assert cached.hits()
    request = sentence("a", "other")
    for _ in cached.cache.speak(request, silent_voice("hum"), lambda: cached._render(request)):
        cached.lexicon = Lexicon({"en": {"milk": "cream"}})
    assert not cached.hits(text="other")


def test_another_model_set_or_reading_is_another_origin(tmp_path: Path, model: ModelSet) -> None:
    """The set, how dates are read, the graphs, the loudness and what is bleeped make other phrases; a name does not."""

    def origin(model: ModelSet = model, **keys: Any) -> str:
        return origin_of(config_from(keys, folder=tmp_path), model)

    other = read_model_set(write_model_set(tmp_path / "other", version="2"))
    assert origin() == origin(device="elsewhere")
    different = [origin(), origin(other), origin(text={"dates": "day_first"}), origin(engine={"flavour": "plain"})]
    different.append(origin(audio={"loudness": -23}))
    different.append(origin(content={"rules": [{"name": "a", "action": "bleep", "words": ["milk"]}]}))
    different.append(origin(content={"rules": [{"name": "a", "action": "bleep", "words": ["cream"]}]}))
    assert len(set(different)) == 7


@pytest.mark.parametrize(
    "last",
    [{"last": False}, {"last": True, "guard": GuardCounts(faults={"loop": 1})}],
    ids=["stopped", "fault"],
)
def test_only_what_went_well_is_kept(cached: Cached, last: dict[str, Any]) -> None:
    """A stopped request and one that stayed wrong are rendered anew."""
    cached.last = last
    cached.say()
    assert cached.files() == []


def test_a_long_text_is_not_kept(cached: Cached) -> None:
    """Reading it would take longer than a hit may."""
    cached.seconds = 61
    cached.say()
    assert cached.files() == []


def test_a_request_may_stay_out(cached: Cached) -> None:
    """With `cache: false` nothing is kept and nothing of before is heard."""
    assert not cached.hits(cache=False)
    assert cached.files() == []
    assert not cached.hits()
    assert not cached.hits(cache=False)


def test_off_unless_configured(tmp_path: Path, model: ModelSet) -> None:
    """Without `cache.max_mb` there is no cache."""

    def cache_of(config: Config) -> PhraseCache | None:
        return open_phrase_cache(config, model, lexicon=lambda: Lexicon({}), voices=set)

    assert cache_of(config_from({}, folder=tmp_path)) is None
    assert cache_of(config_from({"cache": {"max_mb": 1}}, folder=tmp_path)) is not None


def test_the_least_recently_used_leave_first(tmp_path: Path, model: ModelSet) -> None:
    """The folder never exceeds its bound, and what was heard lately stays."""
    size = int(0.5 * RATE) * 2 + 200
    cached = Cached(tmp_path / "phrases", model, max_bytes=3 * size)
    for age, text in ((300, "a"), (200, "b"), (100, "c")):
        cached.say(text)
        path = cached.cache.path(sentence("x", text), silent_voice("hum"))
        os.utime(path, (os.stat(path).st_atime - age, os.stat(path).st_mtime - age))
    assert cached.hits(text="a")
    cached.say("d")
    assert sum(path.stat().st_size for path in cached.files()) <= 3 * size
    assert [cached.hits(text=text) for text in ("a", "c", "d")] == [True, True, True]
    assert not cached.hits(text="b")


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "header", "swapped"])
def test_a_damaged_file_is_rendered_again(cached: Cached, damage: str) -> None:
    """Nothing but the phrase itself is ever played, and the file is whole again afterwards."""
    heard = samples(cached.say())
    (path,) = cached.files()
    data = path.read_bytes()
    if damage == "swapped":
        cached.say("coffee")
        data = next(other for other in cached.files() if other != path).read_bytes()
    damaged = {
        "cut": data[:-10],
        "bit": data[:-1] + bytes([data[-1] ^ 1]),
        "empty": b"",
        "header": data[:40] + b"?" + data[41:],
        "swapped": data,
    }
    path.write_bytes(damaged[damage])
    count = len(cached.rendered)
    again = samples(cached.say())
    assert len(cached.rendered) == count + 1
    assert len(again) == len(heard)
    assert cached.hits()


def test_a_bad_disk_costs_the_cache_only(cached: Cached, caplog: pytest.LogCaptureFixture) -> None:
    """On a full or unreadable disk every request is spoken, with one warning, and nothing half written stays."""
    with full(cached.directory.parent):
        assert len(samples(cached.say())) == len(samples(cached.say())) == int(0.5 * RATE)
    assert cached.files() == []
    assert len([record for record in caplog.records if "not kept" in record.getMessage()]) == 1
    cached.say()
    with unreadable(cached.directory):
        assert not cached.hits()
        cached.cache.sweep()
    assert cached.hits()


def test_the_last_of_the_disk_is_left_to_others(cached: Cached, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept on a disk that is nearly full."""
    usage = phrase_cache.shutil.disk_usage("/")._replace(free=1 << 20)
    monkeypatch.setattr(phrase_cache.shutil, "disk_usage", lambda path: usage)
    cached.say()
    assert cached.files() == []


def test_a_deleted_voice_leaves_at_once(cached: Cached) -> None:
    """A sweep takes the sound of voices that are gone, and of no other; so does a deletion while one is rendered."""
    for voice in VOICES:
        cached.say(voice=silent_voice(voice))
    cached.voices.remove("hum")
    cached.cache.sweep()
    assert [cached.hits(voice=silent_voice(voice)) for voice in ("buzz", "hum")] == [True, False]
    assert len(cached.files()) == 1
    forget_voice(cached.directory, "buzz")
    assert cached.files() == []


def test_only_our_own_files_are_removed(tmp_path: Path) -> None:
    """A folder that holds other things, configured by mistake, keeps them, empty folders too."""
    for name in ("photos/a.phrase", "photos/b.jpg", "0" * 32 + "/letter.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    remove_phrases(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_crash_left_is_swept(cached: Cached) -> None:
    """An unfinished file goes once nobody can be writing it any more."""
    cached.say()
    (path,) = cached.files()
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    for left in (new, old):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    cached.cache.sweep()
    assert sorted(cached.files()) == sorted([path, new])


def test_the_worker_speaks_from_the_cache(cached: Cached) -> None:
    """The second `done` says `cached`, the networks are not asked, what is heard is the same, and `state.rtf` stays."""
    it = Rig(phrases=cached.cache)
    with it.running():
        it.say("a")
        it.notes.wait("a", "done")
        rtf = it.events.state.rtf
        heard = len(it.loudspeaker.heard)
        it.say("b")
        done = it.notes.wait("b", "done").details
    assert it.synthesizer.spoken == ["text"]
    assert (done["cached"], done["audio_s"]) == (True, pytest.approx(0.3))
    assert "cached" not in it.notes.wait("a", "done").details
    assert it.events.state.rtf == rtf
    np.testing.assert_allclose(it.loudspeaker.heard[heard:], it.loudspeaker.heard[:heard], atol=1 / 32768)


def test_a_stopped_hit_ends_at_once(cached: Cached) -> None:
    """A request from the cache is stopped like any other."""
    it = Rig(phrases=cached.cache, synthesizer=FakeSynthesizer(chunks=100))
    with it.running():
        it.say("a")
        it.notes.wait("a", "done")
        it.loudspeaker.hold()
        it.say("b")
        it.loudspeaker.let_through(2)
        it.notes.wait("b", "first_audio")
        it.jobs.stop("b")
        it.loudspeaker.release()
        assert it.notes.wait("b", "interrupted").details == {"reason": "stopped"}
