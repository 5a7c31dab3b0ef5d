"""The finished ids: what outlasts a run, and that it neither grows nor stops a start."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from power_cut import cut_everywhere

from edge_tts.speaking.finished_ids import REMEMBERED, FinishedIds, Key

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
KEYS = TEXTS | st.tuples(st.integers(0, 65535), st.text("0123456789abcdef", min_size=64, max_size=64))


@given(st.lists(st.lists(KEYS, max_size=3), max_size=5))
def test_another_run_knows_what_was_closed(batches: list[list[Key]]) -> None:
    """Whatever ids look like, they come back in their order, each run going on behind the one before."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "closed"
        for batch in batches:
            FinishedIds(path).add(batch)
        assert FinishedIds(path).keys() == [key for batch in batches for key in batch]


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    """The last ones, in memory and on the disk, over one run or many; only the owner may read them."""
    path = tmp_path / "closed"
    for first in (0, 5000):
        ids = FinishedIds(path)
        for number in range(first, first + 5000):
            ids.add([f"id{number}"])
        wanted = [f"id{number}" for number in range(first + 5000 - REMEMBERED, first + 5000)]
        assert ids.keys() == FinishedIds(path).keys() == wanted
        assert len(path.read_bytes().splitlines()) <= 2 * REMEMBERED
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("rest", [b'"tor', b"\0\0\0\0", b'{"id": "c"}\n', b"[1]\n", b"[" * 10_000, b"\xff\n", b"12"])
def test_a_damaged_line_costs_itself_alone(tmp_path: Path, rest: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A line that a power cut tore is logged and left out, and nothing is written onto it."""
    path = tmp_path / "closed"
    FinishedIds(path).add(["a", "b"])
    path.write_bytes(path.read_bytes() + rest)
    assert FinishedIds(path).keys() == ["a", "b"]
    assert "1 of 3 lines" in caplog.text
    FinishedIds(path).add(["c"])
    assert FinishedIds(path).keys() == ["a", "b", "c"]
    assert len(caplog.records) == 2


def test_what_is_no_list_does_not_stop_the_start(tmp_path: Path) -> None:
    """A link to somewhere endless is not followed, and gives way to a list; a folder in its place stays."""
    path, folder = tmp_path / "closed", tmp_path / "folder"
    path.symlink_to("/dev/zero")
    ids = FinishedIds(path)
    ids.add(["a"])
    assert FinishedIds(path).keys() == ["a"]
    folder.mkdir()
    ids = FinishedIds(folder)
    with pytest.raises(OSError, match="directory"):
        ids.add(["a"])
    assert ids.keys() == ["a"]


def test_a_power_cut_leaves_a_list(tmp_path: Path) -> None:
    """Wherever it happens, what is there afterwards is the end of what was closed, but for the last few."""

    def work(root: Path) -> None:
        ids = FinishedIds(root / "closed")
        for number in range(4):
            ids.add([f"{number}-{place}" for place in range(REMEMBERED)])

    def check(root: Path, finished: bool) -> None:
        found = FinishedIds(root / "closed").keys()
        everything = [f"{number}-{place}" for number in range(4) for place in range(REMEMBERED)]
        places = [everything.index(str(key)) for key in found]
        assert places == list(range(places[0], places[0] + len(places))) if places else not finished
        assert len(found) == REMEMBERED or not finished

    assert cut_everywhere(tmp_path, start=lambda root: None, work=work, check=check) > 3
