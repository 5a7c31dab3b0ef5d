"""The commands about the lexicon: add a word and hear it, list, remove."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

from edge_tts.cli.local_caller import local_caller
from edge_tts.config import Config
from edge_tts.durable.audit_log import open_audit
from edge_tts.errors import EdgeTTSError
from edge_tts.model_sets.loading import open_lexicon
from edge_tts.request import SpeakMessage
from edge_tts.text.pronunciation import language_of

AddParser = Callable[..., argparse.ArgumentParser]
Speak = Callable[[SpeakMessage, Config, str | None], None]
"""Speaks in the default voice, on the loudspeaker or into a file."""


def command_add(arguments: argparse.Namespace, config: Config, speak: Speak) -> int:
    """Keep a word, say what it is read as, and speak it. Status 1 when it could only be kept."""
    word, language = arguments.word.strip(), arguments.language or language_of(arguments.word)
    lexicon = open_lexicon(config)
    read = lexicon.add(language, word, arguments.pronunciation)
    _note("lexicon/set", config)
    print(f"{language}  {word}  {read if isinstance(read, str) else ' '.join(read)}  (kept in {lexicon.path})")
    if arguments.no_say:
        return 0
    try:
        speak(SpeakMessage(text=word, language=language), config, arguments.out)
    except EdgeTTSError as error:
        print(f"edge-ttsd: the word is kept, but could not be spoken: {error}", file=sys.stderr)
        return 1
    return 0


def command_list(arguments: argparse.Namespace, config: Config) -> int:
    """Print every word, and where it is from."""
    lexicon = open_lexicon(config)
    added = lexicon.added()
    if arguments.json:
        print(json.dumps({"added": added, "configured": lexicon.configured}, ensure_ascii=False, indent=1))
        return 0
    for origin, words in (("added", added), ("text.lexicon", lexicon.configured)):
        for language, same in sorted(words.items()):
            for word, pronunciation in sorted(same.items()):
                print(f"{language}  {word:24} {pronunciation:32} {origin}")
    return 0


def command_remove(arguments: argparse.Namespace, config: Config) -> int:
    languages = open_lexicon(config).remove(arguments.word, arguments.language)
    _note("lexicon/remove", config)
    print(f"{', '.join(languages)}  {arguments.word}  removed")
    return 0


def _note(event: str, config: Config) -> None:
    open_audit(config, clock=time.time).acting(str(local_caller())).note(event)


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser], add: AddParser, speak: Speak) -> None:
    group = commands.add_parser("lexicon", help="mend how words are said: add, list, remove").add_subparsers(
        required=True, metavar="COMMAND"
    )
    parser = add(
        group,
        "add",
        says="say a word in another way from now on, and speak it once",
        more='Examples: edge-ttsd lexicon add Aoife "EE fa"; ... add 重庆 "chong2 qing4"; ... add Nginx "engine x". '
        "A running daemon takes it up with its next text.",
    )
    parser.add_argument("word", help="as it is written in texts; any case")
    parser.add_argument("pronunciation", help="syllables, pinyin with tone digits, phonemes, or words to read instead")
    _add_language(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--no-say", action="store_true", help="do not speak it")
    where.add_argument("--out", metavar="FILE", help="speak it into FILE.wav, .flac, .ogg, .mp3 or .opus")
    parser.set_defaults(command=lambda arguments, config: command_add(arguments, config, speak))
    parser = add(group, "list", says="print the words and their pronunciations")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(command=command_list)
    parser = add(group, "remove", says="forget a word that was added")
    parser.add_argument("word")
    _add_language(parser)
    parser.set_defaults(command=command_remove)


def _add_language(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language", type=str.casefold, help="en or zh: texts of which language (default: by the word's script)"
    )
