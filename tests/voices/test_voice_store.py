"""VoiceStore: what is stored, what is refused, and power cuts."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest
from bad_disk import before_listing, undeletable
from enrolled import audit, contents, flac, new_voice, open_store, silence, voice_from
from hypothesis import given
from hypothesis import strategies as st
from power_cut import cut_everywhere
from s3 import folder_bucket

from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.voices.format import NameEntry, VoiceRef, flac_samples, read_name, sha256, to_bytes, voice_id
from edge_tts.voices.sync.executor import SyncExecutor


def test_a_voice_comes_back_as_it_was_enrolled(tmp_path: Path) -> None:
    """Audio, transcript, consent and quality are read back unchanged after a restart, under the hash of the card."""
    new = new_voice(takes=2)
    stored = open_store(tmp_path).add(new)
    again = open_store(tmp_path).get(stored.ref)
    files = open_store(tmp_path).files(again)
    assert [files[name] for name in again.card.recordings] == new.recordings
    assert json.loads(files["consent.json"])["statement"] == new.transcript == again.card.transcript
    assert voice_id((again.folder / "voice.json").read_bytes()) == again.ref.id == again.folder.name
    assert again.name == "Anna"
    assert again.folder.parent.name == "anna"


def test_nobody_else_may_read_a_voice(tmp_path: Path) -> None:
    """Folders have mode 0700."""
    voice = open_store(tmp_path / "voices").add(new_voice())
    for path in (tmp_path / "voices", voice.folder.parent, voice.folder):
        assert path.stat().st_mode & 0o077 == 0


def test_owners_are_kept_apart(tmp_path: Path) -> None:
    """Two owners may use one name; without an owner it is ambiguous, and the error has both ids."""
    store = open_store(tmp_path)
    first, second = store.add(new_voice(1, owner="anna")), store.add(new_voice(2, owner="bert"))
    assert store.find("Anna", owner="bert") == second
    assert store.find(first.ref.id[:8]) == first
    with pytest.raises(UnknownVoiceError, match=second.ref.id):
        store.find("Anna")
    with pytest.raises(UnknownVoiceError, match="did you mean 'Anna'"):
        store.find("Ana")


def test_a_name_that_is_another_s_id_hides_nobody(tmp_path: Path) -> None:
    """An id is found before a voice of that name."""
    store = open_store(tmp_path)
    anna, bert = store.add(new_voice(1)), store.add(new_voice(2, name="Bert"))
    store.rename(bert.ref, anna.ref.id)
    assert store.find(anna.ref.id).ref == store.find_deletable(anna.ref.id) == anna.ref
    assert store.find(bert.ref.id[:8]).ref == bert.ref


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_accent_can_be_typed_in_two_ways(tmp_path: Path, form: Literal["NFC", "NFD"]) -> None:
    """A name is found in either Unicode form."""
    store = open_store(tmp_path)
    kept = store.add(new_voice(1, name=normalize(form, "Zoé")))
    assert store.find(normalize("NFC", "Zoé")).ref == store.find(normalize("NFD", "Zoé")).ref == kept.ref


def test_what_is_damaged_is_found_by_its_id_to_be_deleted(tmp_path: Path) -> None:
    """A voice without a card, or partly deleted, is found by its id."""
    store = open_store(tmp_path)
    anna, bert, carl = (store.add(new_voice(seed, name=name)) for seed, name in enumerate(["Anna", "Bert", "Carl"]))
    (anna.folder / "voice.json").write_bytes(b"rotten")
    with undeletable(bert.folder / "reference.flac"), pytest.raises(VoiceError):
        store.delete(bert.ref)
    for voice in (anna, bert):
        with pytest.raises(UnknownVoiceError):
            store.find(voice.ref.id)
        assert store.find_deletable(voice.ref.id[:8]) == voice.ref
        store.delete(store.find_deletable(voice.ref.id))
    assert store.find_deletable("Carl") == carl.ref
    for unknown in ("", "Anna", anna.ref.id):
        with pytest.raises(UnknownVoiceError):
            store.find_deletable(unknown)
    assert len(list(tmp_path.rglob("*.flac"))) == 1


@pytest.mark.parametrize("owner", ["", "..", "a/b", "Anna", ".deleted", "a" * 65, "a\n"])
def test_an_owner_that_is_no_folder_name_is_refused(tmp_path: Path, owner: str) -> None:
    """An owner that is no plain folder name is refused."""
    with pytest.raises(VoiceError, match="owner"):
        open_store(tmp_path).add(new_voice(owner=owner))
    assert not contents(open_store(tmp_path))


@pytest.mark.parametrize("name", ["", " Anna", "An\nna", "x" * 81, "\u202eannA"])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    """An unprintable name is refused, at enrolment and at a rename."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    with pytest.raises(VoiceError, match="name"):
        store.rename(voice.ref, name)
    with pytest.raises(VoiceError, match="name"):
        store.add(replace(new_voice(2), name=name))


