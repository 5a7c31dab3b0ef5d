"""ModelChoice: durable, on trial, overruled by the configuration."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import ModelError
from edge_tts.model_sets.choice import ModelChoice


def opened(folder: Path, configured: str = "a") -> ModelChoice:
    """The choice, opened anew as at a start."""
    return ModelChoice(folder / "state" / "model.json", configured=configured)


def test_without_a_choice_the_configuration_decides(tmp_path: Path) -> None:
    """Without a choice the configured set is current and nothing is written."""
    choice = opened(tmp_path)
    choice.begin()
    choice.proven()
    assert (choice.current, choice.previous, choice.fall_back("no reason")) == ("a", None, False)
    assert not (tmp_path / "state").exists()


def test_a_choice_that_serves_stays(tmp_path: Path) -> None:
    """A set that has served is used at every later start, and the previous one is kept for a rollback."""
    opened(tmp_path).choose("b")
    for _ in range(3):
        choice = opened(tmp_path)
        choice.begin()
        choice.proven()
        assert (choice.current, choice.previous, choice.given_up) == ("b", "a", None)


def test_a_choice_that_dies_before_it_serves_gives_way(tmp_path: Path) -> None:
    """A start that never served is not retried with the same set."""
    opened(tmp_path).choose("b")
    opened(tmp_path).begin()  # and then the process died
    choice = opened(tmp_path)
    choice.begin()
    assert (choice.current, choice.previous) == ("a", None)
    assert choice.given_up == "b: the process died before it could serve"
    assert opened(tmp_path).given_up == choice.given_up


def test_a_choice_that_cannot_start_gives_way(tmp_path: Path) -> None:
    """An error at the start rolls back once; a set that has served is never rolled back."""
    choice = opened(tmp_path)
    choice.choose("b")
    choice.begin()
    assert choice.fall_back("graph is damaged")
    assert choice.current == "a"
    assert not choice.fall_back("again")
    choice.choose("b")
    choice.begin()
    choice.proven()
    assert not choice.fall_back("later")
    assert choice.current == "b"


def test_a_start_that_somebody_broke_off_is_no_proof(tmp_path: Path) -> None:
    """After a SIGTERM during the loading of a set on trial it gets another start."""
    opened(tmp_path).choose("b")
    choice = opened(tmp_path)
    choice.begin()
    choice.cancel_attempt()
    after = opened(tmp_path)
    after.begin()
    assert after.current == "b"


def test_a_look_at_the_running_set_does_not_prove_the_next(tmp_path: Path) -> None:
    """The current set cannot end the trial of one chosen after its start."""
    choice = opened(tmp_path)
    choice.choose("b")
    choice.proven()
    opened(tmp_path).begin()
    after = opened(tmp_path)
    after.begin()
    assert after.current == "a"


def test_a_new_name_in_the_configuration_ends_the_choice(tmp_path: Path) -> None:
    """A new models.name discards the choice."""
    opened(tmp_path).choose("b")
    assert opened(tmp_path, "c").current == "c"


@given(st.binary(max_size=200))
def test_a_damaged_file_is_not_used(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """With any damaged file the configured set is used."""
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "state").mkdir()
    (folder / "state" / "model.json").write_bytes(content)
    assert opened(folder).current == "a"


def test_a_disk_that_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A choice that cannot be stored is refused and changes nothing; a start goes on without storing."""
    choice = opened(tmp_path)
    choice.choose("b")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ModelError, match="cannot be kept \\(No space left on device\\)"):
        choice.choose("c")
    assert choice.current == "b"
    choice.begin()
    choice.proven()
    assert choice.current == "b"
