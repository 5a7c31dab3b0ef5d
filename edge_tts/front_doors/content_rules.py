"""What a text to speak must be, whichever way it comes in."""

from __future__ import annotations

from dataclasses import dataclass

from edge_tts.errors import TextError
from edge_tts.request import SpeakMessage
from edge_tts.text.language_runs import check_option
from edge_tts.text.ssml import parse_ssml


@dataclass(frozen=True, slots=True)
class ContentRules:
    text_chars: int
    refuse: tuple[str, ...] = ()
    """Texts that are never spoken alone, in any case."""

    def check(self, say: SpeakMessage) -> None:
        """Raises TextError."""
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