def test_a_voice_without_consent_is_refused(tmp_path: Path) -> None:
    """A voice without consent, or with one about another recording, is refused unless configured otherwise."""
    with pytest.raises(VoiceError, match="consent"):
        open_store(tmp_path).add(new_voice(consent=False))
    assert open_store(tmp_path, consent=False).add(new_voice(consent=False)).card.recordings
    with pytest.raises(VoiceError, match="not part of the voice"):
        open_store(tmp_path).add(replace(new_voice(1), consent=new_voice(2).consent))


def test_what_is_not_flac_is_refused(tmp_path: Path) -> None:
    """A recording is a FLAC file with a length; the length is read from its header."""
    assert flac_samples(flac(1, 0.5), what="x") == 8000
    assert flac_samples(silence(0.5, channels=2), what="x") == 16000
    for data in (b"", b"RIFF" + bytes(100), flac(1)[:41], b"fLaC" + bytes(60)):
        with pytest.raises(VoiceError, match="FLAC"):
            flac_samples(data, what="x")
    odd = replace(new_voice(), recordings=[b"RIFF" + bytes(100)], consent=None)
    with pytest.raises(VoiceError, match=r"reference\.flac: is not a FLAC file"):
        open_store(tmp_path, consent=False).add(odd)


def second_header(small: bytes, large: bytes) -> bytes:
    """`large` behind the first block of `small`: decoders believe the later STREAMINFO."""
    first = bytearray(small[4:42])
    first[0] &= 0x7F
    return b"fLaC" + bytes(first) + large[4:]


BOMBS = {
    "sample rate of 44101 Hz": lambda: [silence(1, 44101)],
    "sample rate of 200000 Hz": lambda: [silence(1, 200000)],
    "8 channels": lambda: [silence(1, 192000, 8)],
    "lasts 61 s": lambda: [silence(61)],
    "unpack to 33580800 samples": lambda: [silence(58.3, 192000), silence(58.3, 192000, 2)],
    "not a FLAC file": lambda: [second_header(silence(1), silence(61))],
}


@pytest.mark.parametrize("reason", BOMBS)
def test_what_would_unpack_to_too_much_is_refused(tmp_path: Path, reason: str) -> None:
    """A recording too long when unpacked is refused by its header, undecoded."""
    store = open_store(tmp_path)
    with pytest.raises(VoiceError, match=reason):
        store.add(voice_from(*BOMBS[reason]()))
    assert not contents(store)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 37800, 44100, 96000, 192000])
def test_usual_sample_rates_are_accepted(tmp_path: Path, rate: int) -> None:
    """The usual sample rates are accepted, in stereo too."""
    assert open_store(tmp_path).add(voice_from(silence(1, rate, 2)))


