"""The journal: what is written is read again, what the clocks say, what damage does, and what a power cut leaves."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from fakes import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from power_cut import cut_everywhere

from edge_tts.runtime.event_bus import ReplyTo
from edge_tts.speaking.journal import ASIDE, LARGEST, Envelope, Journal, Page, Uptime, uptime
from edge_tts.values import Priority, Sampling, SpeakRequest

REQUEST, BARE = SpeakRequest("good morning", "a", "hum"), Envelope()


class Dispatcher:
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
        return sorted(path.name for path in (self.folder / ASIDE).iterdir())


@pytest.fixture
def dispatcher(tmp_path: Path) -> Dispatcher:
    """One on a real disk."""
    return Dispatcher(tmp_path)


@contextmanager
def fresh_desk() -> Iterator[Dispatcher]:
    """For each of hypothesis' examples."""
    with tempfile.TemporaryDirectory() as folder:
        yield Dispatcher(Path(folder))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
REQUESTS = {
    "text": TEXTS,
    "id": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
    "voice": TEXTS,
    "language": st.text("abc_", max_size=32),
    "priority": st.sampled_from(get_args(Priority)),
    "expires_at": st.none() | st.floats(-1e6, 1e6),
    "volume": st.floats(0, 1),
    "speed": st.floats(0.25, 4),
    "split": st.sampled_from(["auto", "cut0", "cut5"]),
    "ssml": st.booleans(),
    "fragment_interval_s": st.floats(0, 10),
    "sampling": st.builds(
        Sampling,
        top_k=st.integers(1, 2000),
        top_p=st.floats(0, 1, exclude_min=True),
        temperature=st.floats(0, 1e9, exclude_min=True),
        repetition_penalty=st.floats(0, 1e9, exclude_min=True),
        seed=st.none() | st.integers(0, 2**64 - 1),
    ),
}
ENVELOPES = st.builds(
    Envelope,
    reply_to=st.none() | st.builds(ReplyTo, topic=TEXTS, correlation=st.none() | st.binary(max_size=50)),
    delivery=st.none() | st.tuples(st.integers(0, 65535), st.text("0123456789abcdef", max_size=64)),
)


@given(request=st.fixed_dictionaries(REQUESTS), envelope=ENVELOPES)
def test_what_is_written_is_read_again(request: dict[str, Any], envelope: Envelope) -> None:
    """Every field of a request, its reply address and its delivery come back as they were."""
    assert set(request) == {field.name for field in fields(SpeakRequest)}, "a new field must be tried here too"
    asked = SpeakRequest(**request)
    with fresh_desk() as dispatcher:
        dispatcher.add(asked, envelope)
        [page] = dispatcher.run().read()
        assert replace(page.request, expires_at=None) == replace(asked, expires_at=None)
        assert page.request.expires_at == pytest.approx(asked.expires_at, abs=1e-5)
        assert page.envelope == envelope
        assert (page.age_s, page.begun) == (0.0, 0)


def test_the_order_of_acceptance_outlasts_runs(dispatcher: Dispatcher) -> None:
    """Later runs go on behind the earlier ones' requests, and each is taken out by itself."""
    pages = [dispatcher.add(replace(REQUEST, id=str(number))) for number in range(12)]
    dispatcher.run().remove([pages[3]])
    dispatcher.add(replace(REQUEST, id="last"))
    wanted = ["0", "1", "2", *(str(number) for number in range(4, 12)), "last"]
    assert [page.request.id for page in dispatcher.run().read()] == wanted


def test_how_often_a_request_was_begun_is_kept(dispatcher: Dispatcher) -> None:
    """It is counted over all runs, whatever the process dies of, and the file can still be removed."""
    page = dispatcher.add()
    for begun in (1, 2, 3):
        page = dispatcher.run().begin(page)
        [found] = dispatcher.run().read()
        assert (found, found.begun) == (page, begun)
    dispatcher.run().remove([page])
    assert dispatcher.names() == []


def test_a_request_lasts_as_long_as_its_deadline_says(dispatcher: Dispatcher) -> None:
    """The clock of another run shows other numbers; the time that is left is what counts, past deadlines included."""
    dispatcher.add(replace(REQUEST, expires_at=dispatcher.clock.now + 100))
    dispatcher.wall.now += 30
    dispatcher.clock.now = 5.0
    [page] = dispatcher.run().read()
    assert (page.age_s, page.request.expires_at) == (30, 75)
    dispatcher.wall.now += 100
    [page] = dispatcher.run().read()
    assert (page.age_s, page.request.expires_at) == (130, -25)


