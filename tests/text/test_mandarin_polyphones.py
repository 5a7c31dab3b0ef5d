"""The g2pW interface, with a tiny graph of the published signature that judges a character by the one after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_tts.errors import ModelError
from edge_tts.text.mandarin.language import Mandarin
from edge_tts.text.mandarin.polyphones import Features, Network, PolyphoneModel
from edge_tts.text.mandarin.tables import MandarinTables

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "長", "城", "大", "行", "銀", "人", "一"]
POLYPHONIC = ["長\tㄔㄤ2", "長\tㄓㄤ3", "行\tㄒㄧㄥ2", "行\tㄏㄤ2", "一\tㄧ1", "一\tㄧ4"]
LABELS = ["ㄏㄤ2", "ㄒㄧㄥ2", "ㄓㄤ3", "ㄔㄤ2", "ㄧ1", "ㄧ4"]
LIKED = {"城": "ㄔㄤ2", "大": "ㄓㄤ3", "人": "ㄒㄧㄥ2", "[SEP]": "ㄏㄤ2"}


def tiny_graph() -> bytes:
    """Probabilities from the token behind the asked position, among the allowed labels."""
    table = np.zeros((len(VOCABULARY), len(LABELS)), np.float32)
    for token, label in LIKED.items():
        table[VOCABULARY.index(token), LABELS.index(label)] = 5
    nodes = [
        helper.make_node("Add", ["position_ids", "one"], ["next"]),
        helper.make_node("Unsqueeze", ["next", "axis"], ["column"]),
        helper.make_node("GatherElements", ["input_ids", "column"], ["token"], axis=1),
        helper.make_node("Squeeze", ["token", "axis"], ["tokens"]),
        helper.make_node("Gather", ["table", "tokens"], ["liked"]),
        helper.make_node("Sub", ["phoneme_mask", "unit"], ["barred"]),
        helper.make_node("Mul", ["barred", "large"], ["penalty"]),
        helper.make_node("Add", ["liked", "penalty"], ["scores"]),
        helper.make_node("Add", ["attention_mask", "token_type_ids"], ["unused_tokens"]),
        helper.make_node("Identity", ["char_ids"], ["unused_characters"]),
        helper.make_node("Softmax", ["scores"], ["probs"], axis=1),
    ]
    ids = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"])
        for n in ("input_ids", "token_type_ids", "attention_mask")
    ]
    rows = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch"]) for n in ("char_ids", "position_ids")]
    mask = helper.make_tensor_value_info("phoneme_mask", TensorProto.FLOAT, ["batch", len(LABELS)])
    probs = helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["batch", len(LABELS)])
    constants = [
        numpy_helper.from_array(np.array(1, np.int64), "one"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array(1, np.float32), "unit"),
        numpy_helper.from_array(np.array(1e6, np.float32), "large"),
    ]
    graph = helper.make_graph(nodes, "tiny", [*ids, mask, *rows], [probs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="module")
def network() -> Network:
    session = onnxruntime.InferenceSession(tiny_graph(), providers=["CPUExecutionProvider"])

    def run(features: Features) -> npt.NDArray[np.float32]:
        probabilities: npt.NDArray[np.float32] = session.run(["probs"], dict(features))[0]
        return probabilities

    return run


@pytest.fixture(scope="module")
def tables() -> MandarinTables:
    return MandarinTables()


Build = Callable[..., PolyphoneModel]


@pytest.fixture
def build(tmp_path: Path, network: Network, tables: MandarinTables) -> Build:
    """Writes the files of a model and loads it; keywords replace the contents of a file or the network."""

    def make(**changes: object) -> PolyphoneModel:
        files = {"POLYPHONIC_CHARS.txt": "\n".join(POLYPHONIC), "vocab.txt": "\n".join(VOCABULARY)}
        files |= {k: str(v) for k, v in changes.items() if k != "network"}
        for name, content in files.items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        chosen = changes.get("network", network)
        assert callable(chosen)
        return PolyphoneModel(tmp_path, network=chosen, vocabulary=tmp_path / "vocab.txt", tables=tables)

    return make


def test_the_model_reads_a_character_by_its_neighbour(build: Build) -> None:
    """The model gets Taiwanese spelling; each polyphonic character is one row of one batch."""
    model = build()
    assert model("长城") == ["chang2", None]
    assert model("长大的银行") == ["zhang3", None, None, None, "hang2"]
    assert model("行人") == ["xing2", None]


def test_sandhi_keeps_its_own_characters(build: Build) -> None:
    """一 and 不 change by rule later, so the model does not read them."""
    assert build()("一人") == [None, None]


def test_characters_with_one_reading_come_from_the_files(build: Build) -> None:
    """MONOPHONIC_CHARS.txt, where present, needs no network."""
    assert build(**{"MONOPHONIC_CHARS.txt": "人\tㄖㄣ2\n"})("人") == ["ren2"]


def test_a_clause_without_polyphones_runs_nothing(build: Build) -> None:
    """The network does not run without a polyphonic character."""

    def never(features: Features) -> npt.NDArray[np.float32]:
        raise AssertionError("nothing to ask")

    assert build(network=never)("好") == [None]


def test_features_follow_the_published_interface(build: Build) -> None:
    """Names, dtypes and shapes of the six inputs."""
    seen: list[Features] = []

    def record(features: Features) -> npt.NDArray[np.float32]:
        seen.append(features)
        return np.zeros(features["phoneme_mask"].shape, np.float32)

    build(network=record)("长城x行")
    features = seen[0]
    assert {n: (a.dtype.name, a.shape) for n, a in features.items()} == {
        "input_ids": ("int64", (2, 6)),
        "token_type_ids": ("int64", (2, 6)),
        "attention_mask": ("int64", (2, 6)),
        "phoneme_mask": ("float32", (2, 6)),
        "char_ids": ("int64", (2,)),
        "position_ids": ("int64", (2,)),
    }
    assert features["input_ids"].tolist() == [[2, 5, 6, 1, 8, 3]] * 2
    assert features["position_ids"].tolist() == [1, 4]
    assert features["char_ids"].tolist() == [2, 1]
    assert features["phoneme_mask"].tolist() == [[0, 0, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]]


def test_a_long_clause_is_asked_in_windows(build: Build) -> None:
    """No row is longer than the model takes, and the character stays inside its window."""
    widths: list[int] = []

    def record(features: Features) -> npt.NDArray[np.float32]:
        widths.append(features["input_ids"].shape[1])
        rows = np.arange(len(features["position_ids"]))
        assert set(features["input_ids"][rows, features["position_ids"]].tolist()) == {5}
        return np.zeros(features["phoneme_mask"].shape, np.float32)

    assert len(build(network=record)("长" + "好" * 1000 + "长城" * 50)) == 1101
    assert max(widths) <= 512


def test_readings_of_characters_apart(build: Build) -> None:
    """A release may have labels per character, as its config.py says."""
    asked: list[Features] = []

    def second(features: Features) -> npt.NDArray[np.float32]:
        asked.append(features)
        return features["phoneme_mask"] * np.arange(1, 7, dtype=np.float32)

    model = build(network=second, **{"config.py": "use_char_phoneme = True\n"})
    assert model("行") == ["xing2"]
    assert asked[0]["phoneme_mask"].sum() == 2


def test_the_front_end_speaks_what_the_model_chose(build: Build) -> None:
    """The readings arrive in the phonemes."""
    assert Mandarin(polyphones=build()).phonemize("长大")[0][:2] == ("zh", "ang3")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"POLYPHONIC_CHARS.txt": "長 ㄔㄤ2"}, "line 1: expected a character, a tab and a reading"),
        ({"vocab.txt": "長\n"}, r"has no \[CLS\]"),
    ],
)
def test_damaged_files_are_named(build: Build, changes: dict[str, str], complaint: str) -> None:
    """The error says which file is wrong and what would be right."""
    with pytest.raises(ModelError, match=complaint):
        build(**changes)


def test_missing_files_are_named(tmp_path: Path, network: Network, tables: MandarinTables) -> None:
    """A folder without the model's files is refused at once."""
    with pytest.raises(ModelError, match=r"vocab\.txt"):
        PolyphoneModel(tmp_path, network=network, vocabulary=tmp_path / "vocab.txt", tables=tables)


def test_files_of_another_release_are_refused(build: Build) -> None:
    """A network with other labels than the files is no match."""
    model = build(network=lambda features: np.zeros((1, 3), np.float32))
    with pytest.raises(ModelError, match="another release"):
        model("长城")