def test_a_rename_lasts_and_changes_nothing_else(tmp_path: Path) -> None:
    """A rename keeps id and files, and increments the counter."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    before = (voice.folder / "voice.json").read_bytes()
    assert store.rename(voice.ref, "安娜").name == "安娜"
    renamed = open_store(tmp_path).rename(voice.ref, "Mum")
    assert (renamed.name, renamed.title.counter, renamed.ref) == ("Mum", 2, voice.ref)
    assert (voice.folder / "voice.json").read_bytes() == before


@pytest.mark.parametrize("counter", [0, 1 << 21, (1 << 53) - 1])
def test_a_forged_name_is_ignored(tmp_path: Path, counter: int) -> None:
    """A name that claims to be the first, or too far ahead, is ignored here and in the bucket."""
    kitchen, attic = (open_store(tmp_path / name, device=name) for name in ("kitchen", "attic"))
    voice = kitchen.add(new_voice())
    forged = to_bytes(voice.title.model_copy(update={"counter": counter, "device": "zzz", "name": "Evil"}))
    assert not kitchen.merge(voice.ref, read_name(forged, ref=voice.ref))
    bucket = folder_bucket(tmp_path / "bucket")
    path = f"v1/anna/{voice.ref.id}/names/{sha256(forged)}"
    bucket.create(path, forged)
    for store in (kitchen, attic, kitchen, attic):
        assert SyncExecutor(store=store, bucket=bucket, name="b", clock=lambda: 1.0).run().status == "done"
        assert list(contents(store).values()) == ["Anna"]
    assert path not in bucket.list("v1")
    assert kitchen.rename(voice.ref, "Mum").name == "Mum"


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.sampled_from("xy")), min_size=1, max_size=5))
def test_the_order_in_which_names_arrive_does_not_matter(arrived: list[tuple[int, str, str]]) -> None:
    """In any order of arrival all devices end with the same name, a rename if there is one."""
    fields = {"owner": "anna", "voice": "0" * 32}
    first = NameEntry(**fields, name="Anna", counter=0, device="kitchen")
    entries = [NameEntry(**fields, name=name, counter=counter, device=device) for counter, device, name in arrived]
    ends = set()
    for order in itertools.permutations(entries):
        title = first
        for entry in order:
            title = entry if entry.outranks(title) else title
        ends.add(title)
    assert len(ends) == 1
    assert (ends == {first}) == all(entry.counter == 0 for entry in entries)


def test_a_damaged_file_is_never_used(tmp_path: Path) -> None:
    """A flipped bit in a recording or card is reported, and other voices are usable."""
    store = open_store(tmp_path)
    bad_card, bad_audio, good = (store.add(new_voice(seed, name=f"V{seed}")) for seed in (1, 2, 3))
    for path in (bad_card.folder / "voice.json", bad_audio.folder / "reference.flac"):
        data = bytearray(path.read_bytes())
        data[30] ^= 1
        path.write_bytes(data)
    features = store.stored(thorough=True)
    assert [voice.ref for voice in features.voices] == [good.ref]
    assert {ref for ref, _ in features.damaged} == {bad_card.ref, bad_audio.ref}
    with pytest.raises(VoiceError, match="damaged"):
        store.read(bad_audio, "reference.flac")
    store.delete(bad_card.ref)
    assert not bad_card.folder.exists()


def test_a_deleted_voice_is_gone_for_good(tmp_path: Path) -> None:
    """Deletion leaves a tombstone and one audit line without names, and no empty folder of the owner."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    (voice.folder / "features").mkdir()
    (voice.folder / "features" / "x.npz").write_bytes(b"derived")
    kept = (voice.folder / "voice.json").read_bytes(), store.files(voice)
    store.delete(voice.ref)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.name for path in left) == [".lock", ".reserve", f"{voice.ref.id}.json", "audit.log"]
    assert not (tmp_path / "anna").exists()
    assert audit(store) == ["enrolled", "deleted"]
    assert "Anna" not in (tmp_path / "audit.log").read_text()
    with pytest.raises(UnknownVoiceError):
        store.get(voice.ref)
    with pytest.raises(UnknownVoiceError):
        store.delete(voice.ref)
    with pytest.raises(VoiceError, match="stays deleted"):
        store.accept(voice.ref, *kept, event="imported")


@pytest.mark.parametrize("again", ["delete", "recover", "sync"])
def test_a_recording_that_refuses_to_go_is_never_said_to_be_gone(tmp_path: Path, again: str) -> None:
    """A deletion fails by name while one file cannot be removed, removes the others, and is completed later."""
    store = open_store(tmp_path / "voices")
    anna, bert = store.add(new_voice(1)), store.add(new_voice(2, name="Bert"))
    bucket = folder_bucket(tmp_path / "bucket")
    finish: dict[str, Callable[[], object]] = {
        "delete": lambda: store.delete(anna.ref),
        "recover": store.recover,
        "sync": lambda: SyncExecutor(store=store, bucket=bucket, name="b", clock=lambda: 1.0).run(),
    }
    with undeletable(anna.folder / "reference.flac"):
        for _ in range(2):
            with pytest.raises(VoiceError, match=r"reference\.flac: Input/output error"):
                store.delete(anna.ref)
        report = SyncExecutor(store=store, bucket=bucket, name="b", clock=lambda: 1.0).run()
        assert report.status == "incomplete"
        assert "reference.flac: Input/output error" in report.problems[0]
        store.delete(bert.ref)
    assert [path.name for path in anna.folder.iterdir()] == ["reference.flac"]
    assert audit(store) == ["enrolled", "enrolled", "deleted"]
    finish[again]()
    assert not anna.folder.exists()
    assert audit(store) == ["enrolled", "enrolled", "deleted", "deleted"]


def test_a_rotten_tombstone_is_written_anew(tmp_path: Path) -> None:
    """An unreadable tombstone still counts, and is written anew for other devices."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    store.delete(voice.ref)
    (tmp_path / ".deleted" / "anna" / f"{voice.ref.id}.json").write_bytes(b"\0\0")
    stone = open_store(tmp_path).tombstones()[voice.ref]
    assert json.loads(stone)["voice"] == voice.ref.id


def test_two_threads_may_change_the_store(tmp_path: Path) -> None:
    """Concurrent renames from two threads are all counted."""
    stores = [open_store(tmp_path), open_store(tmp_path)]
    voice = stores[0].add(new_voice())
    threads = [
        threading.Thread(target=lambda s=store: [s.rename(voice.ref, f"N{n}") for n in range(10)]) for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stores[0].get(voice.ref).title.counter == 20


def test_an_owner_s_folder_that_goes_while_it_is_looked_for(tmp_path: Path) -> None:
    """An owner's folder that disappears during the listing does not affect the others."""
    store = open_store(tmp_path)
    anna, bert = (store.add(new_voice(seed, owner=owner)) for seed, owner in enumerate(("anna", "bert")))
    with before_listing(anna.folder.parent, lambda: store.delete(anna.ref)):
        assert [voice.ref for voice in store.stored().voices] == [bert.ref]
    assert not anna.folder.parent.exists()


