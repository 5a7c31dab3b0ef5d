"""Grammars: templates of sentences with slots to fill."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SLOT = re.compile(r"\{(\w+)\}")
STARTS = frozenset({"sentence", "mixed"})
"""Start symbols of grammars."""


@dataclass(frozen=True)
class Grammar:
    """Rules by name and the start symbols."""

    rules: dict[str, tuple[str, ...]]
    sentences: tuple[str, ...]

    @staticmethod
    def read(path: Path = HERE / "grammar.txt", start: str = "sentence") -> Grammar:
        """Parses `name: choice | choice` lines; `start` is the start symbol. ValueError for a slot without a rule."""
        rules: dict[str, tuple[str, ...]] = {}
        sentences: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            name, _, body = line.partition(":")
            if name == start:
                sentences.append(body.strip())
            elif name not in STARTS:
                rules[name] = tuple(choice.strip() for choice in body.split("|"))
        bodies = [*sentences, *(choice for choices in rules.values() for choice in choices)]
        missing = {slot for body in bodies for slot in SLOT.findall(body)} - rules.keys()
        if missing:
            raise ValueError(f"{path}: no rule for {', '.join(sorted(missing))}")
        return Grammar(rules, tuple(sentences))

    def sentence(self, rng: random.Random) -> str:
        """One random sentence, `a` made `an` where a vowel follows."""
        text = rng.choice(self.sentences)
        while match := SLOT.search(text):
            text = text[: match.start()] + rng.choice(self.rules[match[1]]) + text[match.end() :]
        text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
        return text[0].upper() + text[1:]
