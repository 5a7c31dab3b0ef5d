"""Opens the chosen model set and loads its networks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial

from edge_tts import __version__
from edge_tts.audio.provenance import Generator
from edge_tts.config import Config, EngineConfig, read_secret
from edge_tts.durable.audit_log import open_audit
from edge_tts.engine.load import EngineLoader, Placement
from edge_tts.errors import ModelError, TextError, VoiceError
from edge_tts.model_sets.activation import activate, open_loader
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.flavour import needless, optimized, unopened
from edge_tts.model_sets.manifest import find_model_set, read_model_set, verify_model_set
from edge_tts.model_sets.proving import prove
from edge_tts.runtime.health import sd_notify
from edge_tts.synthesis.g2pw import open_front_end
from edge_tts.synthesis.levels import VoiceLevels
from edge_tts.synthesis.networks import Networks, load_networks
from edge_tts.synthesis.remote import Elsewhere, RemoteVoices
from edge_tts.synthesis.remote_first import RemoteFirst
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.lexicon_file import LexiconFile
from edge_tts.text.spoken_rules import SpokenRules
from edge_tts.values import ModelSet
from edge_tts.voices.builtin import BuiltinVoices

log = logging.getLogger(__name__)


def open_choice(config: Config) -> ModelChoice:
    """The configured model set, or the one chosen over MQTT since."""
    audit = open_audit(config, clock=time.time)
    return ModelChoice(config.state_dir / "model.json", configured=config.models.name, audit=audit)


def as_chosen(config: Config, choice: ModelChoice) -> Config:
    """`config` with the chosen model set."""
    return config.model_copy(update={"models": config.models.model_copy(update={"name": choice.current})})


def open_model(config: Config) -> ModelSet:
    """The configured model set, which `open_networks` verifies. Raises ModelError."""
    return find_model_set(config.models.dir, config.models.name)


def unchanged(model: ModelSet) -> ModelSet:
    """`model`, before it is loaded again. Raises ModelError when another one lies in its place by now."""
    if read_model_set(model.directory) != model:
        raise ModelError(
            f"the model set {model.name} was replaced since the start; restart edge-ttsd to use the new one"
        )
    return model


def generator_for(config: Config, model: ModelSet) -> Generator:
    """What reports and files say of what makes their sound."""
    return Generator(
        device=config.device,
        model_set=f"{model.name} {model.version}",
        version=__version__,
        producer=config.marking.producer,
    )


def open_lexicon(config: Config) -> LexiconFile:
    """The words of the configuration and those that were added since. Raises TextError for a wrong configured one."""
    return LexiconFile(config.state_dir / "lexicon.json", config.text.lexicon)


def front_end_for(config: Config, stack: ExitStack) -> TextFrontEnd:
    """The configured front end; `stack` closes it. Raises TextError (lexicon) or ModelError (polyphones)."""
    text = config.text
    return open_front_end(
        stack,
        lexicon=open_lexicon(config).lexicon,
        polyphones=text.polyphones,
        day_first=text.dates == "day_first",
        rules=rules_for(config),
    )


def rules_for(config: Config) -> SpokenRules | None:
    """None where there are none. Raises ConfigError."""
    return SpokenRules(config.content.rules) if config.content.rules else None


@contextmanager
def open_networks(
    model: ModelSet,
    config: Config,
    *,
    on_placed: Callable[[Iterable[Placement]], None] = lambda placements: None,
    elsewhere: Elsewhere | None = None,
) -> Iterator[Networks]:
    """Verify a set unless `models.verify` is off, and load its networks.

    `on_placed` receives what runs each graph. Building TensorRT engines may take minutes. `elsewhere` is asked first;
    None: what `remote.url` names, if it is to be.

    Raises ModelError or TextError (lexicon).
    """
    with ExitStack() as stack:
        loader = stack.enter_context(open_loader(config.engine, waiting=extend_start_timeout))
        spared = needless(model, config.engine, loader) if config.models.verify else frozenset[str]()
        if config.models.verify:
            verify_model_set(model, but=spared)
        prove(model, config.engine, polyphones=config.text.polyphones)
        activate(model, loader)
        front_end = front_end_for(config, stack)
        networks = load_fastest(model, front_end, stack, loader, config.engine, spared=spared)
        networks = replace(networks, lenders=BuiltinVoices(model).load_all)
        networks = _levelled(_remote_first(networks, config, elsewhere), config)
        on_placed(loader.choices)
        yield networks


def _remote_first(networks: Networks, config: Config, elsewhere: Elsewhere | None) -> Networks:
    remote = config.remote
    if elsewhere is None and config.engine.execution == "remote" and remote.url is not None:
        token, first_audio_s = read_secret(remote.token_file, key="remote.token_file"), remote.first_audio_ms / 1000
        elsewhere = RemoteVoices(remote.url, networks.model, token=token, first_audio_s=first_audio_s)
    return networks if elsewhere is None else replace(networks, remote=RemoteFirst(networks.synthesizer, elsewhere))


def _levelled(networks: Networks, config: Config) -> Networks:
    """With the first voice measured already, so that the first request does not wait for that."""
    if config.audio.loudness is None:
        return networks
    model = networks.model
    levels = VoiceLevels(model=model, target=config.audio.loudness, file=config.state_dir / "loudness.json")
    first = config.voice or model.default_voice
    if first in model.voices:
        with suppress(VoiceError, TextError):  # told when it is asked for
            levels.gain(BuiltinVoices(model).load(first), networks.synthesizer.stream, lambda: False)
    return replace(networks, levels=levels)


def load_fastest(
    model: ModelSet,
    front_end: TextFrontEnd,
    stack: ExitStack,
    loader: EngineLoader,
    engine: EngineConfig,
    *,
    spared: frozenset[str] = frozenset(),
) -> Networks:
    """Load the graphs made for what `loader` runs on, or where that fails the plain ones, of which those `spared` were
    not verified. Raises ModelError."""
    load = partial(load_networks, threads=engine.threads, load=loader.load, rows=engine.rows)
    fast = optimized(model, engine, loader, waiting=extend_start_timeout)
    if not spared <= unopened(fast):
        verify_model_set(model)
    if fast.replaced:
        with ExitStack() as attempt:
            try:
                networks = load(fast, front_end, attempt)
            except ModelError as error:
                log.warning("%s: the plain graphs run: %s", model.name, error)
                if spared:
                    verify_model_set(model)
            else:
                stack.push(attempt.pop_all())
                return networks
    return load(model, front_end, stack)


def extend_start_timeout() -> None:
    """Ask systemd for 60 s more before it gives up the start."""
    sd_notify("EXTEND_TIMEOUT_USEC=60000000")
