"""The commands that mend how a word is said: `lexicon/set`, `lexicon/remove`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edge_tts.errors import AccessError, QueueFullError, TextError
from edge_tts.front_doors.access import Access
from edge_tts.front_doors.message import Message
from edge_tts.front_doors.payloads import parse_lexicon_remove, parse_lexicon_set
from edge_tts.request import SpeakRequest
from edge_tts.runtime.runtime import Runtime
from edge_tts.speaking.job import Job
from edge_tts.speaking.job_queue import JobQueue
from edge_tts.speaking.player import Player
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.lexicon_file import LexiconFile
from edge_tts.text.pronunciation import language_of
from edge_tts.values import Caller, Report

KIND = "lexicon"
"""Of the job that speaks a word back."""


class LexiconCommands:
    """A word is on disk before the message is acknowledged; the next text is read with it."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        lexicon: LexiconFile,
        jobs: JobQueue,
        player: Player,
        access: Access,
        languages: tuple[str, ...],
    ) -> None:
        """`languages`: those of the model set."""
        self._runtime, self._lexicon, self._jobs, self._player = runtime, lexicon, jobs, player
        self._access, self._languages = access, languages
        self._shown: Lexicon | None = None

    def commands(self) -> Mapping[str, Callable[[Message], None]]:
        """Command -> what serves it; each may raise RequestError."""
        return {"lexicon/set": self._set, "lexicon/remove": self._remove}

    def refresh(self) -> None:
        """Publish the retained topic `lexicon` anew when the words have changed, by whomever."""
        lexicon = self._lexicon.lexicon()
        if lexicon is not self._shown:
            self._shown = lexicon
            try:
                value: dict[str, Any] = {"words": self._lexicon.added(), "why": None}
            except TextError as damaged:
                value = {"words": {}, "why": str(damaged)}
            self._runtime.events.retain("lexicon", value)

    def _set(self, message: Message) -> None:
        payload = parse_lexicon_set(message.payload)
        word, language = payload.word.strip(), payload.language or language_of(payload.word)
        read = self._lexicon.add(language, word, payload.pronunciation)
        said = {"read_as": read} if isinstance(read, str) else {"phonemes": " ".join(read)}
        details: dict[str, Any] = {"word": word, "language": language, **said}
        if language not in self._languages:
            details["warning"] = f"the model set speaks {', '.join(self._languages)}, not {language}"
        elif payload.say and (why_not := self._speak(word, language, message.caller)) is not None:
            details["warning"] = why_not
        self._report(message, payload.id, details)

    def _remove(self, message: Message) -> None:
        payload = parse_lexicon_remove(message.payload)
        languages = self._lexicon.remove(payload.word, payload.language)
        self._report(message, payload.id, {"word": payload.word, "language": ", ".join(languages)})

    def _speak(self, word: str, language: str, caller: Caller) -> str | None:
        """Queue the word in the default voice, as its caller's speech; why it could not be."""
        voice = self._runtime.events.state.voice
        request = SpeakRequest(text=word, id=self._runtime.new_id(), voice=voice, language=language)
        job = Job(request, sink=self._player, kind=KIND)
        try:
            self._access.check(caller, request)
            job.meter, _ = self._access.admit(caller, len(word), request.priority)
            self._jobs.submit(job)
        except (AccessError, QueueFullError) as why_not:
            return str(why_not)
        return None

    def _report(self, message: Message, request_id: str | None, details: Mapping[str, Any]) -> None:
        self.refresh()
        report = Report(request_id or self._runtime.new_id(), "done", 0.0, {"kind": message.command, **details})
        self._runtime.events.report(report)
        message.reply(report)
