"""The journal: what is written is read again, what the clocks say, what damage does, and what a power cut leaves."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from fakes import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from power_cut import cut_everywhere

from edge_tts.request import SpeakRequest
from edge_tts.speaking.journal import LARGEST, QUARANTINE, Envelope, Journal, Page, ReplyTo, Uptime, uptime
from edge_tts.values import Priority, Report

REQUEST, BARE = SpeakRequest(text="good morning", id="a", voice="hum"), Envelope()


class Diary:
    """A folder, a clock that starts anew with every run, and one on the wall."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "jobs"
        self.clock, self.wall = FakeClock(), FakeClock()
        self.wall.now = 1.7e9
        self.uptime: Uptime | None = None

    def run(self) -> Journal:
        """The journal as another process finds it."""
        return Journal(self.folder, clock=self.clock, wall=self.wall, uptime=lambda: self.uptime)

    def add(self, request: SpeakRequest = REQUEST, envelope: Envelope = BARE) -> Page:
        page = self.run().add(request, envelope)
        assert page is not None
        return page

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def aside(self) -> list[str]:
        return sorted(path.name for path in (self.folder / QUARANTINE).iterdir())


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    """One on a real disk."""
    return Diary(tmp_path)


@contextmanager
def fresh_diary() -> Iterator[Diary]:
    """For each of hypothesis' examples."""
    with tempfile.TemporaryDirectory() as folder:
        yield Diary(Path(folder))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
REQUESTS = {
    "text": TEXTS,
    "id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
    "voice": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
    "language": st.text("abc_", max_size=32),
    "priority": st.sampled_from(get_args(Priority)),
    "ttl_s": st.none() | st.floats(0, 604800, exclude_min=True),
    "volume": st.floats(0, 100),
    "volume_level": st.none() | st.floats(0, 1),
    "speed": st.floats(0.25, 4),
    "split": st.sampled_from(["auto", "cut0", "cut5"]),
    "ssml": st.booleans(),
    "cache": st.booleans(),
    "deliver": st.sampled_from([None, "link", "base64"]),
    "play": st.booleans(),
    "format": st.sampled_from(["wav", "flac", "ogg"]),
    "fragment_interval": st.floats(0, 10),
    "dedupe_s": st.none() | st.floats(0, 3600),
    "start_at": st.none() | st.floats(0, 1e12),
    "top_k": st.none() | st.integers(1, 1025),
    "top_p": st.none() | st.floats(0, 1, exclude_min=True),
    "temperature": st.none() | st.floats(0, 10, exclude_min=True),
    "repetition_penalty": st.none() | st.floats(0.1, 10),
    "seed": st.none() | st.integers(0, 2**64 - 1),
    "rules": st.lists(TEXTS, max_size=3).map(tuple),
}
ENVELOPES = st.builds(
    Envelope,
    expires_at=st.none() | st.floats(-1e6, 1e6),
    reply_to=st.none() | st.builds(ReplyTo, topic=TEXTS, correlation=st.none() | st.binary(max_size=50)),
    delivery=st.none() | st.tuples(st.integers(0, 65535), st.text("0123456789abcdef", max_size=64)),
)


def one_volume(request: dict[str, Any]) -> dict[str, Any]:
    """A request has one of the two."""
    return request if request["volume_level"] is None else request | {"volume": 100.0}


@given(request=st.fixed_dictionaries(REQUESTS).map(one_volume), envelope=ENVELOPES)
def test_what_is_written_is_read_again(request: dict[str, Any], envelope: Envelope) -> None:
    """Every field of a request, its reply address and its delivery come back as they were."""
    assert set(request) == set(SpeakRequest.model_fields), "a new field must be tried here too"
    asked = SpeakRequest(**request)
    with fresh_diary() as diary:
        diary.add(asked, envelope)
        [page] = diary.run().read()
        assert page.request == asked
        assert page.envelope.expires_at == pytest.approx(envelope.expires_at, abs=1e-5)
        assert replace(page.envelope, expires_at=None) == replace(envelope, expires_at=None)
        assert (page.age_s, page.begun) == (0.0, 0)


