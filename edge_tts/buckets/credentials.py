"""The bucket's credentials, and messages without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge_tts.errors import TransportError

_NAMES: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "AWS_ACCESS_KEY_ID": "access_key_id",
        "AWS_SECRET_ACCESS_KEY": "secret_access_key",
        "AWS_SESSION_TOKEN": "session_token",
    },
    "gs": {
        "GOOGLE_SERVICE_ACCOUNT_KEY": "service_account_key",
        "GOOGLE_APPLICATION_CREDENTIALS": "application_credentials",
    },
    "az": {
        "AZURE_STORAGE_ACCOUNT_NAME": "account_name",
        "AZURE_STORAGE_ACCOUNT_KEY": "account_key",
        "AZURE_STORAGE_SAS_TOKEN": "sas_key",
    },
    "file": {},
}
"""Kind of bucket -> environment variable (lower case: systemd credential) -> obstore's key."""

_REQUIRED = {"s3": ("access_key_id", "secret_access_key"), "az": ("account_name",)}

_ADVICE = {
    "RequestTimeTooSkewed": "the clock of this device is wrong; set it (timedatectl set-ntp true). ",
    "InvalidAccessKeyId": "the bucket does not know these credentials. ",
    "SignatureDoesNotMatch": "the bucket does not accept these credentials. ",
    "AuthenticationFailed": "the bucket does not accept these credentials. ",
    "AuthorizationFailure": "the bucket does not accept these credentials. ",
    "AccessDenied": "these credentials may not use the bucket. ",
    "AuthorizationPermissionMismatch": "these credentials may not do this. ",
    "NoSuchBucket": "there is no such bucket. ",
    "ContainerNotFound": "there is no such bucket. ",
}


@dataclass(frozen=True, slots=True)
class Secrets:
    """Credentials that never show in a repr or a message."""

    values: Mapping[str, str] = field(repr=False)

    def explain(self, text: str) -> str:
        """An error message of obstore in one line, in the service's words, without secrets."""
        text = text.split("\n\nDebug source", 1)[0]
        code, message = (re.search(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("Code", "Message"))
        if code is not None:
            text = f"{code[1]}: {message[1] if message else ''}"
        for secret in sorted(filter(None, self.values.values()), key=len, reverse=True):
            text = text.replace(secret, "***")
        text = re.sub(r"(?i)\b(sig|signature|token|credential)=[^&\s]+", r"\1=***", text)
        return _ADVICE.get(code[1] if code else "", "") + " ".join(text.split())[:500]


def read_secrets(kind: str, environ: Mapping[str, str]) -> Secrets:
    """Credentials for a kind of bucket (s3, gs, az, file): files in $CREDENTIALS_DIRECTORY (systemd.exec(5)), else
    environment variables. Raises TransportError."""
    folder = environ.get("CREDENTIALS_DIRECTORY")
    values: dict[str, str] = {}
    for variable, name in _NAMES[kind].items():
        path = Path(folder) / variable.lower() if folder else None
        value = environ.get(variable, "")
        try:
            if path is not None and path.is_file():
                value = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise TransportError(f"the credential {variable.lower()} cannot be read") from None
        value = value.strip()  # e.g. a file with CRLF line ends
        if not (value.isprintable() or value.startswith("{")):  # a key in JSON has several lines
            raise TransportError(f"{variable}: holds a character that is in no credential; copy it anew")
        if value:
            values[name] = value
    missing = not values or any(name not in values for name in _REQUIRED.get(kind, ()))
    if missing and _NAMES[kind]:
        names = ", ".join(_NAMES[kind])
        raise TransportError(f"no credentials for the {kind}:// bucket: set {names}, or systemd credentials so called")
    return Secrets(values)
