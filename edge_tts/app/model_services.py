"""The wiring of model sets: which one speaks, how it is loaded, how another takes over; beside `daemon.py`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge_tts.app.voice_services import Voices, open_voices
from edge_tts.config import Config, TextConfig
from edge_tts.engine.load import Placement
from edge_tts.errors import ConfigError
from edge_tts.model_sets.activation import activate, open_loader
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.manifest import find_model_set, installed_model_sets, verify_model_set
from edge_tts.model_sets.rehearsal import rehearse
from edge_tts.runtime.health import sd_notify
from edge_tts.speaking.internal_jobs import Work
from edge_tts.synthesis.g2pw import open_front_end
from edge_tts.synthesis.networks import Networks, OnDemandEncoder, load_networks
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import ModelSet
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.encoding import encoding
from edge_tts.voices.format import is_voice_id
from edge_tts.voices.store import EnrolledVoice

log = logging.getLogger(__name__)


def open_choice(config: Config) -> ModelChoice:
    """Which model set is to speak: the configured one, or the one that was chosen over MQTT since."""
    return ModelChoice(Path(config.state_dir) / "model.json", configured=config.models.name)


def as_chosen(config: Config, choice: ModelChoice) -> Config:
    """The configuration with the chosen model set in place of the configured one."""
    return config.model_copy(update={"models": config.models.model_copy(update={"name": choice.current})})


def open_model(config: Config) -> ModelSet:
    """The configured model set, its files compared with the manifest unless configured not to. Raises ModelError."""
    model = find_model_set(Path(config.models.dir), config.models.name)
    if config.models.verify:
        verify_model_set(model)
    return model


def default_voice(config: Config, model: ModelSet, catalogue: Catalogue) -> str:
    """The voice that speaks when a request names none. Raises ConfigError when there is no such voice."""
    voice = config.voice or model.default_voice or next(iter(catalogue.ids()), "")
    if voice not in catalogue.ids():
        known = ", ".join(catalogue.ids()) or "none"
        raise ConfigError(f"voice: the model set {model.name} has no voice '{voice}'; it has: {known}")
    return voice


def first_voice(config: Config, model: ModelSet, catalogue: Catalogue) -> str:
    """The voice as configured. An enrolled one that cannot speak (damaged, its disk away, not encoded yet) gives way to
    the model set's own: a box that speaks can be mended. Raises ConfigError for any other that is not there."""
    if config.voice is not None and is_voice_id(config.voice) and config.voice not in catalogue.ids():
        log.error("voice: %s cannot speak now, see `edge-ttsd voices list`; another one does instead", config.voice)
        config = config.model_copy(update={"voice": None})
    return default_voice(config, model, catalogue)


def front_end_for(text: TextConfig, stack: ExitStack) -> TextFrontEnd:
    """The text front end as configured; `stack` closes it. Raises TextError (lexicon) or ModelError (polyphones)."""
    folder = None if text.polyphones is None else Path(text.polyphones)
    return open_front_end(stack, lexicon=text.lexicon, polyphones=folder)


@contextmanager
def open_networks(
    model: ModelSet, config: Config, *, told: Callable[[Iterable[Placement]], None] = lambda choices: None
) -> Iterator[Networks]:
    """The networks of a model set, loaded; they are given back at the end. `told` hears who runs each graph.

    Where TensorRT is used its engines are built first, which may take minutes, and judged before they speak.
    Raises ModelError or TextError (lexicon).
    """
    with ExitStack() as stack:
        loader = stack.enter_context(open_loader(config.engine, waiting=ask_for_patience))
        activate(model, loader)
        front_end, threads = front_end_for(config.text, stack), config.engine.threads
        networks = load_networks(model, front_end, stack, threads=threads, load=loader.load)
        told(loader.choices)
        yield networks


def ask_for_patience() -> None:
    """Tell systemd that a start which takes longer than it expects is still going on."""
    sd_notify("EXTEND_TIMEOUT_USEC=60000000")


class InstalledSets:
    """`Sets` of model_change in earnest; `again` asks for a fresh start."""

    def __init__(self, *, config: Config, choice: ModelChoice, again: Callable[[], None]) -> None:
        self.choice = choice
        self._config, self._again = config, again

    def installed(self) -> list[str]:
        """See Sets."""
        return installed_model_sets(Path(self._config.models.dir))

    @contextmanager
    def on_trial(self, name: str, waiting: Callable[[], None]) -> Iterator[CandidateSet]:
        """See Sets."""
        model = find_model_set(Path(self._config.models.dir), name)
        verify_model_set(model)
        waiting()
        rehearse(model, self._config.engine, waiting=waiting)
        with ExitStack() as stack:
            front_end = front_end_for(self._config.text, stack)
            encoder = OnDemandEncoder(model=model, front_end=front_end, threads=self._config.engine.threads)
            yield CandidateSet(config=self._config, model=model, encoder=encoder)

    def start_again(self) -> None:
        """See Sets."""
        self._again()


class CandidateSet:
    """`Candidate` of model_change in earnest: a set with its own shelf of features."""

    def __init__(self, *, config: Config, model: ModelSet, encoder: OnDemandEncoder) -> None:
        self._config, self._model, self._encoder = config, model, encoder
        self._voices: Voices = open_voices(config, model)

    def missing(self) -> list[EnrolledVoice]:
        """See Candidate."""
        return self._voices.features.missing()

    def encoding(self, voice: EnrolledVoice) -> Work:
        """See Candidate."""
        return encoding(voice, store=self._voices.store, features=self._voices.features, encoder=self._encoder)

    def check(self) -> None:
        """See Candidate."""
        self._voices.catalogue.refresh()
        default_voice(self._config, self._model, self._voices.catalogue)