def test_the_order_of_acceptance_outlasts_runs(diary: Diary) -> None:
    """Later runs go on behind the earlier ones' requests, and each is taken out by itself."""
    pages = [diary.add(REQUEST.model_copy(update={"id": str(number)})) for number in range(12)]
    diary.run().remove([pages[3]])
    diary.add(REQUEST.model_copy(update={"id": "last"}))
    wanted = ["0", "1", "2", *(str(number) for number in range(4, 12)), "last"]
    assert [page.request.id for page in diary.run().read()] == wanted


def test_how_often_a_request_was_begun_is_kept(diary: Diary) -> None:
    """It is counted over all runs, whatever the process dies of, and the file can still be removed."""
    page = diary.add()
    for begun in (1, 2, 3):
        page = diary.run().begin(page)
        [found] = diary.run().read()
        assert (found, found.begun) == (page, begun)
    diary.run().remove([page])
    assert diary.names() == []


def test_a_request_lasts_as_long_as_its_deadline_says(diary: Diary) -> None:
    """The clock of another run shows other numbers; the time that is left is what counts, past deadlines included."""
    diary.add(REQUEST, Envelope(diary.clock.now + 100))
    diary.wall.now += 30
    diary.clock.now = 5.0
    [page] = diary.run().read()
    assert (page.age_s, page.envelope.expires_at) == (30, 75)
    diary.wall.now += 100
    [page] = diary.run().read()
    assert (page.age_s, page.envelope.expires_at) == (130, -25)


def test_a_wall_clock_that_went_back_makes_nothing_older_or_longer(diary: Diary) -> None:
    """Without a battery the clock may show 1970 after a power cut: a request is as fresh as when it was accepted, and
    its deadline is no further away than it was then."""
    diary.add(REQUEST, Envelope(diary.clock.now + 100))
    diary.wall.now = 12.0
    [page] = diary.run().read()
    assert (page.age_s, page.envelope.expires_at) == (0, diary.clock.now + 100)


def test_a_wall_clock_that_is_set_makes_nothing_older_while_the_machine_is_on(diary: Diary) -> None:
    """Accepted before the time came over the network: after a crash a request is as old as the machine says, and only
    after a start of the machine as old as the clock on the wall says."""
    diary.uptime = Uptime("this one", 50.0)
    diary.add(REQUEST, Envelope(diary.clock.now + 100))
    diary.wall.now += 8 * 3600
    for up, age_s in ((Uptime("this one", 55.0), 5), (Uptime("another", 55.0), 8 * 3600), (None, 8 * 3600)):
        diary.uptime = up
        [page] = diary.run().read()
        assert (page.age_s, page.envelope.expires_at) == (age_s, diary.clock.now + 100 - age_s)


def test_a_page_of_an_older_version_is_read(diary: Diary) -> None:
    """It does not say how long the machine had been on, so the wall clock is asked."""
    page = diary.add()
    old = {key: value for key, value in json.loads(page.path.read_bytes()).items() if key != "uptime"}
    page.path.write_text(json.dumps(old))
    diary.wall.now += 30
    diary.uptime = Uptime("this one", 50.0)
    assert [page.age_s for page in diary.run().read()] == [30]


def test_the_machine_says_how_long_it_has_been_on() -> None:
    """The same start each time, and time goes on."""
    first, second = uptime(), uptime()
    assert first is not None
    assert second is not None
    assert first.boot == second.boot != ""
    assert 0 < first.s <= second.s


