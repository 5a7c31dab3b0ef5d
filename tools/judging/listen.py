"""Speak every line of a file, transcribe it, and print the word errors by line and the worst ten.

    tools/listen FILE.txt [-c config.yaml] [--voice NAME] [--seed N]

FILE has one text a line; blank lines and lines that begin with # are skipped. It is spoken as `edge-ttsd say` would:
with the configuration's model set, voice and lexicon. Words are compared as they are read: `7 °C` is right when it is
heard as "seven degrees celsius". A line says what the guard did (segments decoded again, faults that stayed), the end
says it of all. Whisper tiny.en judges; of the worst lines pocketsphinx gives a second opinion.
English only.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_tts.audio.features import resample
from edge_tts.config import Config, find_config
from edge_tts.errors import EdgeTTSError
from edge_tts.model_sets.loading import as_chosen, open_choice, open_model, open_networks
from edge_tts.request import SpeakMessage, SpeakRequest
from edge_tts.synthesis.networks import Networks
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.values import FloatArray, GuardCounts, Voice
from edge_tts.voices.local_voices import first_voice, open_voices
from tools.judging.recognisers import RATE, Pocketsphinx, Recogniser, Whisper, has_pocketsphinx, has_whisper
from tools.starter.edits import distance, words

WORST = 10

Speak = Callable[[str], tuple[FloatArray, GuardCounts]]
"""Text -> float32 samples at `RATE`, and what the guard did. Raises EdgeTTSError for a text that is refused."""


@dataclass(frozen=True, slots=True)
class Line:
    """One text as it was heard."""

    text: str
    wanted: tuple[str, ...]
    """Its words as the front end reads them."""
    heard: str
    errors: int
    wave: FloatArray
    guard: GuardCounts = field(default_factory=GuardCounts)

    @property
    def share(self) -> float:
        return self.errors / max(1, len(self.wanted))

    def __str__(self) -> str:
        acted = f" ({_told(self.guard)})" if self.guard.details() else ""
        seconds = f"{len(self.wave) / RATE:6.2f} s{acted}"
        return f"{self.errors:3d}/{len(self.wanted):<3d} {seconds}  {self.text}  |  {self.heard}"


def main() -> int:
    args = _arguments()
    try:
        texts = read_lines(args.file)
        recogniser = _recogniser()
        config = find_config(args.config)
        lines = _speak_all(texts, as_chosen(config, open_choice(config)), recogniser, args)
    except (EdgeTTSError, OSError, UnicodeDecodeError) as error:
        print(f"listen: {error}", file=sys.stderr)
        return 1
    report(lines, Pocketsphinx() if has_pocketsphinx() and isinstance(recogniser, Whisper) else None)
    return 0


def read_lines(path: Path) -> list[str]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    texts = [line for line in lines if line and not line.startswith("#")]
    if not texts:
        raise EdgeTTSError(f"{path}: holds no text to speak; one text a line is expected")
    return texts


def read_words(front_end: TextFrontEnd, text: str) -> tuple[str, ...]:
    """The words of a text as they are read: numbers and units are words, case and marks are none."""
    return tuple(words(" ".join(segment.normalized for segment in front_end.segments(text, "en"))))


def listen(texts: Sequence[str], speak: Speak, front_end: TextFrontEnd, recogniser: Recogniser) -> Iterator[Line]:
    """A text that is refused counts as heard with no word."""
    for text in texts:
        try:
            (wave, guard), remark = speak(text), ""
        except EdgeTTSError as refused:
            wave, guard, remark = np.zeros(0, np.float32), GuardCounts(), f"({refused})"
        heard = "" if remark else recogniser.hear(wave)
        wanted = read_words(front_end, text)
        yield Line(text, wanted, remark or heard, distance(wanted, read_words(front_end, heard)), wave, guard)


def speaking(networks: Networks, voice: Voice, seed: int) -> Speak:
    """Speaks as `edge-ttsd say` does, with one seed."""

    def speak(text: str) -> tuple[FloatArray, GuardCounts]:
        request = SpeakRequest.accept(SpeakMessage(text=text, seed=seed), id="listen", voice=voice.id)
        chunks = list(networks.stream(request, voice))
        sound = np.concatenate([chunk.samples for chunk in chunks])
        return resample(sound, networks.model.sample_rate, RATE), chunks[-1].guard

    return speak


def report(lines: Sequence[Line], second: Recogniser | None) -> None:
    errors, count = sum(line.errors for line in lines), sum(len(line.wanted) for line in lines)
    print(f"\n{errors} errors in {count} words ({errors / max(1, count):.1%}), {len(lines)} lines")
    guards = [line.guard for line in lines]
    faults = sum((Counter(guard.faults) for guard in guards), Counter[str]())
    retried, segments = sum(guard.retried for guard in guards), sum(guard.segments for guard in guards)
    print(f"guard, of {segments} segments: {_told(GuardCounts(retried=retried, faults=faults))}")
    worst = sorted((line for line in lines if line.errors), key=lambda line: (-line.share, -line.errors))[:WORST]
    print(f"the worst {len(worst)}:" if worst else "no word was heard wrongly")
    for line in worst:
        print(f"{line.share:5.0%}  {line.text}\n       read:  {' '.join(line.wanted)}\n       heard: {line.heard}")
        if second is not None and len(line.wave):
            print(f"       or:    {second.hear(line.wave)}")


def _told(guard: GuardCounts) -> str:
    faults = "".join(f", {fault} {count}" for fault, count in sorted(guard.faults.items()))
    return f"retried {guard.retried}{faults}"


def _speak_all(texts: Sequence[str], config: Config, recogniser: Recogniser, args: argparse.Namespace) -> list[Line]:
    model = open_model(config)
    catalogue = open_voices(config, model).catalogue
    voice = catalogue.load(catalogue.resolve(args.voice or first_voice(config, model, catalogue)))
    lines = []
    with open_networks(model, config) as networks:
        speak = speaking(networks, voice, args.seed)
        for line in listen(texts, speak, networks.front_end, recogniser):
            print(line, flush=True)
            lines.append(line)
    return lines


def _recogniser() -> Recogniser:
    """Raises EdgeTTSError when there is none."""
    if has_whisper():
        return Whisper()
    if has_pocketsphinx():
        print("listen: Whisper is not installed, the weaker pocketsphinx judges alone", file=sys.stderr)
        return Pocketsphinx()
    raise EdgeTTSError("no recogniser is installed: pip install .[listen]")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/listen", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="one text a line")
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help="configuration, as for edge-ttsd")
    parser.add_argument("--voice", help="name or id of a voice (default: the configuration's)")
    parser.add_argument("--seed", type=int, default=1, help="of the speech (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
