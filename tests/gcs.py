"""Google's dialect of S3, for tests: what its XML API is asked, put to moto's S3 server. No emulator speaks this API.

So the questions are the library's own, and who asks is checked by the signature of the token; the answers are moto's.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flaky_proxy import FlakyProxy
from s3 import KEY

MAIL = "voices@family.example"
_BEARER = re.compile(rb"(?mi)^authorization: Bearer ([^\r]*)")
_BUCKET = re.compile(rb"(?<= )/[^/? ]+")
_NOT_THERE_YET = re.compile(rb"(?mi)^x-goog-if-generation-match: 0")
_LOGIN = f"Authorization: AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/s3/aws4_request, x=x, x=x".encode()


class ServiceAccount:
    """An account of Google's, with a key that opens the bucket."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def file(self) -> str:
        """The JSON file that Google's console hands out."""
        pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps({"type": "service_account", "client_email": MAIL, "private_key": pem, "private_key_id": "1"})

    def translate(self, head: bytes) -> bytes:
        """A request to Google as one to S3; without a token of this account it becomes one without a bucket."""
        token = _BEARER.search(head)
        if token is None or not self._signed(token[1]):
            return _BUCKET.sub(b"/not-for-you", head, 1)
        head = _BUCKET.sub(lambda name: unquote_to_bytes(name[0]), head, 1)  # moto reads it as it stands
        return _NOT_THERE_YET.sub(b"if-none-match: *", _BEARER.sub(_LOGIN, head))

    def _signed(self, token: bytes) -> bool:
        signed, _, signature = token.rpartition(b".")
        try:
            self._key.public_key().verify(_decoded(signature), signed, padding.PKCS1v15(), SHA256())
            return json.loads(_decoded(signed.split(b".")[1]))["iss"] == MAIL
        except (InvalidSignature, ValueError, KeyError, IndexError):
            return False


def google_proxy(account: ServiceAccount, *, s3_port: int) -> FlakyProxy:
    """An address that is spoken to as one speaks to Google."""
    return FlakyProxy(upstream_port=s3_port, translate=account.translate)


def _decoded(part: bytes) -> bytes:
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
