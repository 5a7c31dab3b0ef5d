"""A bucket of a service and the way to it, as the configuration and the environment of a device have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from fakes import WAIT_S
from flaky_proxy import FlakyProxy

from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import read_secrets
from edge_tts.config import load_config
from edge_tts.voices.local_voices import open_store, voice_sync
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.voice_sync import VoiceSync

SERVICES = ("s3", "gs", "az with a key", "az with a SAS")


@dataclass(frozen=True, slots=True)
class Cloud:
    """One empty bucket, reached through a proxy that counts."""

    url: str
    endpoint: str
    login: dict[str, str]
    """Environment variables."""
    proxy: FlakyProxy
    drop: Callable[[], None]
    """Take the bucket away, which must be empty."""

    def open(self) -> Bucket:
        """The bucket."""
        place = Place(self.url, endpoint=self.endpoint, timeout_s=WAIT_S, retry_s=0.0)
        return Bucket(place=place, secrets=read_secrets(place.kind, self.login))

    def device(self, folder: Path) -> tuple[VoiceStore, VoiceSync]:
        """A device's voices and how they are synced, wired from a configuration file as the daemon does it.

        The credentials are looked for in this process's environment.
        """
        folder.mkdir()
        bucket = {"url": self.url, "endpoint": self.endpoint, "timeout_s": WAIT_S}
        text = yaml.safe_dump({"device": folder.name, "voices": {"dir": "voices"}, "bucket": bucket})
        (folder / "config.yaml").write_text(text)
        config = load_config(folder / "config.yaml")
        store = open_store(config)
        store.recover()
        sync = voice_sync(config, store)
        assert sync is not None
        return store, sync
