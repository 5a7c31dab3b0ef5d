"""Where a model set is put: what may be replaced, and that nothing else is ever destroyed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_tts.convert.staging import staged, unnamed_files
from edge_tts.errors import ModelError


def write_set(folder: Path, *names: str, text: str = "old") -> None:
    """A set of those files, as far as staging looks at one."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    manifest = {"format": 1, "family": "v2", "files": {name: {"sha256": "0" * 64, "bytes": 3} for name in names}}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def replace(out: Path, *names: str) -> None:
    """A set of those files takes the place of what is at `out`."""
    with staged(out, replace=True) as staging:
        write_set(staging, *names, text="new")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` with its bytes; links as what they point to."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


NO_SETS = {
    "a folder of letters": {"letters/mum.txt": b"dear"},
    "a web page": {"manifest.json": b'{"name": "page", "icons": []}', "index.html": b"<html>"},
    "a browser extension": {"manifest.json": b'{"manifest_version": 3, "files": {"a.js": {}}}', "a.js": b""},
    "a list": {"manifest.json": b"[1, 2]"},
    "no JSON": {"manifest.json": b"\xff\xfe{"},
    "a deep one": {"manifest.json": b"[" * 100_000},
}


@pytest.mark.parametrize("what", NO_SETS)
def test_only_a_model_set_is_replaced(tmp_path: Path, what: str) -> None:
    """Any other folder is refused before the work begins, with the reason, and stays as it was to the last byte."""
    out = tmp_path / "out"
    out.mkdir()
    for name, data in NO_SETS[what].items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(data)
    with pytest.raises(ModelError, match=r"manifest\.json.*--replace only replaces"), staged(out, replace=True):
        raise AssertionError("the work began")
    assert tree(out) == NO_SETS[what]
    assert os.listdir(tmp_path) == ["out"]


def test_an_empty_folder_is_free(tmp_path: Path) -> None:
    """An empty folder is replaced."""
    (tmp_path / "set").mkdir()
    with staged(tmp_path / "set", replace=False) as staging:
        write_set(staging, "wave.onnx")
    assert (tmp_path / "set" / "wave.onnx").exists()


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_is_no_folder_is_not_replaced(tmp_path: Path, kind: str) -> None:
    """A file of the name that was asked for, or a link that leads nowhere, is refused and stays."""
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("precious")
    else:
        out.symlink_to(tmp_path / "gone")
    with pytest.raises(ModelError), staged(out, replace=True):
        raise AssertionError("the work began")
    assert os.path.lexists(out)


def test_what_the_manifest_does_not_name_stays(tmp_path: Path) -> None:
    """Notes, links and folders that the manifest does not name are there afterwards; the old set's own
    files, also those that the new one has not, are gone."""
    out, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "far.txt").write_text("far")
    write_set(out, "wave.onnx", "voices/anna/features.npz", "bert.onnx")
    (out / "notes.txt").write_text("mine")
    (out / "backup" / "2025").mkdir(parents=True)
    (out / "backup" / "2025" / "wave.onnx").write_text("older")
    (out / "link").symlink_to(elsewhere)
    replace(out, "wave.onnx", "voices/bert/features.npz")
    found = tree(out)
    del found["manifest.json"]
    assert found == {
        "wave.onnx": b"new",
        "voices/bert/features.npz": b"new",
        "notes.txt": b"mine",
        "backup/2025/wave.onnx": b"older",
        "link": str(elsewhere).encode(),
    }
    assert unnamed_files(out) == ["backup/2025/wave.onnx", "link", "notes.txt"]
    assert (elsewhere / "far.txt").read_text() == "far"
    assert sorted(os.listdir(tmp_path)) == ["elsewhere", "set"]


@pytest.mark.parametrize(("stranger", "new"), [("bert.onnx", "bert.onnx"), ("voices", "voices/anna/features.npz")])
def test_a_strangers_file_in_the_way_stops_the_replacement(tmp_path: Path, stranger: str, new: str) -> None:
    """Where the new set has a file with the name of one that the old manifest lacks, nothing is replaced."""
    out = tmp_path / "set"
    write_set(out, "wave.onnx")
    (out / stranger).write_text("mine")
    before = tree(out)
    with pytest.raises(ModelError, match="move it away"):
        replace(out, "wave.onnx", new)
    assert tree(out) == before
    assert os.listdir(tmp_path) == ["set"]


def test_a_linked_folder_of_the_set_is_not_emptied(tmp_path: Path) -> None:
    """A manifest that names files behind a link to a folder does not have them deleted there."""
    out, elsewhere = tmp_path / "set", tmp_path / "elsewhere"
    write_set(out, "wave.onnx", "voices/anna/features.npz")
    (out / "voices").rename(elsewhere)
    (out / "voices").symlink_to(elsewhere)
    replace(out, "wave.onnx")
    assert tree(elsewhere) == {"anna/features.npz": b"old"}
    assert (out / "voices").is_symlink()


def test_a_link_to_a_set_stays_a_link(tmp_path: Path) -> None:
    """A linked set is replaced where it lies, for example on a larger disk."""
    disk, out = tmp_path / "disk" / "set", tmp_path / "models" / "mine"
    write_set(disk, "wave.onnx")
    out.parent.mkdir()
    out.symlink_to(disk)
    replace(out, "wave.onnx")
    assert out.is_symlink()
    assert (disk / "wave.onnx").read_text() == "new"


def test_work_that_fails_leaves_the_old_set(tmp_path: Path) -> None:
    """Whatever the conversion raises, the old set stays, and nothing lies beside it."""
    out = tmp_path / "set"
    write_set(out, "wave.onnx")
    before = tree(out)
    with pytest.raises(ZeroDivisionError), staged(out, replace=True) as staging:
        (staging / "wave.onnx").write_text(str(1 // 0))
    assert tree(out) == before
    assert os.listdir(tmp_path) == ["set"]


def test_a_rename_that_fails_brings_the_old_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the final rename fails, the old set is rolled back."""
    out = tmp_path / "set"
    write_set(out, "wave.onnx")
    rename = Path.rename

    def refuse_the_new(self: Path, target: Path) -> Path:
        if self.name == "set" and self.parent != tmp_path and target == out:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(ModelError, match="Input/output error"):
        replace(out, "wave.onnx")
    assert (out / "wave.onnx").read_text() == "old"
    assert os.listdir(tmp_path) == ["set"]


def kill_while_staging(out: Path, *moves: str) -> None:
    """A process of its own begins to stage `out`, makes some moves with `staging` and `out`, and is killed."""
    code = "import os, sys\nfrom pathlib import Path\nfrom edge_tts.convert.staging import staged\n"
    code += "out = Path(sys.argv[1])\nwith staged(out, replace=True) as staging:\n"
    code += "".join(f" {move}\n" for move in moves) + " os.kill(os.getpid(), 9)\n"
    assert subprocess.run([sys.executable, "-c", code, out], check=False).returncode == -9


def test_what_a_killed_conversion_left_is_swept(tmp_path: Path) -> None:
    """The next conversion beside it removes what a killed one left; folders of other names stay."""
    kill_while_staging(tmp_path / "set", "(staging / 'wave.onnx').write_text('half')")
    (tmp_path / ".set.original").mkdir()
    (tmp_path / ".set.converting.notes").mkdir()
    assert len(os.listdir(tmp_path)) == 3
    replace(tmp_path / "set", "wave.onnx")
    assert sorted(os.listdir(tmp_path)) == [".set.converting.notes", ".set.original", "set"]


def test_a_kill_between_the_two_renames_loses_no_set(tmp_path: Path) -> None:
    """An old set that a killed conversion had moved aside is back after the next run, whatever that run makes."""
    out = tmp_path / "set"
    write_set(out, "wave.onnx")
    before = tree(out)
    kill_while_staging(out, "out.rename(staging.with_name('old'))")
    assert not out.exists()
    replace(tmp_path / "another", "wave.onnx")
    assert tree(out) == before
    assert sorted(os.listdir(tmp_path)) == ["another", "set"]


def test_a_conversion_that_runs_is_not_swept(tmp_path: Path) -> None:
    """Two conversions beside each other leave each other's folders alone."""
    with staged(tmp_path / "one", replace=True) as staging:
        write_set(staging, "wave.onnx")
        replace(tmp_path / "two", "wave.onnx")
    assert sorted(os.listdir(tmp_path)) == ["one", "two"]


def test_a_failing_return_of_the_old_set_does_not_delete_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When neither the new set nor the old one can be moved, the old one stays, and the next run brings it back."""
    out = tmp_path / "set"
    write_set(out, "wave.onnx")
    before = tree(out)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target == out:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match="Input/output error"):
        replace(out, "wave.onnx")
    monkeypatch.undo()
    replace(tmp_path / "another", "wave.onnx")
    assert tree(out) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_called_one(tmp_path: Path, number: int) -> None:
    """An error of a full disk, or of a quota, says that the disk is full."""
    with (
        pytest.raises(ModelError, match="cannot be written: the disk is full"),
        staged(tmp_path / "set", replace=False),
    ):
        raise OSError(number, os.strerror(number))
