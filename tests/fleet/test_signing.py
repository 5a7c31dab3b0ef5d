"""Signed documents: whoever changes any byte, or signs with another key, is refused."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fleet_keys import Keys
from hypothesis import given
from hypothesis import strategies as st

from edge_tts.errors import FleetError
from edge_tts.fleet.signing import Trust, add_signatures, make_key, missing_signatures, sign, verify

KIND, PAYLOAD = "application/test", b'{"set": "mine"}'


def changed(envelope: bytes, **values: Any) -> bytes:
    """With other keys."""
    return json.dumps({**json.loads(envelope), **values}).encode()


def test_what_was_signed_comes_out(keys: Keys) -> None:
    """The very bytes."""
    assert verify(sign(PAYLOAD, KIND, keys.files[:1]), KIND, keys.trust()) == PAYLOAD


@given(position=st.integers(0, 10**6), change=st.integers(1, 255))
def test_no_byte_can_be_changed(keys: Keys, position: int, change: int) -> None:
    """Of the whole envelope: it is refused, or says the same still."""
    data = bytearray(sign(PAYLOAD, KIND, keys.files[:1]))
    data[position % len(data)] ^= change
    with suppress(FleetError):
        assert verify(bytes(data), KIND, keys.trust()) == PAYLOAD


@pytest.mark.parametrize("part", ["payload", "payloadType", "keyid", "sig"])
def test_no_part_can_be_exchanged(part: str, keys: Keys) -> None:
    """Payload, type, key and signature belong together."""
    mine = sign(PAYLOAD, KIND, keys.files[:1])
    other = json.loads(sign(b'{"set": "evil"}', "application/other", keys.files[2:]))
    if part in ("keyid", "sig"):
        [own], [others] = json.loads(mine)["signatures"], other["signatures"]
        forged = changed(mine, signatures=[{**own, part: others[part]}])
    else:
        forged = changed(mine, **{part: other[part]})
    with pytest.raises(FleetError):
        verify(forged, KIND, keys.trust())
    with pytest.raises(FleetError):
        verify(forged, other["payloadType"], keys.trust())


def test_a_signature_for_one_kind_is_none_for_another(keys: Keys) -> None:
    """The type is signed: an overlay cannot be passed off as a release, nor can its type be rewritten."""
    envelope = sign(PAYLOAD, KIND, keys.files[:1])
    with pytest.raises(FleetError, match="another kind"):
        verify(envelope, "application/other", keys.trust())
    with pytest.raises(FleetError, match="0 valid"):
        verify(changed(envelope, payloadType="application/other"), "application/other", keys.trust())


def test_two_signers_are_two_keys(keys: Keys) -> None:
    """One alone, one twice, and one with a stranger are refused; the second signature makes it whole."""
    trust = keys.trust(2, signers=2)
    one = sign(PAYLOAD, KIND, keys.files[:1])
    twice = changed(one, signatures=json.loads(one)["signatures"] * 2)
    stranger = sign(PAYLOAD, KIND, (keys.files[0], keys.files[2]))
    for envelope in (one, twice, stranger):
        with pytest.raises(FleetError, match=r"1 valid signature\(s\).*needs 2"):
            verify(envelope, KIND, trust)
    assert missing_signatures(one, trust) == 1
    both = add_signatures(one, keys.files[1:2])
    assert verify(both, KIND, trust) == PAYLOAD
    assert missing_signatures(both, trust) == 0


def test_an_empty_trust_trusts_nobody(keys: Keys) -> None:
    """Not even a document that nobody signed."""
    unsigned = changed(sign(PAYLOAD, KIND, keys.files[:1]), signatures=[])
    for envelope, trust in ((unsigned, keys.trust()), (unsigned, Trust((), 1)), (unsigned, Trust((), 0))):
        with pytest.raises(FleetError, match="0 valid"):
            verify(envelope, KIND, trust, most_missing=9)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"x" * (1 << 21), b'{"payload": 1}', b"[" * 100000])
def test_rubbish_is_named(data: bytes, keys: Keys) -> None:
    """A bucket can hold anything."""
    with pytest.raises(FleetError, match=r"signed document|KiB"):
        verify(data, KIND, keys.trust())


def test_a_private_key_is_private_and_never_written_over(tmp_path: Path) -> None:
    """Mode 0600, and a second one needs another file."""
    public = make_key(tmp_path / "a.pem")
    assert len(base64.b64decode(public)) == 32
    assert (tmp_path / "a.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FleetError, match="never written over"):
        make_key(tmp_path / "a.pem")


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_named(text: str, tmp_path: Path) -> None:
    """Its content is not quoted."""
    (tmp_path / "key.pem").write_text(text)
    with pytest.raises(FleetError, match="no Ed25519 private key"):
        sign(PAYLOAD, KIND, [tmp_path / "key.pem"])
