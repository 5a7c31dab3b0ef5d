"""The command line, `edge-ttsd`: one short function per command."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from pathlib import Path

from edge_tts import __version__
from edge_tts.app.appliance import loudspeaker_for
from edge_tts.app.daemon import run
from edge_tts.app.stop_guard import leave_held_process
from edge_tts.audio.chime import prelude
from edge_tts.audio.loudspeaker_thread import LoudspeakerThread
from edge_tts.audio.provenance import RecentContents
from edge_tts.audio.sound_files import SoundSink
from edge_tts.audio.sound_stream import check_writable, whole_sound
from edge_tts.cli import inspect as cli_inspect
from edge_tts.cli import pronunciations as cli_lexicon
from edge_tts.cli import voices as cli_voices
from edge_tts.cli.audit import add_audit
from edge_tts.cli.local_caller import LocalCaller
from edge_tts.cli.prerender import add_prerender
from edge_tts.cli.releases import add_releases
from edge_tts.config import AudioConfig, Config, find_config
from edge_tts.doctor.examine import diagnose
from edge_tts.doctor.report import as_json, as_text
from edge_tts.doctor.speed import SpeedPage, as_speed_json, as_table, measure_speed
from edge_tts.durable.lock import HeldError, held_alone
from edge_tts.engine.tensorrt.build import Progress
from edge_tts.errors import AudioError, EdgeTTSError, ModelError, PayloadError, TextError
from edge_tts.fleet.device_overlay import device_overlay
from edge_tts.front_doors.content_rules import ContentRules
from edge_tts.front_doors.payloads import read_text
from edge_tts.model_folder import CPU_FLAVOUR, INT8_FLAVOUR, MANIFEST
from edge_tts.model_sets.activation import activate, open_loader
from edge_tts.model_sets.flavour import FlavourCache, make_in_child, optimized
from edge_tts.model_sets.loading import (
    as_chosen,
    front_end_for,
    generator_for,
    open_choice,
    open_lexicon,
    open_model,
    open_networks,
)
from edge_tts.model_sets.manifest import find_model_set, installed_model_sets, verify_model_set
from edge_tts.model_sets.proving import prove
from edge_tts.request import SpeakMessage, SpeakRequest
from edge_tts.runtime.log_lines import log_to_stderr
from edge_tts.runtime.runtime import random_id
from edge_tts.runtime.telemetry import TelemetryReader
from edge_tts.schema import check, readable_json
from edge_tts.speaking.content_command import ContentCommand
from edge_tts.speaking.cue import Cue
from edge_tts.text.front_end import TextFrontEnd
from edge_tts.text.reader import Reader
from edge_tts.text.show import show_json, show_stream, show_table
from edge_tts.text.symbols import to_ids
from edge_tts.values import ModelSet, Segment
from edge_tts.voices.local_voices import first_voice, open_voices

_NOT_OPTIONS = {"text", "id", "priority", "ttl_s", "volume", "volume_level", "cache", "dedupe_s", "start_at"} | {
    "deliver",
    "play",
    "format",
}
"""Keys of a request without an option: they mean nothing without queue, phrase cache and results."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status: 1 for an EdgeTTSError, which is printed as one line; 130 after Ctrl-C, 141 when nobody reads
    the output any more."""
    try:
        return _run(argv)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        with suppress(OSError, AttributeError):  # the interpreter flushes once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(argv: Sequence[str] | None) -> int:
    try:
        _keep_stderr()
        arguments = _parser().parse_args(argv)
        config = find_config(arguments.config)
        log_to_stderr(config.log, sys.stderr)
        overlay = device_overlay(arguments.config, config)
        if arguments.command is command_run:  # has its own signals, and keeps configured and chosen set apart
            return run(config, overlay)
        config = config if overlay is None else overlay.config()
        with _unwinding_signals():
            return int(arguments.command(arguments, as_chosen(config, open_choice(config))))
    except EdgeTTSError as error:
        print(f"edge-ttsd: {error}", file=sys.stderr)
        return 1
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def _keep_stderr() -> None:
    """Give Python's stderr a descriptor of its own: sounddevice points number 2 at /dev/null while PortAudio starts,
    for ever over a frozen sound server."""
    if sys.stderr is not None and sys.stderr is sys.__stderr__:
        sys.stderr = open(os.dup(2), "w", buffering=1, errors="backslashreplace")  # noqa: SIM115 - as long as the process


@contextmanager
def _unwinding_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block like Ctrl-C does, so that nothing half written is left."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    try:
        for number in numbers:
            signal.signal(number, leave)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def command_run(arguments: argparse.Namespace, config: Config) -> int:
    return run(config)


def command_say(arguments: argparse.Namespace, config: Config) -> int:
    """Speak one text without a broker, through the same Synthesizer.stream as the daemon."""
    _speak(_message(arguments, config), config, arguments.out)
    return 0


def _speak(message: SpeakMessage, config: Config, out: str | None) -> None:
    """On what `audio.output` names, or into the file `out`."""
    if out == "":
        raise AudioError("say: --out names no file, it is empty")
    if out:
        check_writable(Path(out))
    else:
        _check_output(config)
    model = open_model(config)
    catalogue = open_voices(config, model).catalogue
    voice = catalogue.load(catalogue.resolve(message.voice or first_voice(config, model, catalogue)))
    request, caller = SpeakRequest.accept(message, id=random_id(), voice=voice.id), LocalCaller(config, catalogue)
    caller.check(request)
    command = ContentCommand(config.content, text_chars=config.limits.text_chars)
    request = command.judge(request, lambda: False, caller="cli")
    began, samples, first_s = time.monotonic(), 0, None
    with open_networks(model, config) as synthesizer:
        loaded = time.monotonic()
        cue, content = Cue(config.marking), generator_for(config, model).content(request.id, voice.id)
        with _sink(out, model.sample_rate, config, RecentContents(content)) as sink:
            chunks = cue.before(request, voice, lambda said: synthesizer.stream(said, voice, lambda: False))
            for chunk in caller.counted(request, _content_rules(config).characters(request), chunks):
                first_s = first_s or time.monotonic() - loaded
                sink.write(chunk.samples)
                for warning in chunk.warnings:
                    _print_warning(warning)
                samples += len(chunk.samples)
            sink.drain()
    spoken_s = samples / model.sample_rate
    print(f"{spoken_s:.2f} s of speech; loaded in {loaded - began:.2f} s, first sound after {first_s or 0:.2f} s")
    for name, value in chunk.guard.details().items():
        print(f"{name}: {value}")
    if out:
        print(out)


def _message(arguments: argparse.Namespace, config: Config) -> SpeakMessage:
    """Raises RequestError for what MQTT would refuse."""
    options = {name: value for name, value in vars(arguments).items() if name in SpeakMessage.model_fields}
    values = {name: value for name, value in options.items() if value is not None}
    if arguments.text == "-":
        values["text"] = _standard_input(config.limits.payload_bytes)
    message = check(SpeakMessage, values, error=PayloadError, what="say", strict=False)
    ContentRules.of(config, open_lexicon(config).lexicon).check(message)
    return message


def _content_rules(config: Config) -> ContentRules:
    return ContentRules(config.limits.text_chars, config.text.refuse)


def _standard_input(most_bytes: int) -> str:
    """Raises PayloadError."""
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise PayloadError(f"say: more than {most_bytes} bytes come in; limits.payload_bytes is {most_bytes}")
    return read_text(data, what="say")


def _sink(
    out: str | None, sample_rate: int, config: Config, contents: RecentContents
) -> AbstractContextManager[SoundSink]:
    """A file, written atomically, or what the daemon plays on."""
    if out:
        return whole_sound(Path(out), sample_rate=sample_rate, contents=contents)
    return _loudspeaker(sample_rate, config.audio, contents)


def _check_output(config: Config) -> None:
    """Raises AudioError where nothing is played here, or where the daemon's file would be begun anew."""
    if config.audio.output == "none":
        raise AudioError("this device plays nothing (audio.output: none); write a file with --out FILE")
    if config.audio.output == "file":
        try:
            with held_alone(config.state_dir / "daemon.lock"):
                pass
        except HeldError as daemon:
            raise AudioError(
                f"{config.audio.file} belongs to the daemon (pid {daemon}), which writes it; name another with --out"
            ) from daemon
        except OSError:
            pass  # no daemon ever had this state_dir


