"""BERT features: aligned to characters, only for Mandarin, and handed to the GPT."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_tts.engine.contract import Array, TensorSpec
from edge_tts.errors import ModelError, TextError
from edge_tts.synthesis.bert import BertFeatures, load_bert, read_vocabulary
from edge_tts.values import IntArray, Run, Segment

from .stage import MODEL, VOICE, Stage, request
from .toys import WIDTH, ToyEngine

VOCABULARY = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "你": 3, "好": 4}
SEGMENT = Segment(
    text="你好 ok 龘",
    runs=(
        Run("zh", "你好", "你好", ("n", "i3", "h", "ao3"), (2, 2)),
        Run("en", "ok", "ok", ("OW1", "K"), None),
        Run("zh", "龘", "龘.", ("d", "a2", "."), (2, 1)),
    ),
    phoneme_ids=np.arange(9),
)


def toy_bert() -> ToyEngine:
    """A network whose hidden row says which token it stands for."""

    def compute(token_ids: IntArray) -> dict[str, Array]:
        return {"hidden": np.repeat(token_ids[:, :, None], WIDTH, axis=2).astype(np.float32)}

    ids = TensorSpec("token_ids", (1, "n"), np.dtype(np.int64))
    hidden = TensorSpec("hidden", (1, "n", WIDTH), np.dtype(np.float32))
    return ToyEngine(compute, {"token_ids": ids}, {"hidden": hidden})


def test_a_row_per_character_for_each_of_its_phonemes() -> None:
    """Mandarin characters give their row once per phoneme, unknown ones [UNK]'s; other languages give zeros."""
    engine = toy_bert()
    features = BertFeatures(engine=engine, vocabulary=VOCABULARY, width=WIDTH)(SEGMENT)
    assert features.shape == (9, WIDTH)
    np.testing.assert_array_equal(features[:, 0], [3, 3, 4, 4, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(engine.calls[0]["token_ids"], [[1, 3, 4, 2]])


def test_the_gpt_gets_the_features() -> None:
    """What BERT says of the target follows the reference's own features in the prompt of the GPT."""
    stage = Stage(bert=lambda segment: np.full((len(segment.phoneme_ids), WIDTH), 7, np.float32))
    voice = replace(VOICE, prompt_bert=np.full((3, WIDTH), 5, np.float32))
    list(stage.synthesizer.stream(request("ab"), voice))
    np.testing.assert_array_equal(stage.prefill.calls[0]["bert"][0, :, 0], [5, 5, 5, 7, 7])


def test_a_set_without_vocabulary_has_no_bert(tmp_path: Path) -> None:
    """A graph without its vocabulary cannot be fed: the set speaks with zeros, and nothing is loaded."""
    (tmp_path / "bert.onnx").write_bytes(b"")
    with ExitStack() as stack:
        assert load_bert(replace(MODEL, directory=tmp_path), stack, lambda path: toy_bert()) is None


def test_a_set_with_both_has_bert(tmp_path: Path) -> None:
    """Graph and vocabulary together are loaded, and the ids are the line numbers."""
    (tmp_path / "bert.onnx").write_bytes(b"")
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    assert read_vocabulary(tmp_path / "vocab.txt") == VOCABULARY
    with ExitStack() as stack:
        assert load_bert(replace(MODEL, directory=tmp_path), stack, lambda path: toy_bert()) is not None


def test_a_wrong_vocabulary_is_named(tmp_path: Path) -> None:
    """A file that is no BERT vocabulary is an error that says what it lacks."""
    (tmp_path / "vocab.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"lacks \[CLS\], \[SEP\], \[UNK\]"):
        read_vocabulary(tmp_path / "vocab.txt")


def test_a_run_of_more_characters_than_positions_is_refused() -> None:
    """A run that BERT has no positions for is an error of the text, before the network runs."""
    engine = toy_bert()
    with pytest.raises(TextError, match="2 characters in a row are too many; 1 can be read"):
        BertFeatures(engine=engine, vocabulary=VOCABULARY, width=WIDTH, positions=3)(SEGMENT)
    assert engine.calls == []
