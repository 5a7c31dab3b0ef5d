"""Text to segments: the order of the front end's steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from edge_tts.errors import TextError
from edge_tts.text.chunking import chunks
from edge_tts.text.language_runs import check_option, language_runs, speakable_runs
from edge_tts.text.languages import Language, as_heard, load_language
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.machine_text import plain
from edge_tts.text.ssml import parse_ssml
from edge_tts.text.symbols import PUNCTUATION, to_ids
from edge_tts.text.upstream_cuts import CUTS, before, collapse_marks, cut, guard_first_clause, pieces_of
from edge_tts.values import Run, Segment

_LETTERS = re.compile("(?<![A-Za-z])(?:[A-Z]{1,2}|PIN|PNR)$")
_NAMED = re.compile("[2₂](?![0-9.])|[0-9]{2,4}次(?!数)|[是为:：]+[0-9]")
_FEWEST_PHONEMES = 6
"""Below this a full stop is put in front: models do badly on less."""


class TextFrontEnd:
    def __init__(
        self,
        *,
        lexicon: Mapping[str, Mapping[str, str]] | None = None,
        languages: Mapping[str, Language] | None = None,
    ) -> None:
        """`lexicon`: language -> word -> phonemes or respelling, before every other rule (see `lexicon`).

        `languages`: language -> module in place of the built-in one. Raises TextError for unknown phonemes.
        """
        self._languages = dict(languages or {})
        self._lexicon = Lexicon(lexicon or {})

    def segments(
        self, text: str, language: str = "auto", *, split: str = "auto", ssml: bool = False, join: bool = True
    ) -> list[Segment]:
        """The segments of `text` in order; empty when nothing in it can be spoken.

        `language`: one of `language_runs.OPTIONS`; `split`: `auto` or cut0 to cut5; `join`: whether short sentences may
        share a segment where `auto` cuts (`ModelSet.join_sentences`). Raises TextError for an unknown option, an
        unsupported language and malformed SSML (with line and column).
        """
        check_option(language)
        if split != "auto" and split not in CUTS:
            raise TextError(f"no way to split called {split!r}; one of auto, {', '.join(CUTS)}")
        if not ssml:
            return self._plain(plain(text), language, split, join)
        segments: list[Segment] = []
        for part in parse_ssml(text, language):
            spoken = [replace(s, rate=part.rate) for s in self._plain(part.text, part.language, split, join)]
            segments += spoken
            if segments and part.pause_s is not None:
                segments[-1] = replace(
                    segments[-1], pause_s=(segments[-1].pause_s or 0.0) * (not spoken) + part.pause_s
                )
        return segments

    def explain_empty(self, text: str) -> str:
        """Why `segments` is empty for `text`."""
        if not text.strip():
            return "the text is empty"
        if not re.search(r"[^\W_]", text):
            return "the text has no letter or digit, only marks, symbols or emoji"
        return "the text has no character that a supported language can read"

    def _plain(self, text: str, language: str, split: str, join: bool) -> list[Segment]:
        mark = "." if language == "en" else "。"
        text = guard_first_clause(collapse_marks(text), mark)
        if split == "auto":
            pieces = pieces_of("\n".join(chunks(text, join=join)), mark, join=join)
        else:
            pieces = pieces_of(cut(text, split), mark)
        segments = []
        for piece in pieces:
            runs = self.runs(piece, language)
            phonemes = [p for run in runs for p in run.phonemes]
            if not PUNCTUATION.issuperset(phonemes):
                segments.append(Segment(piece, runs, to_ids(phonemes)))
        return segments

    def runs(self, text: str, language: str, *, normalized: bool = False) -> tuple[Run, ...]:
        """The runs of one piece, which is not cut. Raises TextError as `segments` does.

        `normalized`: the text is in its spoken form already.
        """
        check_option(language)
        runs = self._speak(text, language, normalized)
        if sum(len(run.phonemes) for run in runs) < _FEWEST_PHONEMES and not normalized:
            runs = self._speak(before(text, "."), language, normalized)
        return runs

    def _speak(self, text: str, language: str, normalized: bool) -> tuple[Run, ...]:
        text = re.sub(" {2,}", " ", text)
        runs, letters = [], ""
        for name, stretch in speakable_runs(language_runs(text, language)):
            runs.append(self._run(name, stretch, normalized, letters=letters))
            letters = capitals[0] if (capitals := _LETTERS.search(stretch)) else ""
        return tuple(run for run in runs if run.phonemes)

    def _run(self, language: str, text: str, normalized: bool, *, letters: str) -> Run:
        """`letters`: capitals right before; what they name is no count (`B2层` is B 二层, `PIN是1024` four digits)."""
        module = self._languages.get(language) or load_language(language)
        spoken = text
        if not normalized:
            module = as_heard(module)
            letters = letters if _NAMED.match(text) else ""
            spoken = module.normalize(letters + self._lexicon.respell(language, text)).removeprefix(letters)
        if not spoken.strip():
            return Run(language, text, "", (), None)
        phonemes, word2ph = self._lexicon.phonemize(language, spoken, module)
        return Run(language, text, spoken, tuple(phonemes), None if word2ph is None else tuple(word2ph))
