"""A stand-in for the BERT graph: token ids in, 1024 numbers per token out."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_bert(path: Path) -> None:
    """token_ids int64 [1, n] -> hidden float32 [1, n, 1024]: a table of sines."""
    table = np.sin(np.arange(5000 * 1024, dtype=np.float32)).reshape(5000, 1024)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "token_ids"], ["hidden"])],
        "bert",
        [helper.make_tensor_value_info("token_ids", TensorProto.INT64, [1, "n"])],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [1, "n", 1024])],
        [numpy_helper.from_array(table, "table")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