def test_a_disk_error_is_a_voice_error(tmp_path: Path) -> None:
    """A folder that cannot be made is a VoiceError that names it."""
    (tmp_path / "voices").write_text("a file where the folder should be")
    with pytest.raises(VoiceError, match="voices"):
        open_store(tmp_path / "voices")


def test_power_cut_while_enrolling(tmp_path: Path) -> None:
    """After a power cut at any moment the voice is whole or absent, and no leftovers stay."""

    def check(root: Path, done: bool) -> None:
        store = open_store(root)
        features = store.stored(thorough=True)
        assert not features.damaged
        assert len(features.voices) in ((1,) if done else (0, 1))
        assert not any((root / ".staging").glob("*"))
        assert audit(store) == ["enrolled"] or not done
        store.add(new_voice())
        assert len(contents(store)) == 1

    def work(root: Path) -> None:
        open_store(root).add(new_voice())

    assert cut_everywhere(tmp_path, start=lambda root: None, work=work, check=check) > 10


def test_power_cut_while_renaming(tmp_path: Path) -> None:
    """After a power cut the name is the old or the new one."""

    def start(root: Path) -> None:
        open_store(root).add(new_voice())

    def work(root: Path) -> None:
        store = open_store(root)
        store.rename(store.find("Anna").ref, "Mum")

    def check(root: Path, done: bool) -> None:
        assert list(contents(open_store(root)).values()) in ([["Mum"]] if done else [["Anna"], ["Mum"]])
        assert not list(root.rglob(".*.json.*"))

    assert cut_everywhere(tmp_path, start=start, work=work, check=check) > 5


def test_power_cut_while_deleting(tmp_path: Path) -> None:
    """After a power cut the voice is whole, or fully deleted with exactly one audit line."""

    def start(root: Path) -> None:
        store = open_store(root)
        store.add(new_voice(1))
        store.add(new_voice(2, name="Bert"))

    def work(root: Path) -> None:
        store = open_store(root)
        store.delete(store.find("Anna").ref)

    def check(root: Path, done: bool) -> None:
        store = open_store(root)
        names = sorted(contents(store).values())
        assert names in ([["Bert"]] if done else [["Anna", "Bert"], ["Bert"]])
        assert audit(store).count("deleted") == len(store.tombstones()) == 2 - len(names)
        assert len(list(root.rglob("*.flac"))) == len(names)

    assert cut_everywhere(tmp_path, start=start, work=work, check=check) > 8


def test_power_cut_while_a_damaged_copy_is_replaced(tmp_path: Path) -> None:
    """After a power cut at any moment the local name is kept, and no file of the voice is lost."""
    good = open_store(tmp_path / "good")
    voice = good.add(new_voice())
    card, files = good.card_bytes(voice), good.files(voice)

    def start(root: Path) -> None:
        store = open_store(root)
        copy = store.accept(voice.ref, card, files, event="imported")
        (copy.folder / "reference.flac").write_bytes(b"rotten")
        (copy.folder / "name.json").write_bytes(to_bytes(copy.title.model_copy(update={"name": "Mum", "counter": 1})))

    def work(root: Path) -> None:
        open_store(root).accept(voice.ref, card, files, event="fetched")

    def check(root: Path, done: bool) -> None:
        store = open_store(root)
        assert [found.name for found in store.stored().voices] == ["Mum"]
        assert list(contents(store).values()) == ["Mum"] or not done
        assert not list(root.rglob(".*.flac.*"))
        store.accept(voice.ref, card, files, event="fetched")
        assert list(contents(store).values()) == ["Mum"]

    assert cut_everywhere(tmp_path, start=start, work=work, check=check) > 10


def test_a_card_is_only_its_own_voice_s(tmp_path: Path) -> None:
    """A card under another id or owner is refused."""
    store = open_store(tmp_path)
    voice = store.add(new_voice())
    card, files = store.card_bytes(voice), store.files(voice)
    for ref in (VoiceRef("anna", sha256(b"x")[:32]), VoiceRef("bert", voice.ref.id)):
        with pytest.raises(VoiceError, match="not the card"):
            store.accept(ref, card, files, event="imported")
