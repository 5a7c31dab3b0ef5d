"""The phrase cache: sound that was rendered once, on disk, bounded, the least recently used leaving first.

    DIRECTORY/VOICE/KEY.phrase    BLAKE2b of the rest, a line of JSON (`_Header`), 16-bit samples

VOICE is the hash of a voice's id, KEY of everything that a phrase's sound depends on. A file is whole or absent, and
one that does not match its hash is removed; its time of change is that of its last use. Daemon and command line share
the folder: no lock, since each file is replaced or removed as a whole.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_tts.audio.wave import to_pcm16
from edge_tts.config import Config
from edge_tts.durable.atomic import write_atomic
from edge_tts.durable.folders import make_folder
from edge_tts.errors import EdgeTTSError
from edge_tts.model_folder import MANIFEST
from edge_tts.request import SpeakRequest
from edge_tts.schema import Record, check_json
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.spoken_rules import digest_of
from edge_tts.values import AudioChunk, FloatArray, ModelSet, Voice

log = logging.getLogger(__name__)

LONGEST_S = 60.0
"""A longer one is not kept: reading and checking it would take longer than a hit may."""
_LEFT_FREE = 64 << 20
"""Bytes of the disk that are left to others."""
_SUFFIX = ".phrase"
_FOLDER = re.compile("[0-9a-f]{32}")
_HASH_BYTES = 32
_ABANDONED_S = 3600.0
"""After so long an unfinished file is nobody's any more."""
_SOUND_KEYS = {"text", "language", "speed", "split", "ssml", "fragment_interval"}
"""Keys of a request that its sound depends on, besides voice and sampling."""

Render = Callable[[], Iterator[AudioChunk]]


class _Header(Record):
    key: str
    sample_rate: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    size: int
    used: float


class PhraseCache:
    """Never raises for the disk: what cannot be read is rendered, what cannot be written is not kept."""

    def __init__(
        self,
        *,
        directory: Path,
        max_bytes: int,
        origin: str,
        model: ModelSet,
        lexicon: Callable[[], Lexicon],
        voices: Callable[[], Collection[str]],
    ) -> None:
        """`origin`: what all sound depends on, as `origin_of`. `lexicon`: that of the moment. `voices`: ids of all
        that exist; sound of others is not kept."""
        self._directory, self._max_bytes = directory, max_bytes
        self._origin, self._model, self._lexicon, self._voices = origin, model, lexicon, voices
        self._trouble = ""

    def speak(self, request: SpeakRequest, voice: Voice, render: Render) -> Iterator[AudioChunk]:
        """The chunks of a request: those of an equal one before, else those of `render`, which are kept if they came
        to their end without a fault. A request without a seed is equal to another without one."""
        if not request.cache:
            yield from render()
            return
        path = self.path(request, voice)
        known = self._read(path)
        if known is not None:
            yield from _replayed(*known, request.id)
            return
        kept = _Kept()
        for chunk in render():
            kept.add(chunk)
            yield chunk
        if kept.complete and path == self.path(request, voice):  # else the lexicon changed meanwhile
            self._write(path, kept, voice)

    def path(self, request: SpeakRequest, voice: Voice) -> Path:
        """The file of a request's sound, whether it is there or not."""
        said = request.model_dump(include=_SOUND_KEYS)
        sampling = asdict(request.sampling(self._model.sampling))
        words = [self._origin, self._lexicon().digest, said, sampling, voice.id, voice.language]
        digest = hashlib.blake2b(json.dumps(words, sort_keys=True).encode(), digest_size=_HASH_BYTES)
        for array in (voice.prompt_tokens, voice.prompt_phoneme_ids, voice.prompt_bert, voice.conditioning):
            digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        return self._directory / _folder_name(voice.id) / f"{digest.hexdigest()}{_SUFFIX}"

    def sweep(self) -> None:
        """Remove the sound of voices that do not exist, and what a crash left unfinished."""
        remove_phrases(self._directory, keep=self._voices())
        now = time.time()
        for entry in _entries(self._directory, f".*{_SUFFIX}.*"):
            if now - entry.used > _ABANDONED_S:
                _unlink(entry.path)

    def _read(self, path: Path) -> tuple[_Header, npt.NDArray[np.int16]] | None:
        """None for a file that is not there, or not what was written."""
        try:
            data = path.read_bytes()
        except OSError:
            return None
        line, _, samples = data[_HASH_BYTES:].partition(b"\n")
        try:
            header = check_json(_Header, line, error=EdgeTTSError, what=str(path))
        except EdgeTTSError:
            header = None
        if header is None or data[:_HASH_BYTES] != _hash(data[_HASH_BYTES:]) or header.key != path.stem:
            log.warning("%s is damaged; the phrase is rendered again", path)
            _unlink(path)
            return None
        with suppress(OSError):
            os.utime(path)
        return header, np.frombuffer(samples, "<i2")

    def _write(self, path: Path, kept: _Kept, voice: Voice) -> None:
        header = _Header(key=path.stem, sample_rate=kept.sample_rate, warnings=kept.warnings)
        body = header.model_dump_json().encode() + b"\n" + to_pcm16(kept.samples).tobytes()
        try:
            make_folder(path.parent)
            if not self._make_room(len(body) + _HASH_BYTES):
                return
            write_atomic(path, _hash(body) + body)
            self._trouble = ""
        except OSError as error:
            if self._trouble != str(error.strerror):
                log.warning("phrases are not kept in %s: %s", self._directory, error.strerror)
            self._trouble = str(error.strerror)
        if voice.id not in self._voices():  # deleted meanwhile; asked after the write, so that `sweep` cannot miss it
            self.sweep()

    def _make_room(self, size: int) -> bool:
        """Remove the least recently used until `size` bytes fit; whether they do. Raises OSError."""
        if size > self._max_bytes or shutil.disk_usage(self._directory).free < size + _LEFT_FREE:
            return False
        entries = sorted(_entries(self._directory), key=lambda entry: entry.used)
        excess = sum(entry.size for entry in entries) + size - self._max_bytes
        for entry in entries:
            if excess <= 0:
                break
            _unlink(entry.path)
            excess -= entry.size
        return excess <= 0


