"""What a text to speak must be, whichever way it comes in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from edge_tts.config import Config
from edge_tts.errors import TextError
from edge_tts.model_sets.loading import rules_for
from edge_tts.request import SpeakMessage
from edge_tts.text.english.language import English
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.language_runs import check_option
from edge_tts.text.languages import Language
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.ssml import parse_ssml

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContentRules:
    text_chars: int
    refuse: tuple[str, ...] = ()
    """Texts that are never spoken alone, in any case."""
    front_end: TextFrontEnd | None = None
    """Knows the rules of `content.rules`; None: there are none."""

    @classmethod
    def of(cls, config: Config, lexicon: Callable[[], Lexicon]) -> ContentRules:
        """Raises ConfigError for a rule that cannot be used."""
        rules, front_end = rules_for(config), None
        if rules is not None:
            day_first = config.text.dates == "day_first"
            languages: dict[str, Language] = {"en": English(day_first=True)} if day_first else {}
            front_end = TextFrontEnd(lexicon=lexicon, languages=languages, rules=rules)
        return cls(config.limits.text_chars, config.text.refuse, front_end)

    def check(self, say: SpeakMessage, request_id: str = "") -> tuple[str, ...]:
        """The names of the rules that bleep or report something. Raises TextError, and ContentError for a rule that
        refuses."""
        text = say.text.strip()
        if not text:
            raise TextError("the text is empty")
        if len(say.text) > self.text_chars:
            raise TextError(f"the text has {len(say.text)} characters; limits.text_chars is {self.text_chars}")
        if "\0" in text or not _is_utf8(text):
            raise TextError("the text has NUL characters or halves of a character: it was UTF-16, or is no text")
        spoken = self._spoken(say).strip()
        if spoken.casefold() in (word.casefold() for word in self.refuse):
            raise TextError(
                f"the text is only '{spoken}', which programs send when they know nothing: it is not spoken "
                "(text.refuse)"
            )
        check_option(say.language)
        return self._ruled(say, request_id)

    def _ruled(self, say: SpeakMessage, request_id: str) -> tuple[str, ...]:
        if self.front_end is None:
            return ()
        names = self.front_end.check(say.text, say.language, ssml=say.ssml)
        if names:
            log.info("%s meets content.rules: %s", request_id, ", ".join(names), extra={"request": request_id})
        return names

    def characters(self, say: SpeakMessage) -> int:
        """How many count: those that were sent, markup included, or those that are said where they are more."""
        return max(len(say.text), len(self._spoken(say)))

    def _spoken(self, say: SpeakMessage) -> str:
        """The text that is said; that of a document keeps to the limit, too, whatever its elements make of it."""
        if not say.ssml:
            return say.text
        text = " ".join(part.text for part in parse_ssml(say.text, say.language))
        if len(text) > self.text_chars:
            raise TextError(f"SSML: the document says {len(text)} characters; limits.text_chars is {self.text_chars}")
        return text


def _is_utf8(text: str) -> bool:
    """False with lone surrogates, as an argument in another encoding has."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
