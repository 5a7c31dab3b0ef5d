"""A small fleet through days of mishaps: tools/fleet_sim with six devices."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker import Broker

from tools.fleet.simulation import simulate

pytestmark = pytest.mark.long


@pytest.mark.timeout(900)
def test_nothing_unsigned_is_installed_and_all_follow(tmp_path: Path, own_broker: Broker) -> None:
    """Behind a bucket that fails and lies, with wrong clocks, absences and a bad release, every device comes to speak
    the set of the last document, none ever had one that was not signed, and none the bad one."""
    figures = simulate(tmp_path, port=own_broker.port, devices=6, step_h=6.0, seed=1)
    assert figures.unsigned == []
    assert set(figures.hours_to_converge) == {"a release", "a second release", "a rollback", "clocks set right"}
    assert (figures.bad_set["speaks"], figures.wrong_clocks_installed) == (0, 0)
    assert figures.bad_set["stopped"] > 0
    assert {"an old document", "no valid signature", "no document"} <= figures.refusals.keys()
    assert sum(figures.befell.values()) > 0
    assert (figures.voices_everywhere, figures.heard_at_the_broker) == (True, True)
