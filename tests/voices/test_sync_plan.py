"""The plan of a sync, from the local and the remote state."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_tts.voices.format import VoiceRef, sha256
from edge_tts.voices.sync.plan import (
    Key,
    Local,
    LocalRegister,
    LocalVoice,
    SyncStep,
    parse_key,
    plan_registers,
    plan_tombstones,
    plan_voices,
)

REF = VoiceRef("anna", "0" * 32)
OTHER = VoiceRef("bert", "1" * 32)
HASH = sha256(b"x")
CARD, FILE, STONE = Key(REF, "card"), Key(REF, "files", HASH), Key(REF, "tombstones", HASH)
NAME = Key(REF, "names", sha256(b"name"))

DIGITS = "0123456789abcdef"
refs = st.builds(
    VoiceRef,
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    st.text(DIGITS, min_size=32, max_size=32),
)
keys = st.builds(
    Key, refs, st.sampled_from(["files", "names", "shares", "tombstones"]), st.text(DIGITS, min_size=64, max_size=64)
)


def here(*refs: VoiceRef, counter: int = 0, deleted: Iterable[VoiceRef] = ()) -> Local:
    """A local state: each voice with one file and a name of that counter."""
    voices = {}
    for ref in refs:
        voices[ref] = LocalVoice(frozenset([HASH]), {"names": LocalRegister(counter, NAME.sha256)})
    return Local(voices, dict.fromkeys(deleted, HASH))


def acts(steps: Iterable[SyncStep]) -> list[tuple[str, Key]]:
    """Each step's action and object."""
    return [(step.act, step.key) for step in steps]


@settings(deadline=None)
@given(keys)
def test_every_object_is_known_by_its_path(key: Key) -> None:
    """A key survives the way through its path."""
    assert parse_key(key.path) == key
    assert parse_key(Key(key.ref, "card").path) == Key(key.ref, "card")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1",
        CARD.path + "/",
        CARD.path + "\n",
        CARD.path.upper(),
        "v2" + CARD.path[2:],
        f"v1/../{'0' * 32}/card",
        f"v1/anna/{'0' * 31}/card",
        f"v1/a/b/{'0' * 32}/card",
        FILE.path[:-1],
        FILE.path + "0",
        FILE.path.replace("files", "other"),
    ],
)
def test_strangers_in_the_bucket_are_ignored(path: str) -> None:
    """A foreign path is no key, and no name leads out of the store."""
    assert parse_key(path) is None


def test_a_new_voice_is_sent_card_last() -> None:
    """The card is sent after the files, so that a device that sees it finds all the rest."""
    assert acts(plan_voices(here(REF), {}, {})) == [("send", FILE), ("send", CARD)]


def test_an_unknown_voice_is_fetched_once_its_card_is_there() -> None:
    """Files without a card are an unfinished upload, and not fetched."""
    assert acts(plan_voices(here(), {FILE: "a"}, {})) == []
    assert acts(plan_voices(here(), {FILE: "a", CARD: "b"}, {})) == [("fetch", CARD)]


def test_what_is_equal_needs_nothing() -> None:
    """A checked object is read again only when its mark has changed."""
    there = {FILE: "a", CARD: "b"}
    assert plan_voices(here(REF), there, there) == []
    assert acts(plan_voices(here(REF), there, {FILE: "a", CARD: "old"})) == [("check", CARD)]


def test_what_is_missing_there_is_no_reason_to_delete_here() -> None:
    """What is missing in the bucket is sent, and deleted nowhere."""
    assert {act for act, _ in acts(plan_voices(here(REF, OTHER), {}, {FILE: "a"}))} == {"send"}


def test_a_deletion_comes_first_and_clears_everything_but_itself() -> None:
    """A remote tombstone is applied; a local one is sent, and all other objects of the voice are erased."""
    there = {STONE: "s", FILE: "a", CARD: "b", NAME: "n"}
    assert acts(plan_tombstones(here(REF), there, {})) == [("delete", STONE)]
    assert acts(plan_tombstones(here(deleted=[REF]), {CARD: "b"}, {})) == [("send", STONE)]
    gone = here(REF, deleted=[REF])
    assert acts(plan_voices(gone, there, {})) == [("erase", CARD), ("erase", FILE), ("erase", NAME)]
    assert plan_registers(gone, there, {}) == []


def test_names_are_compared_after_ours_was_sent() -> None:
    """Only a rename is an object, and ours is sent before others are erased, so that there is always a name."""
    theirs = Key(REF, "names", HASH)
    assert acts(plan_registers(here(REF), {}, {})) == []
    assert acts(plan_registers(here(REF, counter=2), {theirs: "x"}, {})) == [("send", NAME), ("compare", theirs)]
    assert acts(plan_registers(here(REF, counter=2), {NAME: "y"}, {NAME: "y"})) == []
