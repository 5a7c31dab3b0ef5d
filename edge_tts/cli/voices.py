"""The commands about voices: enroll from a file, list, show, share, rename, remove, undelete."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unicodedata import normalize

from edge_tts.app.voice_services import quality_folder
from edge_tts.audio.foreign_sound import decode_file
from edge_tts.cli.forgetting import add_forget
from edge_tts.cli.local_caller import local_caller
from edge_tts.cli.sync import add_carrying, add_sync, last_sync
from edge_tts.config import CALLER_NAME, Config
from edge_tts.enrolment.consent_check import Statement, hear, judge_words, refused_words, unchecked
from edge_tts.enrolment.prompts import consent, explain, prompt_language
from edge_tts.enrolment.requests import AcceptedRecording, Person
from edge_tts.enrolment.voice_writer import VoiceWriter
from edge_tts.errors import AudioError, TextError, VoiceError
from edge_tts.model_sets.loading import open_model, open_networks
from edge_tts.model_sets.manifest import find_model_set
from edge_tts.recordings.quality import Refusal, load_quality_gate
from edge_tts.recordings.reference import Reference, choose_reference
from edge_tts.schema import readable_json
from edge_tts.speaking.phrase_cache import forget_voice
from edge_tts.synthesis.networks import Networks
from edge_tts.values import EncodeRequest, Recording, Voice
from edge_tts.voices.local_voices import Voices, first_voice, open_voices

_SAME_SPEAKER = 0.7
"""Cosine similarity: recordings of one person reach 0.8, those of two stay below 0.65."""

AddParser = Callable[..., argparse.ArgumentParser]


def command_enroll(arguments: argparse.Namespace, config: Config) -> int:
    """Make a voice from recordings: judge, encode, store."""
    person = Person(arguments.name, arguments.language, arguments.owner or config.voices.owner)
    sentence = consent(prompt_language(person.language), person.name)
    agreed = same_words(arguments.text, sentence)
    if not agreed and arguments.consent is None and config.voices.require_consent:
        raise VoiceError(
            f"a voice needs its speaker's consent: let them record the sentence '{sentence}' and give that file with "
            "--consent, or make it the recording itself (voices.require_consent: false takes voices without)"
        )
    model = open_model(config)
    if person.language not in model.languages:
        spoken = ", ".join(model.languages)
        raise VoiceError(f"the model set {model.name} does not speak '{person.language}'; it speaks: {spoken}")
    voices = open_voices(config, model, caller=str(local_caller()))
    voice_writer = VoiceWriter(store=voices.store, features=voices.features, device=config.device, clock=time.time)
    # The consent is in the last recording, else in the reference.
    statement = sentence if agreed or arguments.consent is not None else None
    reference, others = _judge(arguments, quality_folder(config), agreed=agreed)
    packed = [voice_writer.pack(recording) for recording in (*reference.recordings, *others)]
    stated_in = len(packed if arguments.consent else reference.recordings) - 1
    with open_networks(model, config) as networks:
        decoded = [recording for _, recording in packed]
        score = None
        if statement is not None:
            said = Statement(statement, prompt_language(person.language), decoded[stated_in])
            score = _check_words(said, voices.catalogue.any_two(), networks, config)
            _refuse(arguments.consent or arguments.audio, refused_words(score, model.words_limit), arguments)
        features = networks.encode(EncodeRequest("new", person.name, person.language, reference.transcript, decoded))
    accepted = AcceptedRecording(person, reference.transcript, reference.verdict, statement, stated_in, score)
    print(voice_writer.keep(accepted, [audio for audio, _ in packed], features))
    return 0


def _judge(arguments: argparse.Namespace, folder: Path, *, agreed: bool) -> tuple[Reference, list[Recording]]:
    """The reference from the first recording; the other recordings, the consent last. Raises AudioError."""
    with ExitStack() as stack:
        gate = load_quality_gate(folder, stack)
        keep_all = agreed and arguments.consent is None
        reference = choose_reference(gate, decode_file(Path(arguments.audio)), arguments.text, keep_all=keep_all)
        _refuse(arguments.audio, reference.refusals, arguments)
        judged = [(file, gate.judge(decode_file(Path(file)))) for file in arguments.take]
        if arguments.consent is not None:
            judged.append((arguments.consent, gate.judge_whole(decode_file(Path(arguments.consent)))))
        for file, verdict in judged:
            _refuse(file, verdict.refusals, arguments)
        others = [verdict.recording for _, verdict in judged]
        likeness = gate.likeness([*reference.recordings, *others])
        if likeness < _SAME_SPEAKER and not arguments.anyway:
            raise AudioError(
                f"the recordings are of different people (likeness {likeness:.2f}, {_SAME_SPEAKER} is the least)"
            )
    return reference, others


def _check_words(said: Statement, voices: Sequence[Voice], networks: Networks, config: Config) -> float | None:
    """The score of the consent's words; None, with a warning, where they cannot be checked."""
    if not voices:
        return unchecked("no voice can speak the sentence yet")
    try:
        heard = hear(said, voices, networks, lambda: False)
    except TextError as unspeakable:  # a name may be written in any script
        return unchecked(str(unspeakable))
    with ExitStack() as stack:
        return judge_words(heard, load_quality_gate(quality_folder(config), stack).speech, networks.model.words_limit)