def test_a_disk_that_refuses_is_logged_once_per_change(diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
    """Where no file can be written nothing is raised; the log says so once, and once more when it works again."""
    caplog.set_level("INFO")
    diary.folder.write_text("in the way")
    journal = diary.run()
    assert journal.read() == []
    assert [journal.add(REQUEST, BARE) for _ in range(3)] == [None, None, None]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    diary.folder.unlink()
    assert journal.add(REQUEST, BARE) is not None
    assert journal.add(REQUEST, BARE) is not None
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert len(diary.run().read()) == 2


def test_a_full_disk_leaves_nothing_half_written(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that runs into a full disk is gone again; those before and after it are whole."""
    diary.add()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert diary.run().add(REQUEST, BARE) is None
    diary.add()
    assert len(diary.names()) == len(diary.run().read()) == 2


def test_what_cannot_be_removed_is_removed_later(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses for a while does not make a closed request come back."""
    first, second, journal = diary.add(), diary.add(), diary.run()

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        journal.remove([first])
    assert len(diary.names()) == 2
    journal.remove([second])
    assert diary.names() == []


def test_a_begin_that_the_disk_refuses_goes_on(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is spoken all the same and leaves the journal in the end."""
    page, journal = diary.add(), diary.run()

    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        page = journal.begin(page)
    journal.remove([page])
    assert diary.names() == []


def valid() -> dict[str, Any]:
    """A page as it is written."""
    with fresh_diary() as diary:
        diary.uptime = Uptime("this one", 50.0)
        page = diary.add(REQUEST, Envelope(1e3, ReplyTo("there", b"\x00"), (7, "abc")))
        tree = json.loads(page.path.read_bytes())
        assert isinstance(tree, dict)
        return tree


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there is a value in a tree of JSON."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


def put(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The tree with another value in that place."""
    if not place:
        return value
    copy = list(tree) if isinstance(tree, list) else dict(tree)
    copy[place[0]] = put(tree[place[0]], place[1:], value)
    return copy


VALID = valid()
NAMES = st.sampled_from(["000000000001-0.json", "000000000002-1.json", "999999999999-999.json"])
STRANGE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20)
STRANGE = STRANGE.filter(lambda name: name not in (".", "..", QUARANTINE))
WORDS = st.sampled_from(["\x00", "\n\x1b[31m", "nobody", "a" * 200, "1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([10**400, -1, 0]) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
MUTANTS = st.builds(lambda place, value: json.dumps(put(VALID, place, value)), st.sampled_from(places(VALID)), JSON)
CUT = st.integers(0, 400).map(lambda end: json.dumps(VALID)[:end])
CONTENTS = st.binary(max_size=50) | MUTANTS.map(str.encode) | CUT.map(str.encode)


@settings(max_examples=200)
@given(st.dictionaries(NAMES | STRANGE, CONTENTS, max_size=4))
def test_nothing_in_the_folder_stops_the_start(contents: dict[str, bytes]) -> None:
    """Whatever lies there, a start finds requests or quarantines it, finds the same the next time, and goes on."""
    with fresh_diary() as diary:
        diary.folder.mkdir()
        for name, content in contents.items():
            (diary.folder / name).write_bytes(content)
        pages = diary.run().read()
        assert {page.path.name for page in pages} == {name for name in diary.names() if name != QUARANTINE}
        assert diary.run().read() == pages
        journal = diary.run()
        for page in pages:
            journal.begin(page)
        assert journal.add(REQUEST, BARE) is not None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 100_000, "recursion"),
        (b'{"request":' * 50_000, "recursion"),
        (json.dumps(put(VALID, ("request", "text"), "x" * LARGEST)).encode(), "bytes"),
        (json.dumps(put(VALID, ("request", "speed"), 0)).encode(), "request.speed"),
        (json.dumps(put(VALID, ("request", "top_k"), {"x": 1})).encode(), "request.top_k"),
        (json.dumps({**VALID, "format": 1}).encode(), "format"),
        (json.dumps({**VALID, "x" * 5000: 2}).encode(), "unknown key"),
        (b"", "EOF"),
        (b"\xff\xfe", "Invalid"),
    ],
)
def test_damage_is_logged_by_name_and_moved_aside(
    diary: Diary, caplog: pytest.LogCaptureFixture, content: bytes, why: str
) -> None:
    """One short line names the file and what is wrong with it; the requests beside it are read."""
    good = diary.add()
    bad = good.path.with_name("000000000007-0.json")
    bad.write_bytes(content)
    assert [page.path for page in diary.run().read()] == [good.path]
    assert diary.aside() == [bad.name]
    [record] = caplog.records
    assert str(bad) in record.getMessage()
    assert why in record.getMessage()
    assert len(record.getMessage()) < 1000


def test_what_is_no_file_is_moved_aside_unread(diary: Diary) -> None:
    """A pipe would never end, a link may lead anywhere, a folder is no request; even under the right name."""
    diary.folder.mkdir()
    os.mkfifo(diary.folder / "000000000001-0.json")
    (diary.folder / "000000000002-0.json").symlink_to("/dev/zero")
    (diary.folder / "000000000003-0.json").mkdir()
    (diary.folder / ".hidden").mkdir()
    (diary.folder / ".000000000004-0.json.abc").mkdir()
    assert diary.run().read() == []
    assert len(diary.aside()) == 5


def test_what_cannot_be_moved_aside_stays(diary: Diary, caplog: pytest.LogCaptureFixture) -> None:
    """Even then the start goes on."""
    good = diary.add()
    (diary.folder / QUARANTINE).write_text("in the way")
    (diary.folder / "notes.txt").write_text("not a request")
    assert [page.path for page in diary.run().read()] == [good.path]
    assert "notes.txt" in caplog.text


def test_what_a_death_in_the_middle_of_a_write_left_is_swept_up(
    diary: Diary, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A staged file is no damage: it was never accepted."""

    class DeathError(BaseException):
        """Of the process."""

    def die(handle: int) -> None:
        raise DeathError

    diary.run().remove([diary.add()])  # so that there is a folder
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(DeathError):
            diary.run().add(REQUEST, BARE)
    assert len(diary.names()) == 1
    assert diary.run().read() == []
    assert diary.names() == []
    assert not caplog.records


def test_only_the_owner_may_read_what_is_said(diary: Diary) -> None:
    """Folder and files are private, as texts are."""
    page = diary.add()
    assert (page.path.stat().st_mode & 0o777, diary.folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_power_cut_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    """Wherever the power is cut, and whether or not the disk loses what was not fsynced: a request that was kept is
    found, one that was begun is known to have been, and one that was removed stays away."""
    kept: list[str] = []
    begun: list[str] = []
    removed: list[str] = []

    def work(root: Path) -> None:
        for done in (kept, begun, removed):
            done.clear()
        journal, pages = Diary(root).run(), []
        for name in ("a", "b", "c"):
            page = journal.add(REQUEST.model_copy(update={"id": name}), BARE)
            assert page is not None
            kept.append(name)
            pages.append(page)
        pages[0] = journal.begin(pages[0])
        begun.append("a")
        removed.append("a")  # from here on it may be gone
        journal.remove(pages[:1])
        removed.append("a")

    def check(root: Path, finished: bool) -> None:
        found = {page.request.id: page for page in Diary(root).run().read()}
        assert set(kept) - set(removed) <= set(found)
        assert removed.count("a") < 2 or "a" not in found
        assert all(found[name].begun == 1 for name in begun if name in found)
        assert not (Diary(root).folder / QUARANTINE).exists()
        if finished:
            assert set(found) == {"b", "c"}

    assert cut_everywhere(tmp_path, start=lambda root: None, work=work, check=check) > 10


def test_a_power_cut_while_a_request_is_closed_leaves_it_open_or_reported(tmp_path: Path) -> None:
    """Wherever the power is cut, a request is found open, or with its closing report, never both and never neither;
    once `close` has returned it is closed, and after two sweeps it is gone."""
    done: list[str] = []
    report = Report("a", "done", 5.0, {"audio_s": 1.0})

    def start(root: Path) -> None:
        Diary(root).run().add(REQUEST, Envelope(reply_to=ReplyTo("there", b"\x00")))

    def work(root: Path) -> None:
        done.clear()
        journal = Diary(root).run()
        [page] = journal.read()
        journal.close(page, report)
        done.append("closed")
        journal.sweep()
        done.append("swept")
        journal.sweep()

    def check(root: Path, finished: bool) -> None:
        journal = Diary(root).run()
        open_pages, closed = journal.read(), journal.read_closed()
        assert [page.report for page in closed] in ([], [report])
        assert len(open_pages) + len(closed) == 1 or "swept" in done
        assert not open_pages or "closed" not in done
        assert all(page.reply_to == ReplyTo("there", b"\x00") for page in closed)
        if finished:
            assert (open_pages, closed) == ([], [])

    assert cut_everywhere(tmp_path, start=start, work=work, check=check) > 5


def test_a_removal_reaches_the_disk(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is fsynced after a request was removed, not before: else a power cut would speak it again."""
    seen: list[list[str]] = []
    page, journal = diary.add(), diary.run()
    monkeypatch.setattr("edge_tts.speaking.journal.sync_folder", lambda folder: seen.append(diary.names()))
    journal.remove([page])
    assert seen == [[]]


def test_its_size_is_known(diary: Diary) -> None:
    """Files and bytes of what is kept, nothing where there is no folder yet."""
    assert diary.run().size() == (0, 0)
    size = diary.add().path.stat().st_size
    assert diary.run().size() == (1, size)
