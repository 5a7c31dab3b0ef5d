"""Sound that is kept for its caller: whole, bounded, behind links that expire, and gone with its voice."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import soundfile
from fakes import FakeSynthesizer, until
from rig import Rig, sentence

from edge_tts.config import ResultsConfig
from edge_tts.errors import PayloadError, QueueFullError
from edge_tts.request import SpeakMessage
from edge_tts.speaking.job import Job
from edge_tts.speaking.results import Results
from edge_tts.values import CLOSING, Report

SECONDS = 0.3
"""Of the fake synthesizer's speech."""
OWNER = "kitchen"
LARGEST = 3000
"""Bytes of base64."""


class Kept(Rig):
    """Queue, worker and results."""

    def __init__(self, folder: Path, *, address: str | None = "http://box:8080", **config: Any) -> None:
        super().__init__(synthesizer=FakeSynthesizer())
        self.now, self.folder = 0.0, folder / "results"
        self.results = Results(
            ResultsConfig(dir=self.folder, **config), address=address, wall=lambda: self.now, base64_bytes=LARGEST
        )
        self.replies: list[Report] = []

    def ask(self, name: str, **keys: Any) -> Report:
        """The closing report as its caller gets it."""
        request = sentence(name, **keys)
        sink = self.results.sink(request, OWNER, self.player, self.runtime)
        self.jobs.submit(Job(request, sink=sink, reply=self.results.reply(self.replies.append, OWNER)))
        until(lambda: any(r.id == name and r.stage in CLOSING for r in self.replies))
        return self.replies[-1]

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name != ".secret")


def linked(it: Kept, link: str) -> Any:
    """As the HTTP server looks it up."""
    parts = urlsplit(link)
    return it.results.linked(parts.path.rpartition("/")[2], **{"signature": "", **dict(parse_qsl(parts.query))})


@pytest.mark.parametrize("form", ["wav", "flac", "ogg"])
def test_a_result_is_a_whole_file_of_its_format(tmp_path: Path, form: str) -> None:
    """It can be decoded, lasts as long as the speech, is as loud as asked, and nothing is played."""
    it = Kept(tmp_path)
    with it.running():
        told = it.ask("a", deliver="link", format=form, volume=50.0).details["result"]
    path = linked(it, told["link"]).path
    samples, rate = soundfile.read(path)
    assert (told["format"], told["bytes"]) == (form, path.stat().st_size)
    assert len(samples) / rate == pytest.approx(SECONDS)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(0.25 / np.sqrt(2), abs=0.02)
    assert it.notes.stages("a") == ["accepted", "started", "first_audio", "done"]
    assert "result" not in it.notes.wait("a", "done").details
    assert len(it.loudspeaker.heard) == 0


def test_base64_is_used_where_it_fits_else_a_link(tmp_path: Path) -> None:
    """The sound is in the report up to the limit of a message."""
    it = Kept(tmp_path)
    with it.running():
        short = it.ask("a", deliver="base64", format="flac").details["result"]
        long = it.ask("b", deliver="base64", format="wav", text="long").details["result"]
    assert base64.b64decode(short["audio"]).startswith(b"fLaC")
    assert "link" not in short
    assert long["bytes"] > 0.75 * LARGEST
    assert "link" in long
    nowhere = Kept(tmp_path / "other", address=None)
    nowhere.results._base64_bytes = 10
    with nowhere.running():
        assert "no link without http.port" in nowhere.ask("c", deliver="base64").details["result"]["why"]


def test_what_is_delivered_can_be_played_as_well(tmp_path: Path) -> None:
    """With `play` the loudspeaker and the file have the same sound."""
    it = Kept(tmp_path)
    with it.running():
        told = it.ask("a", deliver="link", play=True).details["result"]
    samples, _ = soundfile.read(linked(it, told["link"]).path, dtype="float32")
    np.testing.assert_allclose(samples, it.loudspeaker.heard, atol=1e-4)
    assert it.notes.stages("a").count("first_audio") == 1