@contextmanager
def _loudspeaker(sample_rate: int, audio: AudioConfig, contents: RecentContents) -> Iterator[SoundSink]:
    """As the daemon opens it after a pause. Raises AudioError, also for a driver that does not return."""
    loudspeaker = LoudspeakerThread(loudspeaker_for(audio, contents), sample_rate)
    try:
        loudspeaker.open()
        with closing(loudspeaker):
            loudspeaker.write(prelude(audio, sample_rate))
            yield loudspeaker
    finally:
        if loudspeaker.is_alive:
            atexit.register(leave_held_process, 1)  # after PortAudio's own, so before it runs


def command_phonemes(arguments: argparse.Namespace, config: Config) -> int:
    """Print the normalized text, its phonemes and their ids."""
    with ExitStack() as stack:
        front_end = front_end_for(config, stack)
        try:
            model = find_model_set(config.models.dir, config.models.name)
        except ModelError:  # this command needs none
            return _show_phonemes(arguments, front_end, join=True)
        reader = Reader(home=_home_language(config, model), warn=_print_warning)
        return _show_phonemes(arguments, front_end.read_by(reader), join=model.join_sentences)


def _home_language(config: Config, model: ModelSet) -> str:
    """Of the voice that speaks where none is named, or the set's first."""
    language = model.languages[0]
    with suppress(EdgeTTSError):
        catalogue = open_voices(config, model).catalogue
        voice = first_voice(config, model, catalogue)
        language = next(card.language for card in catalogue.cards() if card.id == voice)
    return language if language in model.languages else model.languages[0]


