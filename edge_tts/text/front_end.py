"""Text to segments: the order of the front end's steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial

import numpy as np

from edge_tts.errors import ContentError, TextError
from edge_tts.text.chunking import chunks
from edge_tts.text.language_runs import check_option, has_words, language_runs, unread_apart
from edge_tts.text.languages import Language, as_heard, explained, load_language
from edge_tts.text.lexicon import Lexicon
from edge_tts.text.machine_text import plain
from edge_tts.text.reader import Reader
from edge_tts.text.scripts import HAN
from edge_tts.text.spoken_rules import Hit, SpokenRules, Stretch
from edge_tts.text.ssml import SpokenPart, parse_ssml
from edge_tts.text.symbols import PUNCTUATION, to_ids
from edge_tts.text.trace import Note
from edge_tts.text.upstream_cuts import CUTS, before, collapse_marks, cut, guard_first_clause, pieces_of
from edge_tts.values import Run, Segment

_LETTERS = re.compile("(?<![A-Za-z])([A-Z]{1,2}|PIN|PNR)[·•-]?$")
_NAMED = re.compile("[2₂](?![0-9.])|[0-9]{2,4}次(?!数)|[0-9]{3,}(?![0-9.])|[是为:：]+[0-9]")
_FEWEST_PHONEMES = 6
"""Below this a full stop is put in front: models do badly on less."""
_AROUND_S = 0.05
"""Silence before and after a tone that stands for a word."""
_FEWEST_BLEEPED = 3
"""Phonemes."""


class TextFrontEnd:
    def __init__(
        self,
        *,
        lexicon: Mapping[str, Mapping[str, str]] | Callable[[], Lexicon] | None = None,
        languages: Mapping[str, Language] | None = None,
        rules: SpokenRules | None = None,
    ) -> None:
        """`lexicon`: language -> word -> phonemes or respelling, before every other rule (see `lexicon`); or what gives
        the lexicon of the moment (`LexiconFile`).

        `languages`: language -> module in place of the built-in one. `rules`: of what may be said. Raises TextError
        for unknown phonemes.
        """
        self._languages = dict(languages or {})
        self._lexicon = lexicon if callable(lexicon) else _fixed(Lexicon(lexicon or {}))
        self._reader = Reader()
        self._rules = rules

    def read_by(self, reader: Reader) -> TextFrontEnd:
        """The same front end, which speaks as `reader` does and shares what is loaded."""
        other = copy(self)
        other._reader = reader
        return other

    def segments(
        self,
        text: str,
        language: str = "auto",
        *,
        split: str = "auto",
        ssml: bool = False,
        join: bool = True,
        ruled: bool = False,
    ) -> list[Segment]:
        """The segments of `text` in order; empty when nothing in it can be spoken.

        `language`: one of `language_runs.OPTIONS`; `split`: `auto` or cut0 to cut5; `join`: whether short sentences may
        share a segment where `auto` cuts (`ModelSet.join_sentences`). Raises TextError for an unknown option, an
        unsupported language and malformed SSML (with line and column).

        `ruled`: a tone stands for what a content rule bleeps; raises ContentError for what one refuses.
        """
        check_option(language)
        if split != "auto" and split not in CUTS:
            raise TextError(f"no way to split called {split!r}; one of auto, {', '.join(CUTS)}")
        segments: list[Segment] = []
        foreign: list[Run] = []
        for part in self._parts(text, language, ssml=ssml, ruled=ruled):
            own = [self._tone(part)] if part.bleeped else self._plain(part, split, join, foreign)
            spoken = [replace(s, rate=part.rate) for s in own]
            segments += spoken
            if segments and part.pause_s is not None:
                segments[-1] = replace(
                    segments[-1], pause_s=(segments[-1].pause_s or 0.0) * (not spoken) + part.pause_s
                )
        self._reader.leave_out(foreign, [run for segment in segments for run in segment.runs])
        return segments

    def check(self, text: str, language: str = "auto", *, ssml: bool = False) -> tuple[str, ...]:
        """The names of the content rules that bleep or report something in `text`. Raises ContentError for what one
        refuses, and TextError for malformed SSML."""
        hits = [hit for found in self._hits(_written(text, language, ssml)) for hit in found]
        return tuple(dict.fromkeys(hit.rule.name for hit in hits))

    def _parts(self, text: str, language: str, *, ssml: bool, ruled: bool) -> list[SpokenPart]:
        written = _written(text, language, ssml)
        if not ruled:
            return written
        found = zip(written, self._hits(written), strict=True)
        return [piece for part, hits in found for piece in _bleeped(part, hits)]

    def _hits(self, parts: Sequence[SpokenPart]) -> list[list[Hit]]:
        """Those in each part, also of what markup has taken apart. Raises ContentError."""
        if self._rules is None:
            return [[] for _ in parts]
        hits = [self._rules.find(part.text, self._stretches(part)) for part in parts]
        if len(parts) > 1:
            whole, at = self._rules.find(" ".join(part.text for part in parts), ()), 0
            for part, own in zip(parts, hits, strict=True):
                end = at + len(part.text)
                own += [hit.within(at, end) for hit in whole if hit.start < end and at < hit.end]
                at = end + 1
        refused = next((hit.rule.name for found in hits for hit in found if hit.rule.action == "refuse"), None)
        if refused is not None:
            raise ContentError(f"the rule '{refused}' of content.rules refuses the text", rule=refused)
        return hits

    def _stretches(self, part: SpokenPart) -> Iterator[Stretch]:
        at = 0
        for name, text in language_runs(part.text, part.language, self._reader.home):
            if name in self._reader.languages or not has_words(text):
                own = name if name in self._reader.languages else self._reader.home
                yield Stretch(at, text, partial(self._normalized, own))
            at += len(text)

    def _normalized(self, language: str, text: str) -> str:
        return as_heard(self._language(language)).normalize(self._lexicon().respell(language, text))

    def _tone(self, part: SpokenPart) -> Segment:
        """A segment without the word, as long as it."""
        home = "zh" if re.search(f"[{HAN}]", part.text) else "en"
        runs, _ = self._runs(part.text, part.language, home if home in self._reader.languages else self._reader.home)
        phonemes = sum(phoneme not in PUNCTUATION for run in runs for phoneme in run.phonemes)
        return Segment("", (), np.zeros(0, np.int64), bleeped=max(phonemes, _FEWEST_BLEEPED))

    def explain_empty(self, text: str) -> str:
        """Why `segments` is empty for `text`."""
        if not text.strip():
            return "the text is empty"
        if not re.search(r"[^\W_]", text):
            return "the text has no letter or digit, only marks, symbols or emoji"
        return "the text has no character that a supported language can read"

    def _plain(self, part: SpokenPart, split: str, join: bool, foreign: list[Run]) -> list[Segment]:
        """The segments of one part; runs that are not spoken are added to `foreign`."""
        mark = "." if part.language == "en" else "。"
        text = guard_first_clause(collapse_marks(part.text), mark)
        if split == "auto":
            pieces = pieces_of("\n".join(piece.strip() for piece in chunks(text, join=join)), mark, join=join)
        else:
            pieces = pieces_of(cut(text, split), mark)
        segments = []
        home = self._first_home(pieces, part.language)
        for piece in pieces:
            runs, unspoken = self._runs(piece, part.language, home)
            foreign += unspoken
            phonemes = [p for run in runs for p in run.phonemes]
            if not PUNCTUATION.issuperset(phonemes):
                segments.append(Segment(piece, runs, to_ids(phonemes)))
                home = runs[-1].language if has_words(piece) else home
        return segments

    def _first_home(self, pieces: Sequence[str], language: str) -> str:
        """The language of numbers in front of every word: that of the first word, or the reader's own."""
        worded = next((piece for piece in pieces if has_words(piece)), "")
        runs = language_runs(worded, language, self._reader.home)
        return next((name for name, _ in runs if name in self._reader.languages), self._reader.home)

    def runs(self, text: str, language: str, *, normalized: bool = False) -> tuple[Run, ...]:
        """The runs of one piece, which is not cut. Raises TextError as `segments` does.

        `normalized`: the text is in its spoken form already.
        """
        check_option(language)
        runs, foreign = self._runs(text, language, self._reader.home, normalized=normalized)
        self._reader.leave_out(foreign, runs)
        return runs

    def _runs(
        self, text: str, language: str, home: str, *, normalized: bool = False
    ) -> tuple[tuple[Run, ...], list[Run]]:
        """The runs that are spoken, and those that are not."""
        runs = self._speak(text, language, home, normalized)
        if sum(len(run.phonemes) for run in runs) < _FEWEST_PHONEMES and not normalized:
            runs = self._speak(before(text, "。" if text[:1].isdigit() else "."), language, home, normalized)
        known = self._reader.languages
        return tuple(r for r in runs if r.phonemes), [r for r in runs if r.language not in known]

    def _speak(self, text: str, language: str, home: str, normalized: bool) -> list[Run]:
        """A run in a language that is not spoken has no phonemes; one without words is read in the home language."""
        text = re.sub(" {2,}", " ", text)
        runs, letters = [], ""
        for name, stretch in unread_apart(language_runs(text, language, home)):
            if name in self._reader.languages or not has_words(stretch):
                own = name if name in self._reader.languages else home
                runs.append(self._run(own, stretch, normalized, letters=letters))
            else:
                runs.append(Run(name, stretch, "", (), None))
            letters = capitals[1] if (capitals := _LETTERS.search(stretch)) else ""
        return runs

    def explain(self, run: Run) -> list[Note]:
        """What gave a run of written text its reading: the owner's words, rules, dictionaries."""
        module = as_heard(self._language(run.language))
        lexicon = self._lexicon()
        own = lexicon.explain(run.language, run.text, run.normalized)
        mended = {note.written.lower() for note in own}
        others = explained(module, lexicon.respell(run.language, run.text), run.normalized)
        return own + [n for n in others if mended.isdisjoint((n.written.lower(), (n.entry or ("",))[0].lower()))]

    def _run(self, language: str, text: str, normalized: bool, *, letters: str) -> Run:
        """`letters`: capitals right before; what they name is no count (`B2层` is B 二层, `PIN是1024` four digits)."""
        module, lexicon = self._language(language), self._lexicon()
        spoken = text
        if not normalized:
            module = as_heard(module)
            letters = letters if _NAMED.match(text) else ""
            spoken = module.normalize(letters + lexicon.respell(language, text)).removeprefix(letters)
        if not spoken.strip():
            return Run(language, text, "", (), None)
        phonemes, word2ph = lexicon.phonemize(language, spoken, module)
        return Run(language, text, spoken, tuple(phonemes), None if word2ph is None else tuple(word2ph))

    def _language(self, name: str) -> Language:
        return self._languages.get(name) or load_language(name)


def _written(text: str, language: str, ssml: bool) -> list[SpokenPart]:
    return parse_ssml(text, language) if ssml else [SpokenPart(plain(text), language)]


def _bleeped(part: SpokenPart, hits: Sequence[Hit]) -> list[SpokenPart]:
    """`part` with parts of their own for what is bleeped."""
    pieces, at = list[SpokenPart](), 0
    for start, end in _merged((hit.start, hit.end) for hit in hits if hit.rule.action == "bleep"):
        before = replace(part, text=part.text[at:start], pause_s=_AROUND_S)
        word = replace(part, text=part.text[start:end], pause_s=_AROUND_S, bleeped=True)
        pieces, at = [*pieces, *([before] if re.search(r"\w", before.text) else []), word], end
    rest = replace(part, text=part.text[at:])
    if not pieces or re.search(r"\w", rest.text):
        return [*pieces, rest]
    return [*pieces[:-1], replace(pieces[-1], pause_s=part.pause_s)]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return merged


def _fixed(lexicon: Lexicon) -> Callable[[], Lexicon]:
    return lambda: lexicon
