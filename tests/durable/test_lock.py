"""Locks between processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_tts.durable.lock import HeldError, held_alone


def test_the_second_holder_hears_who_the_first_is(tmp_path: Path) -> None:
    """The lock does not block; its error is the other's pid, and it is free again afterwards."""
    path = tmp_path / "daemon.lock"
    path.write_text("99999999 of an earlier run")
    with held_alone(path), pytest.raises(HeldError, match=f"^{os.getpid()}$"), held_alone(path):
        pass
    with held_alone(path):
        assert path.read_text() == f"{os.getpid()}\n"
