"""Enrolled voices for tests: real FLAC files, stores on disk, clocks that tell any time one likes."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from fakes import FakeSynthesizer
from toy_model_sets import CONDITIONING, SIZES

from edge_tts.durable.audit_log import AuditLog
from edge_tts.values import EncodeRequest, Recording, Voice
from edge_tts.voices.feature_store import FeatureStore
from edge_tts.voices.format import Consent, Quality, sha256
from edge_tts.voices.store import EnrolledVoice, NewVoice, VoiceStore


class ToyEncoder(FakeSynthesizer):
    """Encodes voices in the shapes of the toy model set, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Sequence[Recording]] = []

    def encode(self, request: EncodeRequest, should_stop: Callable[[], bool] = lambda: False) -> Voice:
        self.heard.append(request.recordings)
        voice = super().encode(request)
        return replace(
            voice,
            prompt_tokens=np.array([1, 2]),
            prompt_phoneme_ids=np.array([3]),
            prompt_bert=np.zeros((1, SIZES["bert_width"]), np.float32),
            conditioning=np.ones((1, CONDITIONING, 1), np.float32),
        )


def make_features(features: FeatureStore, voice: EnrolledVoice) -> None:
    """Have `voice` speak with the toy model set of `features`."""
    nothing = [Recording(np.zeros(1, np.float32), 16000)]
    features.save(voice, ToyEncoder().encode(EncodeRequest(voice.ref.id, voice.name, "en", "", nothing)))


@functools.cache
def flac(seed: int, seconds: float = 0.2) -> bytes:
    """Noise as a FLAC file, another one for each seed."""
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, int(seconds * 16000))
    file = io.BytesIO()
    soundfile.write(file, noise, 16000, format="FLAC", subtype="PCM_16")
    return file.getvalue()


@functools.cache
def silence(seconds: float, rate: int = 16000, channels: int = 1) -> bytes:
    """Nothing at all as a FLAC file: however much there is of it, it packs to next to nothing."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros((int(seconds * rate), channels), np.int16), rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def voice_from(*recordings: bytes) -> NewVoice:
    """A voice about to be enrolled, of these recordings."""
    new = new_voice()
    assert new.consent is not None
    agreed = new.consent.model_copy(update={"audio_sha256": sha256(recordings[0])})
    return replace(new, recordings=recordings, consent=agreed)


def new_voice(
    seed: int = 1, *, owner: str = "anna", name: str = "Anna", consent: bool = True, takes: int = 1
) -> NewVoice:
    """A voice about to be enrolled."""
    recordings = [flac(seed + 1000 * take) for take in range(takes)]
    statement = f"I agree that this device may speak with my voice. {name}"
    agreed = Consent(
        statement=statement, language="en", audio_sha256=sha256(recordings[0]), time=1_700_000_000, device="kitchen"
    )
    return NewVoice(
        owner=owner,
        name=name,
        language="en",
        transcript=statement,
        recordings=recordings,
        consent=agreed if consent else None,
        quality=Quality(measures={"snr_db": 31.5, "clipped": False}),
    )


def open_store(
    directory: Path,
    *,
    device: str = "kitchen",
    now: float = 1_700_000_000.0,
    consent: bool = True,
    undo_s: float = 600.0,
) -> VoiceStore:
    """A store as the daemon opens it, its clock stopped at `now`."""
    store = VoiceStore(directory=directory, device=device, clock=lambda: now, require_consent=consent, undo_s=undo_s)
    store.recover()
    return store


def contents(store: VoiceStore) -> dict[tuple[str, str], str]:
    """(owner, id) -> name of every voice that is there and whole."""
    return {(voice.ref.owner, voice.ref.id): voice.name for voice in store.stored(thorough=True).voices}


def audit(store: VoiceStore) -> list[str]:
    """The events in the log."""
    return [line["event"] for line in AuditLog(path=store.directory / "audit.log", clock=lambda: 0).lines()]