def command_list(arguments: argparse.Namespace, config: Config) -> int:
    """Print the voices, the default one marked, with those that are not encoded yet or damaged."""
    model = find_model_set(config.models.dir, config.models.name)
    voices = open_voices(config, model)
    default = first_voice(config, model, voices.catalogue)
    shares = {voice.ref.id: voice.share.names for voice in voices.store.stored().voices}
    for card in voices.catalogue.cards():
        shared = "" if shares.get(card.id) is None else f" ({shared_with(shares[card.id])})"
        print(f"{'*' if card.id == default else ' '} {card.id:32} {card.language:6} {card.name}{shared}")
    for voice in voices.catalogue.unready():
        print(f"  {voice.ref.id:32} {voice.card.language:6} {voice.name} (not encoded for {model.name} yet)")
    for ref, problem in voices.catalogue.damaged():
        print(f"  {ref.id:32} {'':6} damaged, cannot be used: {problem}")
    for one in voices.catalogue.deleting():
        until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.until))
        print(f"  {one.ref.id:32} {'':6} {one.name} (deleted; until {until} `edge-ttsd voices undelete` undoes that)")
    if config.bucket.url and (voices.store.stored().voices or voices.store.tombstones()):
        print(last_sync(config, voices.store, now=time.time()))
    return 0


def command_show(arguments: argparse.Namespace, config: Config) -> int:
    """Print what is known of an enrolled voice, the consent included."""
    voices = _voices(config)
    voice = voices.store.find(arguments.voice)
    shown: dict[str, Any] = {"id": voice.ref.id, "owner": voice.ref.owner, "name": voice.name}
    shown["shared"] = shared_with(voice.share.names)
    shown["card"] = voice.card.model_dump(mode="json")
    for name in ("consent.json", "quality.json"):
        there = name in voice.card.files
        shown[name.removesuffix(".json")] = json.loads(voices.store.read(voice, name)) if there else None
    print(readable_json(shown))
    return 0


def command_rename(arguments: argparse.Namespace, config: Config) -> int:
    voices = _voices(config)
    print(voices.store.rename(voices.store.find(arguments.voice).ref, arguments.name).name)
    return 0


def command_share(arguments: argparse.Namespace, config: Config) -> int:
    """Say who may use an enrolled voice. Raises VoiceError for what is no name."""
    store = _voices(config).store
    voice = store.share(store.find(arguments.voice).ref, _whom([*arguments.whom, *vars(arguments)["with"]]))
    print(f"{voice.name}: {shared_with(voice.share.names)}; a running daemon notices within seconds")
    return 0


def _whom(words: Sequence[str]) -> list[str] | None:
    """None: everybody. Raises VoiceError."""
    names = [name.casefold() for word in words for name in word.split(",") if name]
    if names in (["everybody"], ["nobody"]):
        return None if names == ["everybody"] else []
    odd = [name for name in names if name in ("everybody", "nobody") or not re.fullmatch(CALLER_NAME, name)]
    if odd or not names:
        raise VoiceError(
            f"{', '.join(map(repr, odd)) or 'nothing'} is not whom to share with: give everybody, nobody, or names of "
            "devices and callers, as in kitchen,shop"
        )
    return names


def shared_with(names: Sequence[str] | None) -> str:
    """In words."""
    if names is None:
        return "shared with everybody"
    return f"shared with {', '.join(names)}" if names else "shared with nobody"


