"""Documents signed with Ed25519, in the envelope of DSSE: cryptography's one home.

The signature is over DSSE's pre-authentication encoding, which holds the document's type, so that a document of one
kind never passes for another (https://github.com/secure-systems-lab/dsse).
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_tts.errors import FleetError, install_hint
from edge_tts.schema import Field, Record, check_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MOST_BYTES = 1 << 20
"""Of an envelope."""
_MOST_SIGNATURES = 16


class _Signature(Record):
    keyid: str = Field(max_length=100)
    """The public key, as in the configuration: a hint."""
    sig: str = Field(max_length=200)


class _Envelope(Record):
    payloadType: str
    payload: str
    signatures: tuple[_Signature, ...] = Field(max_length=_MOST_SIGNATURES)


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count, and how many of them a document needs."""

    keys: tuple[str, ...]
    """Public keys: 32 bytes in base64."""
    signers: int


def require_library() -> None:
    """Raises FleetError where `cryptography` is not installed."""
    try:
        import cryptography  # noqa: F401
    except ImportError:
        raise FleetError(f"signatures need cryptography; {install_hint('fleet')}") from None


def make_key(path: Path) -> str:
    """Write a new private key (PEM, mode 0600); returns the public one. Raises FleetError where `path` is taken."""
    require_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except FileExistsError:
        raise FleetError(f"{path}: is there already; a private key is never written over") from None
    except OSError as refused:
        raise FleetError(f"{path}: cannot be written ({refused.strerror})") from refused
    return _public_text(key)


def sign(payload: bytes, kind: str, key_files: Sequence[Path]) -> bytes:
    """An envelope around `payload`, signed with each key. Raises FleetError."""
    envelope = _Envelope(payloadType=kind, payload=base64.b64encode(payload).decode(), signatures=())
    return _with_signatures(envelope, payload, key_files)


def add_signatures(data: bytes, key_files: Sequence[Path]) -> bytes:
    """The envelope with more signatures. Verify the others first. Raises FleetError."""
    envelope = _opened(data)
    return _with_signatures(envelope, _decoded(envelope.payload), key_files)


def verify(data: bytes, kind: str, trust: Trust, *, most_missing: int = 0) -> bytes:
    """The document inside, once enough of the trusted keys have signed it. Raises FleetError.

    `most_missing`: how many signatures it may lack yet; at least one is there.
    """
    envelope = _opened(data)
    payload = _decoded(envelope.payload)
    if envelope.payloadType != kind:
        raise FleetError(f"is a document of another kind ({envelope.payloadType[:80]}), not {kind}")
    valid = _signed_by(envelope, payload, trust.keys)
    if len(valid) < max(1, trust.signers - most_missing):
        raise FleetError(
            f"has {len(valid)} valid signature(s) of the keys in fleet.public_keys, but needs {trust.signers}"
        )
    return payload


def missing_signatures(data: bytes, trust: Trust) -> int:
    """How many trusted keys have yet to sign. Raises FleetError."""
    envelope = _opened(data)
    return max(0, trust.signers - len(_signed_by(envelope, _decoded(envelope.payload), trust.keys)))


def _signed_by(envelope: _Envelope, payload: bytes, keys: Iterable[str]) -> set[str]:
    """Those of the public keys whose signature is there and valid. Several of one key count once."""
    require_library()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    message, valid = _encoded(envelope.payloadType, payload), set[str]()
    for text in keys:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(text))
        for signature in envelope.signatures:
            if signature.keyid == text:
                try:
                    public.verify(_decoded(signature.sig), message)
                except (InvalidSignature, FleetError):
                    continue
                valid.add(text)
    return valid


def _with_signatures(envelope: _Envelope, payload: bytes, key_files: Sequence[Path]) -> bytes:
    signatures = {one.keyid: one for one in envelope.signatures}
    for path in key_files:
        key = _read_key(path)
        sig = base64.b64encode(key.sign(_encoded(envelope.payloadType, payload))).decode()
        signatures[_public_text(key)] = _Signature(keyid=_public_text(key), sig=sig)
    return envelope.model_copy(update={"signatures": tuple(signatures.values())}).model_dump_json().encode()


def _opened(data: bytes) -> _Envelope:
    """Raises FleetError."""
    if len(data) > MOST_BYTES:
        raise FleetError(f"has more than {MOST_BYTES >> 10} KiB")
    return check_json(_Envelope, data, error=FleetError, what="is no signed document")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise FleetError("is no signed document: its base64 is damaged") from None


def _encoded(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    name = kind.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def _read_key(path: Path) -> Ed25519PrivateKey:
    """Raises FleetError, which quotes nothing of the file."""
    require_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as unreadable:
        raise FleetError(f"{path}: cannot be read ({unreadable.strerror})") from unreadable
    except Exception:  # noqa: BLE001 - of another kind, encrypted, damaged: the library has an exception for each
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise FleetError(f"{path}: is no Ed25519 private key in PEM; `edge-ttsd release key FILE` makes one")
    return key


def _public_text(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
