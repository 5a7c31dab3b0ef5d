"""How long a part waits before it tries again."""

from __future__ import annotations

import itertools
from random import Random

from rig import make_runtime

from edge_tts.runtime.repeated_part import RepeatedPart


def test_failures_are_retried_with_back_off() -> None:
    """The delay starts small, doubles, never exceeds the interval, and after a success it is the interval."""
    part = RepeatedPart(name="test", runtime=make_runtime(), advice="", retry_s=5.0, interval_s=600.0, random=Random(1))
    pauses = [part._pause_s(False) for _ in range(12)]
    assert pauses[0] <= 5.0
    assert all(1.4 < later / sooner < 2.7 for sooner, later in itertools.pairwise(pauses[:7]))
    assert all(450 <= pause <= 600 for pause in pauses[8:])
    assert 450 <= part._pause_s(True) <= 600
    assert part._pause_s(False) <= 5.0