def test_a_request_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    """Half a sound is none."""
    it = Kept(tmp_path)
    it.synthesizer.gate.clear()
    with it.running():
        request = sentence("a", deliver="link")
        it.jobs.submit(Job(request, sink=it.results.sink(request, OWNER, it.player, it.runtime)))
        it.notes.wait("a", "first_audio")
        it.jobs.stop("a")
        it.notes.wait("a", "interrupted")
    assert it.files() == []
    assert it.results.find("a", OWNER) is None


def test_a_link_works_until_it_expires_and_is_made_here_alone(tmp_path: Path) -> None:
    """Any change to it is refused; it outlasts a restart, and is gone with its file."""
    it = Kept(tmp_path, keep_s=60)
    with it.running():
        link = it.ask("a", deliver="link").details["result"]["link"]
    assert link.startswith("http://box:8080/v1/results/")
    [name] = it.files()
    it.now = os.stat(it.folder / name).st_mtime
    assert linked(it, link).path.name == name
    again = Kept(tmp_path, keep_s=60)
    again.now = it.now
    assert linked(again, link) is not None
    later = link.replace("expires=1", "expires=2")
    other_end = link[:-1] + ("0" if link[-1] != "0" else "1")
    for forged in (later, other_end, link.replace(name[:6], "abcdef"), link.partition("&signature")[0]):
        with pytest.raises(PayloadError, match="not made here"):
            linked(it, forged)
    it.now += 61
    assert linked(it, link) is None
    it.results.sweep(["hum"])
    assert it.files() == []


def test_results_leave_with_their_voice(tmp_path: Path) -> None:
    """A voice that is deleted is heard nowhere any more; other results, and files of others, stay."""
    it = Kept(tmp_path)
    with it.running():
        it.ask("a", deliver="link")
        it.ask("b", deliver="link", voice="buzz")
    (it.folder / "notes.txt").write_text("mine")
    it.results.sweep(["buzz"])
    assert it.results.find("a", OWNER) is None
    assert it.results.find("b", OWNER) is not None
    assert it.results.find("b", "shop") is None
    assert "notes.txt" in it.files()


@pytest.mark.parametrize(
    ("config", "keys", "error", "says"),
    [
        ({"max_mb": 0}, {"deliver": "link"}, PayloadError, "results.max_mb is 0"),
        ({"address": None}, {"deliver": "link"}, PayloadError, "a link needs the HTTP server"),
    ],
)
def test_what_cannot_be_delivered_is_refused(
    tmp_path: Path, config: dict[str, Any], keys: dict[str, Any], error: type[Exception], says: str
) -> None:
    """Before anything is rendered, and nothing else is touched."""
    it = Kept(tmp_path, **config)
    it.results.check(SpeakMessage(text="plain"))
    with pytest.raises(error, match=says):
        it.results.check(SpeakMessage(text="x", **keys))


def test_a_full_store_refuses_and_keeps_what_it_promised(tmp_path: Path) -> None:
    """A new request is refused with when to come back; one that outgrows the room fails and leaves nothing."""
    it = Kept(tmp_path, max_mb=1)
    it.folder.mkdir()
    filler = it.folder / "filler"
    filler.write_bytes(bytes((1 << 20) - 1000))
    with it.running():
        failed = it.ask("a", deliver="link")
    assert failed.details["error"] == "QueueFullError"
    assert it.files() == ["filler"]
    filler.write_bytes(bytes(1 << 20))
    with pytest.raises(QueueFullError, match="each expires after 3600 s"):
        it.results.check(SpeakMessage(text="x", deliver="base64"))


def test_a_disk_that_refuses_costs_one_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and the next request is served."""
    it = Kept(tmp_path)
    it.folder.write_text("no folder")
    with it.running():
        assert it.ask("a", deliver="link").details["error"] == "AudioError"
        it.folder.unlink()
        assert it.ask("b", deliver="link").stage == "done"
