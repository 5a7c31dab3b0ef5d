"""How much of the machine others had: from made-up readings of /proc, in clock ticks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.demonstration import remark
from tools.machine_load import MachineLoad, load_between, read_ticks

OURS = 77


def readings(folder: Path, *, user: int, idle: int, stolen: int, ours: int) -> Path:
    """A /proc with the machine's times and those of one process, whose name has a bracket and a blank."""
    (folder / str(OURS)).mkdir(parents=True)
    (folder / "stat").write_text(f"cpu  {user} 0 0 {idle} 0 0 0 {stolen} 0 0\ncpu0 1 2 3\n", encoding="ascii")
    (folder / str(OURS) / "stat").write_text(f"{OURS} (a) b) S {'0 ' * 10}{ours} 0 0 0 20 0\n", encoding="ascii")
    return folder


def test_what_others_and_the_host_took_is_measured(tmp_path: Path) -> None:
    """Of the ticks between two readings: busy ones that were not ours, and those that the host took; a process that is
    gone counts nothing."""
    before = read_ticks([OURS, 78], readings(tmp_path / "1", user=1000, idle=500, stolen=10, ours=100))
    after = read_ticks([OURS, 78], readings(tmp_path / "2", user=1160, idle=520, stolen=30, ours=200))
    load = load_between(before, after, 2.5)
    assert (load.others, load.stolen) == (pytest.approx(60 / 200), pytest.approx(20 / 200))
    assert load.too_busy
    assert "other work took 30%" in str(load)
    assert "the host of this machine 10%" in str(load)


def test_a_machine_of_our_own_is_not_busy(tmp_path: Path) -> None:
    """However much we work ourselves."""
    before = read_ticks([OURS], readings(tmp_path / "1", user=0, idle=0, stolen=0, ours=0))
    after = read_ticks([OURS], readings(tmp_path / "2", user=190, idle=10, stolen=0, ours=185))
    assert not load_between(before, after, 8.0).too_busy


def test_where_the_system_does_not_say_the_load_average_does(tmp_path: Path) -> None:
    """Without /proc: more processes than processors are too many."""
    assert read_ticks([OURS], tmp_path / "none") is None
    load = load_between(None, None, 5000.0)
    assert load.others is None
    assert load.too_busy
    assert not load_between(None, None, None).too_busy


def test_the_demo_says_when_its_figure_means_nothing() -> None:
    """And why; on a quiet machine it says nothing."""
    assert remark(MachineLoad(processors=2, others=0.05, stolen=0.01, average=4.0)) == ""
    line = remark(MachineLoad(processors=2, others=0.08, stolen=0.04, average=1.3))
    assert line.startswith("NOTE: other work took 8% of the 2 processors, the host of this machine 4%")
    assert "quiet machine" in line