def _print_warning(warning: str) -> None:
    print(f"edge-ttsd: warning: {warning}", file=sys.stderr)


def _show_phonemes(arguments: argparse.Namespace, front_end: TextFrontEnd, *, join: bool) -> int:
    if arguments.explain and (arguments.jsonl or arguments.normalized):
        raise TextError("--explain tells how one written text is read; leave out --jsonl and --normalized")
    if arguments.jsonl:
        for line in show_stream(front_end, sys.stdin, normalized=arguments.normalized):
            print(line, flush=True)
        return 0
    if arguments.normalized:
        runs = front_end.runs(arguments.text, arguments.language, normalized=True)
        segments = [Segment(arguments.text, runs, to_ids(p for run in runs for p in run.phonemes))]
    else:
        segments = front_end.segments(
            arguments.text, arguments.language, split=arguments.split, ssml=arguments.ssml, join=join
        )
    if not segments and not arguments.json:
        print(f"nothing to say: {front_end.explain_empty(arguments.text)}")
        return 0
    explain = front_end.explain if arguments.explain else None
    print(show_json(segments, explain) if arguments.json else show_table(segments, explain))
    return 0


def command_models_list(arguments: argparse.Namespace, config: Config) -> int:
    """Print the installed model sets, the current one marked."""
    for name in installed_model_sets(config.models.dir):
        print(f"{'*' if name == config.models.name else ' '} {name}")
    return 0


def command_models_show(arguments: argparse.Namespace, config: Config) -> int:
    model = find_model_set(config.models.dir, arguments.name or config.models.name)
    print(readable_json(json.loads((model.directory / MANIFEST).read_bytes())))
    return 0


def command_models_verify(arguments: argparse.Namespace, config: Config) -> int:
    """Raises ModelError for a file that differs from the manifest."""
    model = find_model_set(config.models.dir, arguments.name or config.models.name)
    verify_model_set(model)
    print(f"{model.name}: {len(model.files)} files are as the manifest says")
    return 0


def command_models_optimize(arguments: argparse.Namespace, config: Config) -> int:
    """Make a set's graphs for processors, whether some are there or not. Raises ModelError."""
    model = find_model_set(config.models.dir, arguments.name or config.models.name)
    verify_model_set(model)
    if model.precision != "fp32":
        raise ModelError(f"{model.name} is a set in {model.precision}, for GPUs; convert it with --precision fp32")
    kind = INT8_FLAVOUR if config.engine.flavour == INT8_FLAVOUR and model.eight_bits else CPU_FLAVOUR
    make_in_child(model, config.engine, kind)
    flavour = FlavourCache(config.engine.cache_dir, kind).find(model)
    if flavour is None:
        raise ModelError(f"{model.name}: what was made in {config.engine.cache_dir} is gone")
    print(f"{model.name}: graphs for this processor are in {flavour.folder}")
    for graph, verdict in flavour.verdicts.items():
        used = f"{verdict.ms:.1f} ms of computing, plain {verdict.plain_ms:.1f} ms" if verdict.agrees else "not used"
        print(f"{graph:12} {used}: {verdict.reason}")
    return 0


def command_doctor(arguments: argparse.Namespace, config: Config) -> int:
    """Status 1 when something is broken. With `bench`: only the page of figures."""

    def progress(phase: str, step: int, of: int) -> None:
        print(f"\r{phase[:60]:60} {step:5}/{of:<5}", end="", file=sys.stderr, flush=True)

    if arguments.bench:
        page = _speed_page(config, progress)
        print(as_speed_json(page) if arguments.json else as_table(page))
        return 0
    diagnosis = diagnose(
        config, speak=not arguments.quick, open_engines=lambda config: open_loader(config.engine, progress=progress)
    )
    print(as_json(diagnosis) if arguments.json else as_text(diagnosis))
    return 1 if diagnosis.broken else 0


