"""Text to segments: the whole front end as one object. Knows the order of the steps, not their rules."""

from __future__ import annotations

from collections.abc import Mapping

from edge_tts.text.languages import load_language
from edge_tts.text.symbols import to_ids
from edge_tts.values import Run, Segment


class TextFrontEnd:
    """Turns text into `Segment` values."""

    def __init__(self, *, lexicon: Mapping[str, Mapping[str, str]] | None = None) -> None:
        """`lexicon`: language -> word -> phonemes or respelling; overrides everything."""
        self._lexicon = lexicon or {}

    def segments(self, text: str, language: str = "auto", *, split: str = "auto", ssml: bool = False) -> list[Segment]:
        """The segments of `text` in order; empty when nothing in it can be spoken. Raises TextError."""
        text = text.strip()
        if text and text[-1] not in ".!?":
            text += "."
        module = load_language("en" if language == "auto" else language)
        normalized = module.normalize(text)
        phonemes, word2ph = module.phonemize(normalized)
        if not phonemes:
            return []
        aligned = None if word2ph is None else tuple(word2ph)
        run = Run(language, text, normalized, tuple(phonemes), aligned)
        return [Segment(text, (run,), to_ids(phonemes))]
