"""Training sentences: grammar templates, package descriptions and words of a lexicon. Knows nothing about sound."""

from __future__ import annotations

import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SLOT = re.compile(r"\{(\w+)\}")
WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
STARTS = frozenset({"sentence", "mixed"})
"""Start symbols of grammars."""
SHORTEST, LONGEST = 4, 15
"""Words of a sentence taken from package descriptions."""


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


def package_texts() -> Iterator[str]:
    """Sentences of the descriptions in apt's package lists; nothing where apt is not there."""
    try:
        listing = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout.decode(
            "utf-8", "replace"
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return
    for paragraph in re.findall(r"^Description(?:-en)?: (.*(?:\n .+)*)", listing, re.M):
        for block in re.split(r"\n \.\n|\n(?=[^ ])", paragraph):
            yield from re.split(r"(?<=[.!?])\s+", " ".join(block.split()))


def plain(sentence: str, known: set[str]) -> str | None:
    """The sentence if it is nothing but known words, commas and one closing mark; else None."""
    body = sentence.rstrip(".!?")
    mark = sentence[len(body) :][:1] or "."
    if not re.fullmatch(r"[A-Za-z' ]+(?:, [A-Za-z' ]+)*", body):
        return None
    words = body.replace(",", "").split()
    if not SHORTEST <= len(words) <= LONGEST or any(word.lower() not in known for word in words):
        return None
    if any(word[1:] != word[1:].lower() for word in words):
        return None
    return body[0].upper() + body[1:] + mark


def salads(counts: Counter[str], rng: random.Random) -> Iterator[str]:
    """Endless sentences of lexicon words, frequent ones more often: rare neighbours of sounds, no sense."""
    words = [word for word, _ in counts.most_common(12000) if len(word) > 2]
    weights = [counts[word] ** 0.4 for word in words]
    while True:
        chosen = rng.choices(words, weights, k=rng.randint(3, 9))
        if len(chosen) > 5:
            chosen[rng.randint(2, 4)] += ","
        yield " ".join(chosen).capitalize() + rng.choice("....?")


def take(source: Iterable[str], count: int, seen: set[str]) -> list[str]:
    """The first `count` sentences of the source that are not in `seen`, which grows."""
    chosen: list[str] = []
    for text in source:
        key = " ".join(WORD.findall(text.lower()))
        if key and key not in seen:
            seen.add(key)
            chosen.append(text)
            if len(chosen) == count:
                break
    return chosen


def build(count: int, lexicon: set[str], held_out: Iterable[str], seed: int) -> list[str]:
    """`count` distinct sentences, none of which is held out: 70 % grammar, 15 % descriptions, 15 % word salads."""
    rng = random.Random(seed)
    grammar = Grammar.read()
    seen = {" ".join(WORD.findall(text.lower())) for text in held_out}
    raw = list(package_texts())
    counts = Counter(word for text in raw for word in WORD.findall(text.lower()) if word in lexicon)
    counts.update({word: 1 for word in lexicon if word.isalpha() and len(word) < 10})
    known = {word for word, number in counts.items() if number >= 20}
    descriptions = [text for text in (plain(sentence, known) for sentence in raw) if text]
    rng.shuffle(descriptions)
    described = take(descriptions, count * 15 // 100, seen)
    mixed = take(salads(counts, rng), count * 15 // 100, seen)
    templates = take(iter(lambda: grammar.sentence(rng), ""), count - len(described) - len(mixed), seen)
    sentences = [*described, *mixed, *templates]
    rng.shuffle(sentences)
    return sentences