def _speed_page(config: Config, progress: Progress) -> SpeedPage:
    model = find_model_set(config.models.dir, config.models.name)
    verify_model_set(model)
    prove(model, config.engine)
    with open_loader(config.engine, progress=progress) as loader, TelemetryReader() as reader:
        activate(model, loader)
        return measure_speed(optimized(model, config.engine, loader), loader, reader.read)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-ttsd",
        description="A line of text arrives over MQTT, and the room hears it in a voice its owner enrolled.",
        epilog="Every key of the configuration is explained in config.yaml, the MQTT topics in docs/mqtt.md.",
    )
    parser.add_argument("--version", action="version", version=f"edge-ttsd {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_say(commands)
    add_prerender(commands, _add)
    add_releases(commands, _add)
    _add_phonemes(commands)
    cli_inspect.add_parser(commands, _add)
    add_audit(commands, _add)
    cli_lexicon.add_parsers(commands, _add, _speak)
    cli_voices.add_parsers(commands, _add)
    _add_models(commands)
    _add_doctor(commands)
    return parser


_Commands = argparse._SubParsersAction  # argparse offers no public name for what add_subparsers returns


def _add(
    commands: _Commands[argparse.ArgumentParser], name: str, *, says: str, more: str = ""
) -> argparse.ArgumentParser:
    """A command with `-c`; `says` is its help in the list of commands."""
    parser = commands.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}. {more}")
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration (default: ./config.yaml, then /etc/edge-tts/config.yaml, then each key's own default)",
    )
    return parser


def _add_run(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "run",
        says="be the daemon: listen on MQTT and speak",
        more="Serves until SIGTERM or Ctrl-C. A broker that is away is waited for. Tells systemd when it is ready "
        "(Type=notify) and feeds its watchdog while all parts make progress.",
    )
    parser.set_defaults(command=command_run)


def _add_say(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "say",
        says="speak one text, without a broker",
        more="Example: edge-ttsd say 'The kettle has boiled.' --out kettle.wav",
    )
    parser.add_argument("text", help="what to say; - reads it from standard input")
    for name, field in SpeakMessage.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        if name in _NOT_OPTIONS:
            continue
        if field.annotation is bool:
            parser.add_argument(option, action="store_true", help=field.description)
        else:
            unset = "" if field.default is None else f" (default: {field.default})"
            parser.add_argument(option, metavar="X", help=f"{field.description}{unset}")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--out", metavar="FILE", help="write FILE.wav, .flac, .ogg, .mp3 or .opus instead of playing")
    where.add_argument(
        "--play", action="store_true", help="play on what audio.output names (what happens without --out)"
    )
    parser.set_defaults(command=command_say)


def _add_phonemes(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "phonemes",
        says="show how a text would be said, to mend a name",
        more="Example: edge-ttsd phonemes 'Dinner with Aoife' --language en. `edge-ttsd lexicon add` mends a word.",
    )
    parser.add_argument("text", nargs="?", default="", help="what would be said")
    parser.add_argument(
        "--language", default="auto", type=str.casefold, help="language option of the text (default: auto)"
    )
    parser.add_argument(
        "--split", default="auto", type=str.casefold, help="how the text is cut: auto, cut0 ... cut5 (default: auto)"
    )
    parser.add_argument("--ssml", action="store_true", help="the text is SSML")
    parser.add_argument("--normalized", action="store_true", help="the text is in its spoken form already")
    parser.add_argument(
        "--explain", action="store_true", help="tell which rule or dictionary gave each reading, and how to change it"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--jsonl", action="store_true", help="answer lines {id, text, lang} from stdin in JSON")
    parser.set_defaults(command=command_phonemes)


def _add_models(commands: _Commands[argparse.ArgumentParser]) -> None:
    group = commands.add_parser("models", help="list, show, verify or optimize model sets").add_subparsers(
        required=True, metavar="COMMAND"
    )
    parser = _add(group, "list", says="print the installed model sets; * marks the one that speaks")
    parser.set_defaults(command=command_models_list)
    for name, says, command in (
        ("show", "print the manifest of a model set", command_models_show),
        ("verify", "compare every file of a model set with its manifest", command_models_verify),
        ("optimize", "make the graphs of a model set for this device's processor", command_models_optimize),
    ):
        parser = _add(group, name, says=says)
        parser.add_argument("name", nargs="?", help="model set; the one that speaks if absent")
        parser.set_defaults(command=command)


def _add_doctor(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands,
        "doctor",
        says="find out what is wrong, and what to do about it",
        more="Looks at platform, versions, sound, broker, disk, model set and the device's state, then runs golden "
        "phrases through the networks and, on a Jetson, compares its TensorRT engines with ONNX Runtime: one that "
        "disagrees is not used. Exit status 1 when something is broken.",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--quick", action="store_true", help="leave out networks and golden phrases")
    parser.add_argument(
        "--bench",
        action="store_true",
        help="only measure: ms per token, first audio, real-time factor, power, heat and clocks, as a table (Markdown)",
    )
    parser.set_defaults(command=command_doctor)
