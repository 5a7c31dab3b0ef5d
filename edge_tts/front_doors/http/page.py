"""The owner's page: one file, and a policy by which nothing else runs in it."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from edge_tts.front_doors.http.answers import Answer

_FILE = Path(__file__).with_name("page.html")


def page() -> Answer:
    """The page itself needs no token: what it shows it asks for."""
    text = _FILE.read_text(encoding="utf-8")
    script, style = (_hash(text, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "cache-control": "no-cache", "referrer-policy": "no-referrer"}
    return Answer(200, text.encode(), "text/html; charset=utf-8", headers)


def _hash(text: str, tag: str) -> str:
    [inline] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
