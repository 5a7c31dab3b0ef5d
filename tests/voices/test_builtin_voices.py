"""The voices that come with a model set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_model_sets import CONDITIONING, SIZES, write_manifest, write_model_set, write_voice

from edge_tts.config import config_from
from edge_tts.errors import UnknownVoiceError, VoiceError
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.voices.builtin import BuiltinVoices
from edge_tts.voices.catalogue import Catalogue
from edge_tts.voices.local_voices import open_voices


def voices_in(folder: Path) -> BuiltinVoices:
    """The built-in voices of a set."""
    return BuiltinVoices(read_model_set(folder))


def open_catalogue(folder: Path, model_set: Path) -> Catalogue:
    """Of a set alone."""
    model = read_model_set(model_set)
    config = config_from({"voices": {"dir": "voices"}, "models": {"dir": "."}}, folder=folder)
    return open_voices(config, model).catalogue


def test_a_voice_is_loaded_in_the_types_the_networks_take(tmp_path: Path) -> None:
    """Half-precision features come out as float32, ids as int64."""
    voice = voices_in(write_model_set(tmp_path / "toy")).load("hum")
    assert (voice.id, voice.name, voice.builtin) == ("hum", "Hum", True)
    assert (voice.prompt_bert.dtype, voice.prompt_bert.shape) == (np.float32, (2, SIZES["bert_width"]))
    assert voice.prompt_tokens.dtype == np.int64
    assert voice.conditioning.shape == (1, CONDITIONING, 1)


def test_cards_tell_what_people_see(tmp_path: Path) -> None:
    """Every voice of the manifest has a card."""
    cards = voices_in(write_model_set(tmp_path / "toy", voices=("hum", "buzz"))).cards()
    assert [(card.id, card.name, card.language) for card in cards] == [("hum", "Hum", "en"), ("buzz", "Buzz", "en")]


def test_a_built_in_voice_is_called_by_its_name_too(tmp_path: Path) -> None:
    """What listings show is understood, in any case, unless two voices have the name; ids go first."""
    folder = write_model_set(tmp_path / "toy", voices=("hum", "buzz", "anna", "twin"))
    for voice, name in (("hum", "Sally"), ("buzz", "ANNA"), ("anna", "Bert"), ("twin", "sally ann")):
        card = folder / "voices" / voice / "voice.json"
        card.write_text(json.dumps({**json.loads(card.read_text()), "name": name}))
    (folder / "manifest.json").unlink()
    write_manifest(folder, voices=("hum", "buzz", "anna", "twin"))
    resolve = open_catalogue(tmp_path, folder).resolve
    assert (resolve("sally"), resolve("Bert"), resolve("Anna")) == ("hum", "anna", "anna")
    with pytest.raises(UnknownVoiceError):
        resolve("Sal")


def test_a_name_that_two_have_is_nobodys(tmp_path: Path) -> None:
    """Rather an error than the wrong voice."""
    folder = write_model_set(tmp_path / "toy", voices=("hum", "buzz"))
    for voice in ("hum", "buzz"):
        card = folder / "voices" / voice / "voice.json"
        card.write_text(json.dumps({**json.loads(card.read_text()), "name": "Sally"}))
    (folder / "manifest.json").unlink()
    write_manifest(folder, voices=("hum", "buzz"))
    with pytest.raises(UnknownVoiceError, match="no voice 'Sally'"):
        open_catalogue(tmp_path, folder).resolve("Sally")


def test_absent_bert_features_are_zeros(tmp_path: Path) -> None:
    """Missing BERT features are read as zeros."""
    folder = write_model_set(tmp_path / "toy", voices=())
    write_voice(folder / "voices" / "plain", prompt_bert=None)
    write_manifest(folder, voices=("plain",))
    assert not voices_in(folder).load("plain").prompt_bert.any()


def test_only_the_manifests_voices_are_offered(tmp_path: Path) -> None:
    """A folder that the manifest does not name is no voice, nor is a path; the nearest name is suggested."""
    folder = write_model_set(tmp_path / "toy")
    write_voice(tmp_path / "stranger")
    voices = voices_in(folder)
    with pytest.raises(UnknownVoiceError, match="did you mean 'hum'"):
        voices.load("humm")
    with pytest.raises(UnknownVoiceError):
        voices.load("../../stranger")


class Evil:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was run",))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"conditioning": None}, "conditioning is missing"),
        ({"conditioning": np.ones((1, 9, 1), np.float32)}, r"conditioning is float32 \(1, 9, 1\)"),
        ({"conditioning": np.full((1, CONDITIONING, 1), np.nan, np.float32)}, "not finite"),
        ({"prompt_tokens": np.array([1.5])}, "prompt_tokens is float64"),
        ({"prompt_tokens": np.array([1024])}, "outside 0 to 1023"),
        ({"prompt_bert": np.zeros((3, SIZES["bert_width"]), np.float16)}, r"\(3, 8\); float32 \(2, 8\)"),
        ({"prompt_tokens": np.array([Evil()], dtype=object)}, "not a readable feature file"),
    ],
)
def test_wrong_features_are_refused(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    """Shapes, types and values are checked against the model set, and nothing pickled is run."""
    folder = write_model_set(tmp_path / "toy", voices=())
    write_voice(folder / "voices" / "odd", **changes)
    write_manifest(folder, voices=("odd",))
    with pytest.raises(VoiceError, match=named):
        voices_in(folder).load("odd")


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"text"])
def test_a_damaged_feature_file_is_refused(tmp_path: Path, damage: bytes) -> None:
    """Anything that is not a readable .npz is a VoiceError."""
    folder = write_model_set(tmp_path / "toy")
    voices = voices_in(folder)
    (folder / "voices" / "hum" / "features.npz").write_bytes(damage)
    with pytest.raises(VoiceError, match="not a readable feature file"):
        voices.load("hum")


def test_a_card_must_fit_its_folder(tmp_path: Path) -> None:
    """A card whose id is not the folder's name is refused."""
    folder = write_model_set(tmp_path / "toy")
    path = folder / "voices" / "hum" / "voice.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "id": "other"}))
    write_manifest(folder)
    with pytest.raises(VoiceError, match="the id is 'other'"):
        voices_in(folder).load("hum")