def command_remove(arguments: argparse.Namespace, config: Config) -> int:
    """Delete an enrolled voice here now, everywhere at the next sync."""
    voices = _voices(config)
    ref = voices.store.find_deletable(arguments.voice)
    voices.store.delete(ref)
    forget_voice(config.cache.dir, ref.id)
    print(f"deleted {arguments.voice} ({ref.id}); a running daemon notices within seconds")
    return 0


def command_undelete(arguments: argparse.Namespace, config: Config) -> int:
    """Undo a deletion that came over MQTT."""
    store = _voices(config).store
    ref = store.find_pending(arguments.voice)
    store.undelete(ref)
    print(f"{arguments.voice} ({ref.id}) is back; a running daemon notices within seconds")
    return 0


def add_parsers(commands: Any, add: AddParser) -> None:
    """The parsers of these commands; `add` makes one with the common options."""
    _add_enroll(commands, add)
    add_sync(commands, add)
    group = commands.add_parser("voices", help="list, show, share, rename, remove or bring back voices")
    group = group.add_subparsers(required=True, metavar="COMMAND")
    add_carrying(group, add)
    add_forget(group, add)
    parser = add(group, "list", says="print the voices that can speak; * marks the default")
    parser.set_defaults(command=command_list)
    parser = add(
        group,
        "share",
        says="say who may have an enrolled voice speak",
        more="Example: edge-ttsd voices share Anna --with kitchen,shop (or everybody, or nobody). A name is a device's "
        "(anybody there may) or a caller's (on any device). It goes with the voice through the bucket.",
    )
    parser.add_argument("voice", help="its id (6 digits will do) or its name")
    parser.add_argument("whom", nargs="*", metavar="WHOM", help="everybody, nobody, or names of devices and callers")
    parser.add_argument("--with", nargs="+", default=[], metavar="WHOM", help="the same")
    parser.set_defaults(command=command_share)
    for name, says, command in (
        ("show", "print what is known of an enrolled voice", command_show),
        ("rename", "call an enrolled voice something else", command_rename),
        ("remove", "delete an enrolled voice for good", command_remove),
        ("undelete", "bring back a voice that was deleted over MQTT less than voices.undo_s ago", command_undelete),
    ):
        parser = add(group, name, says=says)
        parser.add_argument("voice", help="its id (6 digits will do) or its name")
        if name == "rename":
            parser.add_argument("name", help="what it is called from now on")
        parser.set_defaults(command=command)


def same_words(spoken: str, sentence: str) -> bool:
    """Whether two texts differ only in case, spaces and punctuation."""
    return _letters(spoken) == _letters(sentence)


def _add_enroll(commands: Any, add: AddParser) -> None:
    parser = add(
        commands,
        "enroll",
        says="make a voice from a recording",
        more="Example: edge-ttsd enroll --audio anna.wav --name Anna --language en "
        f"--text '{consent('en', 'Anna')}'. Prints the new voice's id.",
    )
    parser.add_argument("--audio", required=True, metavar="FILE", help="3 to 10 s of one person's speech, any format")
    parser.add_argument("--text", required=True, help="what is said in it, word for word")
    parser.add_argument(
        "--language", required=True, type=str.casefold, help="language of the text: zh, en, ja, ko or yue"
    )
    parser.add_argument("--name", required=True, metavar="N", help="what the voice is called")
    parser.add_argument("--owner", help="whose voice it is (default: voices.owner)")
    parser.add_argument("--take", action="append", default=[], metavar="FILE", help="one more recording of this person")
    parser.add_argument("--consent", metavar="FILE", help="the consent sentence, read aloud (unless --text is it)")
    parser.add_argument("--anyway", action="store_true", help="keep a recording that the quality gate refuses")
    parser.set_defaults(command=command_enroll)


def _refuse(file: str, refusals: Sequence[Refusal], arguments: argparse.Namespace) -> None:
    """Raises AudioError for refusals."""
    if refusals and not arguments.anyway:
        reasons = " ".join(explain(refusal, "en") for refusal in refusals)
        raise AudioError(f"{file}: {reasons} (--anyway keeps it all the same)")


def _voices(config: Config) -> Voices:
    model = find_model_set(config.models.dir, config.models.name)
    return open_voices(config, model, caller=str(local_caller()))


def _letters(text: str) -> str:
    return "".join(character for character in normalize("NFC", text).casefold() if character.isalnum())
