"""A network of a model repository on ONNX Runtime in Triton's Python back end, for servers that lack the ONNX one.

Needs numpy and onnxruntime in Triton's Python. All requests that Triton hands over at once are one run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Its interface is given by Triton."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        folder = Path(args["model_repository"]) / args["model_version"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=onnxruntime.get_available_providers()
        )
        self._batches = config["max_batch_size"] > 0
        self._inputs = [port["name"] for port in config["input"]]
        self._outputs = [port["name"] for port in config["output"]]

    def execute(self, requests: list[Any]) -> list[Any]:
        feeds = [
            {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
            for request in requests
        ]
        if not self._batches:
            return [self._response(self._session.run(self._outputs, one)) for one in feeds]
        rows = [len(one[self._inputs[0]]) for one in feeds]
        joined = {name: np.concatenate([one[name] for one in feeds]) for name in self._inputs}
        results = self._session.run(self._outputs, joined)
        parts = [np.split(values, np.cumsum(rows)[:-1]) for values in results]
        return [self._response([part[index] for part in parts]) for index in range(len(requests))]

    def _response(self, values: list[Any]) -> Any:
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor(name, np.ascontiguousarray(value))
                for name, value in zip(self._outputs, values, strict=True)
            ]
        )
