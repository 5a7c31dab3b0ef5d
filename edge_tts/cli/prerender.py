"""The command that fills the phrase cache: what is said later begins at once."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from edge_tts.cli.local_caller import LocalCaller
from edge_tts.config import Config
from edge_tts.durable.folders import make_folder, other_owner
from edge_tts.errors import ConfigError, EdgeTTSError, PayloadError, TextError, one_line
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.payloads import parse_say
from edge_tts.model_sets.loading import open_lexicon, open_model, open_networks
from edge_tts.request import SpeakRequest
from edge_tts.runtime.runtime import random_id
from edge_tts.speaking.phrase_cache import LONGEST_S, PhraseCache, open_phrase_cache
from edge_tts.speaking.settings import SettingsFile
from edge_tts.synthesis.networks import Networks
from edge_tts.values import AudioChunk, Voice
from edge_tts.voices.local_voices import first_voice, open_voices

AddParser = Callable[..., argparse.ArgumentParser]


class _Prerenderer:
    """Renders what is not kept yet; the networks are loaded when there is something."""

    def __init__(self, config: Config, stack: ExitStack) -> None:
        self._config, self._stack = config, stack
        self._model = open_model(config)
        self._catalogue = open_voices(config, self._model).catalogue
        phrases = open_phrase_cache(config, self._model, lexicon=open_lexicon(config).lexicon, voices=self._existing)
        if phrases is None:
            raise ConfigError("cache.max_mb is 0, so nothing is kept: set how many megabytes the phrase cache may take")
        self._phrases: PhraseCache = phrases
        self._files: set[Path] = set()
        _check_account(config.cache.dir)

    @cached_property
    def _networks(self) -> Networks:
        return self._stack.enter_context(open_networks(self._model, self._config))

    @cached_property
    def _content(self) -> ContentRules:
        return ContentRules.of(self._config, open_lexicon(self._config).lexicon)

    @cached_property
    def _default_voice(self) -> str:
        """As the daemon has it: set over MQTT, else configured."""
        voice = SettingsFile(self._config.state_dir / "settings.json").settings.voice
        if voice in self._catalogue.own_ids():
            return str(voice)
        return first_voice(self._config, self._model, self._catalogue)

    def _existing(self) -> frozenset[str]:
        self._catalogue.refresh()  # somebody may have deleted a voice meanwhile
        return self._catalogue.existing()

    def prepare(self, line: bytes) -> Generator[None, None, str]:
        """Yields after each chunk, so that several are decoded side by side. Returns what became of the text: kept, or
        kept before. Raises EdgeTTSError that says why not."""
        message = parse_say(line)
        self._content.check(message)
        if not message.cache:
            raise PayloadError("`cache` is false, which keeps the text out of the phrase cache")
        voice = self._catalogue.load(self._catalogue.resolve(message.voice or self._default_voice))
        request = SpeakRequest.accept(message, id=random_id(), voice=voice.id)
        LocalCaller(self._config, self._catalogue).check(request)
        cached = False
        for chunk in self._phrases.speak(request, voice, lambda: self._render(request, voice)):
            cached = chunk.cached
            yield
        path = self._phrases.path(request, voice)
        if not path.is_file():
            raise TextError(
                f"not kept: it is longer than {LONGEST_S:g} s, was not spoken without a fault, or there is no room"
            )
        self._files.add(path)
        return "kept before" if cached else "kept"

    def pushed_out(self) -> int:
        """How many of the prepared texts had to make room for later ones."""
        return sum(not path.is_file() for path in self._files)

    def _render(self, request: SpeakRequest, voice: Voice) -> Iterator[AudioChunk]:
        return self._networks.stream(request, voice)


def command_prerender(arguments: argparse.Namespace, config: Config) -> int:
    """Render every line and keep it. Status 1 when one of them is not kept; the others are all the same."""
    lines, rendering = deque(_lines(arguments.file)), deque[tuple[int, bytes, Generator[None, None, str]]]()
    failed = 0
    with ExitStack() as stack:
        prerenderer = _Prerenderer(config, stack)
        while lines or rendering:
            while lines and len(rendering) < config.engine.rows:
                number, line = lines.popleft()
                rendering.append((number, line, prerenderer.prepare(line)))
            number, line, work = rendering.popleft()
            try:
                next(work)
                rendering.append((number, line, work))
            except StopIteration as done:
                print(f"{done.value:12} {one_line(line.decode(), most=100)}", flush=True)
            except EdgeTTSError as error:
                failed += 1
                print(f"edge-ttsd: {arguments.file}:{number}: {error}", file=sys.stderr)
        pushed_out = prerenderer.pushed_out()
    if pushed_out:
        print(f"edge-ttsd: {pushed_out} had to make room for later ones; raise cache.max_mb", file=sys.stderr)
    return 1 if failed or pushed_out else 0


def _lines(file: Path) -> list[tuple[int, bytes]]:
    """Number and content of each line that is neither empty nor a comment. Raises ConfigError."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from error
    lines = [(number, line.strip()) for number, line in enumerate(data.splitlines(), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith(b"#")]


def _check_account(folder: Path) -> None:
    """Raises ConfigError where the daemon could not read what this account writes."""
    try:
        account = other_owner(make_folder(folder))
    except OSError as error:
        raise ConfigError(f"cache.dir: {folder} cannot be written ({error.strerror})") from error
    if account is not None:
        raise ConfigError(f"{folder} belongs to the account {account}: sudo -u {account} edge-ttsd prerender ...")


def add_prerender(commands: Any, add: AddParser) -> None:
    parser = add(
        commands,
        "prerender",
        says="render texts for the phrase cache, so that they begin at once when they are asked for",
        more="Each line of FILE is a text, or a JSON object as for `say` over MQTT; empty lines and those that begin "
        "with # are left out. What is kept already costs nothing, so it may be run every day. Needs cache.max_mb.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the texts, one a line")
    parser.set_defaults(command=command_prerender)