def test_a_wall_clock_that_went_back_makes_nothing_older_or_longer(dispatcher: Dispatcher) -> None:
    """Without a battery the clock may show 1970 after a power cut: a request is as fresh as when it was accepted, and
    its deadline is no further away than it was then."""
    dispatcher.add(replace(REQUEST, expires_at=dispatcher.clock.now + 100))
    dispatcher.wall.now = 12.0
    [page] = dispatcher.run().read()
    assert (page.age_s, page.request.expires_at) == (0, dispatcher.clock.now + 100)


def test_a_wall_clock_that_is_set_makes_nothing_older_while_the_machine_is_on(dispatcher: Dispatcher) -> None:
    """Accepted before the time came over the network: after a crash a request is as old as the machine says, and only
    after a start of the machine as old as the clock on the wall says."""
    dispatcher.uptime = Uptime("this one", 50.0)
    dispatcher.add(replace(REQUEST, expires_at=dispatcher.clock.now + 100))
    dispatcher.wall.now += 8 * 3600
    for up, age_s in ((Uptime("this one", 55.0), 5), (Uptime("another", 55.0), 8 * 3600), (None, 8 * 3600)):
        dispatcher.uptime = up
        [page] = dispatcher.run().read()
        assert (page.age_s, page.request.expires_at) == (age_s, dispatcher.clock.now + 100 - age_s)


def test_a_page_of_an_older_version_is_read(dispatcher: Dispatcher) -> None:
    """It does not say how long the machine had been on, so the wall clock is asked."""
    page = dispatcher.add()
    old = {key: value for key, value in json.loads(page.path.read_bytes()).items() if key != "uptime"}
    page.path.write_text(json.dumps(old))
    dispatcher.wall.now += 30
    dispatcher.uptime = Uptime("this one", 50.0)
    assert [page.age_s for page in dispatcher.run().read()] == [30]


def test_the_machine_says_how_long_it_has_been_on() -> None:
    """The same start each time, and time goes on."""
    first, second = uptime(), uptime()
    assert first is not None
    assert second is not None
    assert first.boot == second.boot != ""
    assert 0 < first.s <= second.s