class _Kept:
    """Collects the chunks of a request, as long as it is one to keep."""

    def __init__(self) -> None:
        self._pieces: list[FloatArray] = []
        self._count = 0
        self.sample_rate = 0
        self.warnings: tuple[str, ...] = ()
        self.complete = False

    def add(self, chunk: AudioChunk) -> None:
        self.sample_rate, self.warnings = chunk.sample_rate, chunk.warnings
        self._count += len(chunk.samples)
        short = self._count <= LONGEST_S * chunk.sample_rate
        self._pieces = [*self._pieces, chunk.samples] if short else []
        self.complete = chunk.last and short and not chunk.guard.faults

    @property
    def samples(self) -> FloatArray:
        return np.concatenate(self._pieces)


def open_phrase_cache(
    config: Config, model: ModelSet, *, lexicon: Callable[[], Lexicon], voices: Callable[[], Collection[str]]
) -> PhraseCache | None:
    """As configured; None without one."""
    if not config.cache.max_mb:
        return None
    return PhraseCache(
        directory=config.cache.dir,
        max_bytes=config.cache.max_mb << 20,
        origin=origin_of(config, model),
        model=model,
        lexicon=lexicon,
        voices=voices,
    )


def origin_of(config: Config, model: ModelSet) -> str:
    """A hash of what makes the sound: the model set, the program that reads and renders, and how it is configured."""
    program = Path(__file__).resolve().parents[1]
    paths = [path for room in ("text", "synthesis", "audio") for path in sorted((program / room).rglob("*"))]
    digest = hashlib.sha256((model.directory / MANIFEST).read_bytes())
    for path in paths:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(program)}\0".encode() + path.read_bytes())
    text, flavour, loudness = config.text, config.engine.flavour, config.audio.loudness
    rules = digest_of(config.content.rules) if config.content.rules else ""
    digest.update(json.dumps([text.dates, str(text.polyphones), flavour, loudness, rules]).encode())
    return digest.hexdigest()


def remove_phrases(directory: Path, *, keep: Collection[str] = ()) -> None:
    """Remove the sound of all voices but those of the ids `keep`."""
    kept = {_folder_name(voice) for voice in keep}
    for folder in _folders(directory):
        if folder.name not in kept:
            _remove_folder(folder)


def forget_voice(directory: Path, voice_id: str) -> None:
    """Remove the sound of one voice."""
    _remove_folder(directory / _folder_name(voice_id))


def _replayed(header: _Header, samples: npt.NDArray[np.int16], request_id: str) -> Iterator[AudioChunk]:
    """A chunk for each second."""
    for start in range(0, len(samples), header.sample_rate):
        piece = samples[start : start + header.sample_rate].astype(np.float32) / np.float32(32767)
        yield AudioChunk(piece, header.sample_rate, request_id, last=False, cached=True)
    nothing = np.zeros(0, np.float32)
    yield AudioChunk(nothing, header.sample_rate, request_id, last=True, warnings=header.warnings, cached=True)


def _entries(directory: Path, pattern: str = f"*{_SUFFIX}") -> list[_Entry]:
    entries = []
    for folder in _folders(directory):
        for path in _listed(folder, pattern):
            with suppress(OSError):  # removed meanwhile
                status = path.stat()
                entries.append(_Entry(path, status.st_size, status.st_mtime))
    return entries


def _folders(directory: Path) -> list[Path]:
    """Only ours: somebody may have named a folder with other things in it."""
    return [folder for folder in _listed(directory, "*") if _FOLDER.fullmatch(folder.name)]


def _remove_folder(folder: Path) -> None:
    for path in [*_listed(folder, f"*{_SUFFIX}"), *_listed(folder, f".*{_SUFFIX}.*")]:
        _unlink(path)
    with suppress(OSError):  # it is not there, or something else is in it
        folder.rmdir()


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return list(folder.glob(pattern))
    except OSError:
        return []


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s cannot be removed: %s", path, error.strerror)


def _folder_name(voice_id: str) -> str:
    return hashlib.sha256(voice_id.encode()).hexdigest()[:32]


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH_BYTES).digest()
