"""A polyphone model that lies in a folder is loaded, asked and closed; a folder without one is refused."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_tts.config import Config
from edge_tts.errors import ModelError, TextError
from edge_tts.model_sets.loading import front_end_for
from edge_tts.synthesis.g2pw import open_front_end

LABELS = ["ㄏㄤ2", "ㄒㄧㄥ2"]


def write_model(folder: Path) -> None:
    """A graph with g2pW's signature that likes the first label, and the lists that belong to it."""
    ids = ("input_ids", "token_type_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"]) for n in ids]
    inputs += [helper.make_tensor_value_info("phoneme_mask", TensorProto.FLOAT, ["batch", len(LABELS)])]
    inputs += [helper.make_tensor_value_info(n, TensorProto.INT64, ["batch"]) for n in ("char_ids", "position_ids")]
    output = helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["batch", len(LABELS)])
    liked = numpy_helper.from_array(np.array([2.0, 1.0], np.float32), "liked")
    node = helper.make_node("Mul", ["phoneme_mask", "liked"], ["probs"])
    graph = helper.make_graph([node], "tiny", inputs, [output], [liked])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "g2pW.onnx"))
    (folder / "POLYPHONIC_CHARS.txt").write_text("行\tㄒㄧㄥ2\n行\tㄏㄤ2\n", encoding="utf-8")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n行\n人\n", encoding="utf-8")


def test_an_installed_model_decides_polyphones(tmp_path: Path) -> None:
    """With the model in the folder a character is read as the model says, without it as the phrases say."""
    write_model(tmp_path)
    with ExitStack() as stack:
        plain = open_front_end(stack, lexicon={})
        asked = open_front_end(stack, lexicon={}, polyphones=tmp_path)
        assert plain.runs("这样也行啊", "zh")[0].phonemes[6:8] == ("x", "ing2")
        assert asked.runs("这样也行啊", "zh")[0].phonemes[6:8] == ("h", "ang2")


@pytest.mark.parametrize(("order", "said"), [("month_first", "May sixth."), ("day_first", "June fifth.")])
def test_the_configured_order_of_dates_reaches_the_front_end(tmp_path: Path, order: str, said: str) -> None:
    """`text.dates` of the configuration decides how a short date is read."""
    config = Config.model_validate({"text": {"dates": order}, "state_dir": tmp_path})
    with ExitStack() as stack:
        (segment,) = front_end_for(config, stack).segments("05/06", "en")
        assert segment.normalized.strip(" .") == said.strip(".")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """The error names the key, the folder and what is missing; a bad lexicon is refused too."""
    with ExitStack() as stack:
        with pytest.raises(ModelError, match=r"text\.polyphones: .* holds no g2pw\.onnx"):
            open_front_end(stack, lexicon={}, polyphones=tmp_path)
        with pytest.raises(TextError, match="no v2 phoneme"):
            open_front_end(stack, lexicon={"en": {"x": "/QQ/"}})
