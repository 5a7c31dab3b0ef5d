"""The doctor asks the machine that speaks for this one."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker import free_port
from http_stage import SECRET, stage

from edge_tts.config import Config
from edge_tts.doctor.remote_check import check_remote


def config(folder: Path, port: int, *, token: str = SECRET, voice: str | None = None) -> Config:
    (folder / "secret").write_text(token)
    remote = {"url": f"http://127.0.0.1:{port}", "token_file": folder / "secret"}
    return Config(voice=voice, engine={"execution": "remote"}, remote=remote)


@pytest.mark.parametrize(
    ("token", "voice", "level", "words"),
    [
        (SECRET, "buzz", "ok", "answers, with 2 voices"),
        ("other", None, "broken", "refuses our token"),
        (SECRET, "lisa", "broken", "has no voice lisa"),
    ],
)
def test_an_appliance_is_asked(tmp_path: Path, token: str, voice: str | None, level: str, words: str) -> None:
    """Its voices and whether it takes our token, from a real one."""
    with stage(tmp_path, token=True) as other:
        (finding,) = check_remote(config(tmp_path, other.port, token=token, voice=voice))
    assert (finding.level, words in finding.text) == (level, True)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    """A closed port is found, with what to do."""
    (finding,) = check_remote(config(tmp_path, free_port()))
    assert (finding.level, "does not answer" in finding.text, bool(finding.advice)) == ("broken", True, True)
