"""The trial of a model set beside the current one: `change`'s protocols in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from edge_tts.config import Config
from edge_tts.model_sets.choice import ModelChoice
from edge_tts.model_sets.loading import front_end_for
from edge_tts.model_sets.manifest import find_model_set, installed_model_sets, newest_model_set, verify_model_set
from edge_tts.model_sets.rehearsal import rehearse
from edge_tts.speaking.worker import Work
from edge_tts.synthesis.networks import OnDemandEncoder
from edge_tts.values import ModelSet
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.encoding import encoding
from edge_tts.voices.local_voices import Voices, default_voice, open_voices
from edge_tts.voices.store import EnrolledVoice


class InstalledSets:
    """ModelSets: those of this device; `restart` requests a restart of the process."""

    def __init__(self, *, config: Config, choice: ModelChoice, restart: Callable[[], None]) -> None:
        self.choice = choice
        self._config, self._restart = config, restart

    def installed(self) -> list[str]:
        return installed_model_sets(self._config.models.dir)

    def newest(self) -> str | None:
        failed = self.choice.given_up
        return newest_model_set(self._config.models.dir, but_not=failed.partition(":")[0] if failed else None)

    @contextmanager
    def trial(self, name: str, waiting: Callable[[], None]) -> Iterator[CandidateSet]:
        model = find_model_set(self._config.models.dir, name)
        verify_model_set(model)
        waiting()
        rehearse(model, self._config.engine, waiting=waiting)
        with ExitStack() as stack:
            front_end = front_end_for(self._config, stack)
            threads, lenders = self._config.engine.threads, BuiltinVoices(model).load_all
            encoder = OnDemandEncoder(model=model, front_end=front_end, threads=threads, lenders=lenders)
            yield CandidateSet(config=self._config, model=model, encoder=encoder)

    def restart(self) -> None:
        self._restart()


class CandidateSet:
    """Candidate: a set with its own features of the enrolled voices."""

    def __init__(self, *, config: Config, model: ModelSet, encoder: OnDemandEncoder) -> None:
        self._config, self._model, self._encoder = config, model, encoder
        self._voices: Voices = open_voices(config, model)

    def missing(self) -> list[EnrolledVoice]:
        return self._voices.features.missing()

    def encoding(self, voice: EnrolledVoice) -> Work:
        return encoding(voice, self._voices.features, encoder=self._encoder)

    def check(self) -> None:
        self._voices.catalogue.refresh()
        default_voice(self._config, self._model, self._voices.catalogue)
