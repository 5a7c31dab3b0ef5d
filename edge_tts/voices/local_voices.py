"""Opens store, features, catalogue and sync as configured."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from edge_tts.buckets.bucket import Bucket, Place
from edge_tts.buckets.credentials import read_secrets
from edge_tts.config import Config
from edge_tts.durable.audit_log import open_audit
from edge_tts.errors import ConfigError, VoiceError
from edge_tts.values import ModelSet
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import is_voice_id
from edge_tts.voices.store import VoiceStore
from edge_tts.voices.sync.voice_sync import VoiceSync

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Voices:
    """The voices of this device for one model set."""

    store: VoiceStore
    features: FeatureStore
    catalogue: Catalogue


def open_store(config: Config, *, clock: Callable[[], float] = time.time, caller: str = "") -> VoiceStore:
    """`caller`: on whose behalf voices are changed."""
    return VoiceStore(
        directory=config.voices.dir,
        device=config.device,
        clock=clock,
        require_consent=config.voices.require_consent,
        undo_s=config.voices.undo_s,
        audit=open_audit(config, clock=clock).acting(caller),
    )


def open_voices(
    config: Config, model: ModelSet, *, recover: bool = False, clock: Callable[[], float] = time.time, caller: str = ""
) -> Voices:
    """The voices on the disk. Raises VoiceError. `caller`: as in `open_store`.

    `recover`, for the daemon: clean up after a crash first, and only log disk errors, so that built-in voices work.
    """
    store = open_store(config, clock=clock, caller=caller)
    features = FeatureStore(store=store, model=model)
    catalogue = Catalogue(builtin=BuiltinVoices(model), store=store, features=features)
    if not recover:
        catalogue.refresh()
        return Voices(store, features, catalogue)
    for step in (store.recover, catalogue.refresh):
        try:
            step()
        except VoiceError as error:
            log.warning("the folder of the voices is in trouble: %s", error)
    return Voices(store, features, catalogue)


def bucket_place(config: Config, *, timeout_s: float | None = None) -> Place | None:
    """The configured bucket; None without one."""
    bucket = config.bucket
    if bucket.url is None:
        return None
    return Place(bucket.url, region=bucket.region, endpoint=bucket.endpoint, timeout_s=timeout_s or bucket.timeout_s)


def bucket_opener(config: Config) -> Callable[[Callable[[], bool]], Bucket] | None:
    """Opens the configured bucket, with what to poll during its requests; None without one.

    A new folder is made by the sync alone: an empty one may be the mount point of an unplugged disk.
    """
    place = bucket_place(config)
    if place is None:
        return None

    def open_bucket(abandon: Callable[[], bool]) -> Bucket:
        secrets = read_secrets(place.kind, os.environ)
        return Bucket(place=place, secrets=secrets, abandon=abandon, used_before=True)

    return open_bucket


def voice_sync(config: Config, store: VoiceStore) -> VoiceSync | None:
    """Sync with the configured bucket; None without one."""
    place = bucket_place(config)
    if place is None:
        return None
    return VoiceSync(store=store, place=place, environ=os.environ, clock=time.time, owners=config.bucket.owners)


def default_voice(config: Config, model: ModelSet, catalogue: Catalogue) -> str:
    """The voice of a request that names none. Raises ConfigError when there is no such voice."""
    voice = config.voice or model.default_voice or next(iter(catalogue.own_ids()), "")
    if voice not in catalogue.ids():
        known = ", ".join(catalogue.ids()) or "none"
        raise ConfigError(f"voice: the model set {model.name} has no voice '{voice}'; it has: {known}")
    return voice


def first_voice(config: Config, model: ModelSet, catalogue: Catalogue) -> str:
    """Like `default_voice`, but falls back to the set's own when the configured enrolled voice cannot speak now
    (damaged, disk away, not encoded yet, not shared with this device). Raises ConfigError for any other voice that is
    not there."""
    if config.voice is not None and is_voice_id(config.voice) and config.voice not in catalogue.own_ids():
        log.error("voice: %s cannot speak now, see `edge-ttsd voices list`; another one does instead", config.voice)
        config = config.model_copy(update={"voice": None})
    return default_voice(config, model, catalogue)
