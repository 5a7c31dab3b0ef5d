"""The voices' folder: foreign folders, the clean-up, the account."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from enrolled import contents, new_voice, open_store

from edge_tts.errors import VoiceError
from edge_tts.voices.format import VoiceRef
from edge_tts.voices.store import VoiceStore

MINE = (
    ".vimrc.old.1",
    "project/.eslintrc.base.json",
    ".trash/letter.txt",
    ".staging/draft.txt",
    "photos/.IMG.2020.jpg",
)


def write(folder: Path, *names: str) -> None:
    """Foreign files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")


def files(folder: Path) -> dict[str, bytes]:
    """The relative paths of all files."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [*MINE, "anna/notes.txt", "2020/0a/voice.json"])
def test_somebody_else_s_folder_is_refused_and_stays_as_it_is(tmp_path: Path, name: str) -> None:
    """A folder of other things is refused by name, and nothing is written there."""
    folder = tmp_path / "stick"
    write(folder, name)
    store = VoiceStore(directory=folder, device="kitchen", clock=lambda: 0.0)
    for change in (store.recover, lambda: store.add(new_voice()), lambda: store.rename(VoiceRef("anna", "0a"), "Mum")):
        with pytest.raises(VoiceError, match=r"stick: is not a folder of voices, for it holds other things \('"):
            change()
    assert files(folder) == {name: b"mine"}
    assert store.stored().voices == store.stored().damaged == ()


def test_only_what_we_left_half_done_is_swept(tmp_path: Path) -> None:
    """The clean-up removes our own leftovers, wherever they are, and no other file."""
    store = open_store(tmp_path)
    voice, gone = store.add(new_voice(1)), store.add(new_voice(2))
    store.delete(gone.ref)
    write(tmp_path, *MINE)
    before = files(tmp_path)
    own, bin_, stones = f"anna/{voice.ref.id}", f".incoming/anna/{gone.ref.id}", ".deleted/anna"
    rubbish = ("..sync.json.aaaaaaaa", f"{own}/.name.json.bbbbbbbb", f"{own}/features/.0a.npz.cccccccc")
    write(tmp_path, *rubbish, f"{bin_}/.{'0a' * 32}.dddddddd", f"{stones}/.{gone.ref.id}.json.eeeeeeee")
    write(tmp_path, ".staging/tmpffffffff/reference.flac", ".trash/tmpgggggggg/0a/reference.flac")
    open_store(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("kept", ["voices", "tombstones", "lost+found"])
def test_a_folder_of_voices_is_known_without_its_lock(tmp_path: Path, kept: str) -> None:
    """A backup copy, a folder with tombstones only and a new disk are used."""
    store = open_store(tmp_path / "old")
    store.add(new_voice(1))
    store.delete(store.add(new_voice(2, name="Gone")).ref)
    part = {"voices": "anna", "tombstones": ".deleted"}.get(kept, "nothing")
    (tmp_path / "new" / "lost+found").mkdir(parents=True)
    if (store.directory / part).exists():
        shutil.copytree(store.directory / part, tmp_path / "new" / part)
    again = open_store(tmp_path / "new")
    assert list(contents(again).values()) == (["Anna"] if kept == "voices" else [])
    assert len(again.tombstones()) == (kept == "tombstones")
    again.add(new_voice(3, name="Bert"))


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT ROOT: a change under another account was not tested")
def test_root_changes_nothing_in_the_folder_of_a_service(tmp_path: Path) -> None:
    """root may read the folder of a service account but not change it; a service that is root may."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    os.chown(tmp_path, 65534, 65534)
    assert store.rename(voice.ref, "Mum").name == "Mum"  # the lock is root's own: so is the service
    for path in tmp_path.rglob("*"):
        os.chown(path, 65534, 65534)
    before = files(tmp_path)
    for change in (
        store.recover,
        lambda: store.add(new_voice(2)),
        lambda: store.rename(voice.ref, "Anna"),
        lambda: store.delete(voice.ref),
    ):
        with pytest.raises(VoiceError, match=r"belongs to the account .*: sudo -u "):
            change()
    (tmp_path / ".lock").unlink()  # as systemd makes the folder, before the first start
    with pytest.raises(VoiceError, match="belongs to the account"):
        store.rename(voice.ref, "Anna")
    assert list(contents(store).values()) == ["Mum"]
    assert files(tmp_path) == {name: data for name, data in before.items() if name != ".lock"}