def test_a_disk_that_refuses_is_logged_once_per_change(
    dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no file can be written nothing is raised; the log says so once, and once more when it works again."""
    caplog.set_level("INFO")
    dispatcher.folder.write_text("in the way")
    journal = dispatcher.run()
    assert journal.read() == []
    assert [journal.add(REQUEST, BARE) for _ in range(3)] == [None, None, None]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    dispatcher.folder.unlink()
    assert journal.add(REQUEST, BARE) is not None
    assert journal.add(REQUEST, BARE) is not None
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert len(dispatcher.run().read()) == 2


def test_a_full_disk_leaves_nothing_half_written(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that runs into a full disk is gone again; those before and after it are whole."""
    dispatcher.add()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert dispatcher.run().add(REQUEST, BARE) is None
    dispatcher.add()
    assert len(dispatcher.names()) == len(dispatcher.run().read()) == 2


def test_what_cannot_be_removed_is_removed_later(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses for a while does not make a closed request come back."""
    first, second, journal = dispatcher.add(), dispatcher.add(), dispatcher.run()

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        journal.remove([first])
    assert len(dispatcher.names()) == 2
    journal.remove([second])
    assert dispatcher.names() == []


def test_a_begin_that_the_disk_refuses_goes_on(dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is spoken all the same and leaves the journal in the end."""
    page, journal = dispatcher.add(), dispatcher.run()

    def refuse(path: Path, target: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", refuse)
        page = journal.begin(page)
    journal.remove([page])
    assert dispatcher.names() == []


def test_what_nobody_could_read_again_is_not_written(dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture) -> None:
    """A request beyond what a message may ask for is left to memory, with a line in the log."""
    assert dispatcher.run().add(replace(REQUEST, speed=9.0), BARE) is None
    assert "say them again" in caplog.text
    assert not dispatcher.folder.exists()


def valid() -> dict[str, Any]:
    """A page as it is written."""
    with fresh_desk() as dispatcher:
        dispatcher.uptime = Uptime("this one", 50.0)
        page = dispatcher.add(replace(REQUEST, expires_at=1e3), Envelope(ReplyTo("there", b"\x00"), (7, "abc")))
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
STRANGE = STRANGE.filter(lambda name: name not in (".", "..", ASIDE))
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
    """Whatever lies there, a start finds requests or moves it aside, finds the same the next time, and goes on."""
    with fresh_desk() as dispatcher:
        dispatcher.folder.mkdir()
        for name, content in contents.items():
            (dispatcher.folder / name).write_bytes(content)
        pages = dispatcher.run().read()
        assert {page.path.name for page in pages} == {name for name in dispatcher.names() if name != ASIDE}
        assert dispatcher.run().read() == pages
        journal = dispatcher.run()
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
        (json.dumps(put(VALID, ("request", "sampling"), {"x": 1})).encode(), "request.sampling"),
        (json.dumps({**VALID, "format": 2}).encode(), "format"),
        (json.dumps({**VALID, "x" * 5000: 2}).encode(), "unknown key"),
        (b"", "EOF"),
        (b"\xff\xfe", "Invalid"),
    ],
)
def test_damage_is_logged_by_name_and_moved_aside(
    dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture, content: bytes, why: str
) -> None:
    """One short line names the file and what is wrong with it; the requests beside it are read."""
    good = dispatcher.add()
    bad = good.path.with_name("000000000007-0.json")
    bad.write_bytes(content)
    assert [page.path for page in dispatcher.run().read()] == [good.path]
    assert dispatcher.aside() == [bad.name]
    [record] = caplog.records
    assert str(bad) in record.getMessage()
    assert why in record.getMessage()
    assert len(record.getMessage()) < 1000


def test_what_is_no_file_is_moved_aside_unread(dispatcher: Dispatcher) -> None:
    """A pipe would never end, a link may lead anywhere, a folder is no request; even under the right name."""
    dispatcher.folder.mkdir()
    os.mkfifo(dispatcher.folder / "000000000001-0.json")
    (dispatcher.folder / "000000000002-0.json").symlink_to("/dev/zero")
    (dispatcher.folder / "000000000003-0.json").mkdir()
    (dispatcher.folder / ".hidden").mkdir()
    (dispatcher.folder / ".000000000004-0.json.abc").mkdir()
    assert dispatcher.run().read() == []
    assert len(dispatcher.aside()) == 5


def test_what_cannot_be_moved_aside_stays(dispatcher: Dispatcher, caplog: pytest.LogCaptureFixture) -> None:
    """Even then the start goes on."""
    good = dispatcher.add()
    (dispatcher.folder / ASIDE).write_text("in the way")
    (dispatcher.folder / "notes.txt").write_text("not a request")
    assert [page.path for page in dispatcher.run().read()] == [good.path]
    assert "notes.txt" in caplog.text


def test_what_a_death_in_the_middle_of_a_write_left_is_swept_up(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A staged file is no damage: it was never accepted."""

    class DeathError(BaseException):
        """Of the process."""

    def die(handle: int) -> None:
        raise DeathError

    dispatcher.run().remove([dispatcher.add()])  # so that there is a folder
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(DeathError):
            dispatcher.run().add(REQUEST, BARE)
    assert len(dispatcher.names()) == 1
    assert dispatcher.run().read() == []
    assert dispatcher.names() == []
    assert not caplog.records


def test_only_the_owner_may_read_what_is_said(dispatcher: Dispatcher) -> None:
    """Folder and files are private, as texts are."""
    page = dispatcher.add()
    assert (page.path.stat().st_mode & 0o777, dispatcher.folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_power_cut_at_any_moment_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    """Wherever the power is cut, and whether or not the disk loses what was not fsynced: a request that was kept is
    found, one that was begun is known to have been, and one that was removed stays away."""
    kept: list[str] = []
    begun: list[str] = []
    removed: list[str] = []

    def work(root: Path) -> None:
        for done in (kept, begun, removed):
            done.clear()
        journal, pages = Dispatcher(root).run(), []
        for name in ("a", "b", "c"):
            page = journal.add(replace(REQUEST, id=name), BARE)
            assert page is not None
            kept.append(name)
            pages.append(page)
        pages[0] = journal.begin(pages[0])
        begun.append("a")
        removed.append("a")  # from here on it may be gone
        journal.remove(pages[:1])
        removed.append("a")

    def check(root: Path, finished: bool) -> None:
        found = {page.request.id: page for page in Dispatcher(root).run().read()}
        assert set(kept) - set(removed) <= set(found)
        assert removed.count("a") < 2 or "a" not in found
        assert all(found[name].begun == 1 for name in begun if name in found)
        assert not (Dispatcher(root).folder / ASIDE).exists()
        if finished:
            assert set(found) == {"b", "c"}

    assert cut_everywhere(tmp_path, start=lambda root: None, work=work, check=check) > 10
