"""The commands that carry voices: sync with a bucket, export, import, and what `voices list` says of it."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from enrolled import contents, new_voice, open_store
from toy_model_sets import write_model_set

from edge_tts.buckets.folder_bucket import MARKER
from edge_tts.cli.main import main
from edge_tts.cli.sync import sync_line
from edge_tts.voices.sync.notes import SyncReport


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """The command sets it, for a process that ends afterwards."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def device(folder: Path, **bucket: object) -> str:
    """The configuration of a device with a toy model set, its bucket a folder that others may share."""
    write_model_set(folder / "models" / "toy")
    path = folder / "config.yaml"
    keys = {"device": folder.name, "models": {"name": "toy"}, "bucket": {"url": "../b", **bucket}}
    path.write_text(yaml.safe_dump(keys))
    return str(path)


def test_two_devices_share_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A voice of one is on the other after a sync of each, and `voices list` tells when that was."""
    kitchen, attic = device(tmp_path / "kitchen"), device(tmp_path / "attic")
    voice = open_store(tmp_path / "kitchen" / ".state" / "voices").add(new_voice())
    assert main(["voices", "list", "-c", kitchen]) == 0
    assert "never yet" in capsys.readouterr().out
    assert main(["sync", "-c", kitchen]) == 0
    assert main(["sync", "-c", attic]) == 0
    assert "1 fetched" in capsys.readouterr().out
    assert contents(open_store(tmp_path / "attic" / ".state" / "voices")) == {("anna", voice.ref.id): "Anna"}
    assert main(["voices", "list", "-c", attic]) == 0
    listed = capsys.readouterr().out
    assert f"{voice.ref.id} en     Anna (not encoded for toy yet)" in listed
    assert f"sync with {tmp_path / 'b'}: done" in listed
    assert main(["sync", "--thorough", "-c", attic]) == 0


def test_recordings_in_an_open_folder_are_private(tmp_path: Path) -> None:
    """A folder that others may look into (a share, a stick) shows them neither the voices nor whose they are."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b").chmod(0o755)
    kitchen = device(tmp_path / "kitchen")
    open_store(tmp_path / "kitchen" / ".state" / "voices").add(new_voice())
    assert main(["sync", "-c", kitchen]) == 0
    made = [path for path in (tmp_path / "b").rglob("*") if path.name != MARKER]
    assert len(made) == 8
    assert not [path for path in made if path.stat().st_mode & 0o077]


def test_a_voice_is_carried_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Export writes one file, import takes it; what is no such file is refused in one line."""
    monkeypatch.chdir(tmp_path)
    kitchen, attic = device(tmp_path / "kitchen"), device(tmp_path / "attic")
    voice = open_store(tmp_path / "kitchen" / ".state" / "voices").add(new_voice())
    assert main(["voices", "export", "Anna", "-c", kitchen]) == 0
    name = capsys.readouterr().out.strip()
    assert name == f"{voice.ref.id[:8]}.voice"
    assert main(["voices", "import", name, "-c", attic]) == 0
    assert capsys.readouterr().out.strip() == voice.ref.id
    assert main(["voices", "import", kitchen, "-c", attic]) == 1
    assert "not a readable voice archive" in capsys.readouterr().err


def test_trouble_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No bucket, or an address that is none: status 1 and what to do."""
    assert main(["sync", "-c", device(tmp_path / "none", url=None)]) == 1
    assert "bucket.url is null" in capsys.readouterr().err
    assert main(["sync", "-c", device(tmp_path / "s3", url="ftp://x")]) == 1
    assert "key 'bucket.url'" in capsys.readouterr().err


def test_the_line_about_a_sync() -> None:
    """What happened, how long ago, and what is wrong; a clock that was set back does no harm."""
    report = SyncReport(bucket="b", status="done", finished=1000.0, last_success=1000.0, sent=3)
    assert sync_line(report, now=1010.0) == "sync with b: done 10 s ago, 3 sent"
    assert sync_line(report, now=0.0) == "sync with b: done 0 s ago, 3 sent"
    failed = report.model_copy(update={"status": "failed", "sent": 0, "error": "no route", "finished": 9000.0})
    assert sync_line(failed, now=9000.0 + 7200) == "sync with b: failed 2 h ago, last complete 4 h ago, no route"
    odd = failed.model_copy(update={"status": "incomplete", "error": "", "problems": ("x", "y"), "last_success": None})
    says = "sync with b: incomplete 0 s ago, last complete never, {} problem(s), the first: x"
    assert sync_line(odd, now=9000.0) == says.format(2)
    assert sync_line(odd.model_copy(update={"more_problems": 7}), now=9000.0) == says.format(9)


def test_what_is_damaged_is_listed_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A voice whose card has rotted: its recording is on the disk, so the list has it and `remove` takes its id."""
    kitchen = device(tmp_path / "kitchen", url=None)
    voice = open_store(tmp_path / "kitchen" / ".state" / "voices").add(new_voice())
    (voice.folder / "voice.json").write_bytes(b"rotten")
    assert main(["voices", "list", "-c", kitchen]) == 0
    assert f"{voice.ref.id}        damaged, cannot be used: {voice.folder}" in capsys.readouterr().out
    assert main(["voices", "remove", "-c", kitchen, voice.ref.id]) == 0
    assert f"deleted {voice.ref.id}" in capsys.readouterr().out
    assert not voice.folder.exists()
    assert main(["voices", "list", "-c", kitchen]) == 0
    assert voice.ref.id not in capsys.readouterr().out


def test_an_archive_cannot_play_with_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither what is refused nor what is taken: `show` prints JSON that means what was stored, and nothing else."""
    kitchen = device(tmp_path / "kitchen", url=None)
    words = "hi \x9b2J \u202e 小梅 there" + "\U000e0001" * 1900
    store = open_store(tmp_path / "kitchen" / ".state" / "voices")
    voice = store.add(replace(new_voice(), transcript=words))
    card = json.loads(store.card_bytes(voice))
    assert main(["voices", "show", "Anna", "-c", kitchen]) == 0
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert "小梅" in out
    assert json.loads(out)["card"]["transcript"] == words
    with zipfile.ZipFile(tmp_path / "x.voice", "w") as archive:
        archive.writestr("voice.json", json.dumps({**card, "x\x1b]0;owned\x07\x1b[2J\nedge-ttsd: all is well": 1}))
    assert main(["voices", "import", "-c", kitchen, str(tmp_path / "x.voice")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert "unknown key 'x\\u001b]0;owned" in line
