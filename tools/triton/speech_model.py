"""The model that speaks in a model repository: our text front end and decoder in Triton's Python back end, the rest of
the networks asked of Triton, which batches them over all that speak at once.

Needs this package in Triton's Python. A request is what `say` takes over MQTT; its answer is a stream of responses,
each float32 `samples` [n] and int32 `sample_rate` [1].
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from edge_tts.convert.builder import read_graph
from edge_tts.engine.contract import Array, Buffer, Engine, TensorSpec
from edge_tts.engine.load import EngineLoader
from edge_tts.errors import EdgeTTSError, EngineError
from edge_tts.front_doors.payloads import parse_say
from edge_tts.graphs import ENCODER, FLOW, NOISE_SCALE, WAVE
from edge_tts.model_sets.manifest import read_model_set
from edge_tts.request import SpeakRequest
from edge_tts.synthesis.g2pw import open_front_end
from edge_tts.synthesis.networks import load_networks
from edge_tts.values import AudioChunk
from edge_tts.voices.builtin import BuiltinVoices


class ServedEngine:
    """A network that Triton runs under the graph's name."""

    def __init__(self, path: Path, *, batched: bool) -> None:
        stored = read_graph(path)
        self._name, self._batched = path.stem, batched
        self.inputs = {port.name: TensorSpec(port.name, port.shape, np.dtype(port.dtype)) for port in stored.inputs}
        self.outputs = {port.name: TensorSpec(port.name, port.shape, np.dtype(port.dtype)) for port in stored.outputs}

    def empty(self, spec: TensorSpec) -> Buffer:
        raise EngineError(f"{self._name}: runs elsewhere and has no buffers here")

    def run(self, feeds: Mapping[str, Array | Buffer]) -> dict[str, Array]:
        tensors = [pb_utils.Tensor(name, self._fed(name, np.asarray(value))) for name, value in feeds.items()]
        request = pb_utils.InferenceRequest(
            model_name=self._name, requested_output_names=list(self.outputs), inputs=tensors
        )
        response = request.exec()
        if response.has_error():
            raise EngineError(f"{self._name}: {response.error().message()}")
        return {name: pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in self.outputs}

    def run_keeping(self, feeds: Mapping[str, Array | Buffer], keep: str) -> tuple[dict[str, Array], Buffer]:
        raise EngineError(f"{self._name}: runs elsewhere and keeps nothing here")

    def close(self) -> None: ...

    def _fed(self, name: str, value: Array) -> Array:
        return value[:, None] if self._batched and name == NOISE_SCALE else value


class TritonPythonModel:
    """Its interface is given by Triton."""

    def initialize(self, args: dict[str, str]) -> None:
        parameters = json.loads(args["model_config"])["parameters"]
        batched = parameters["batched"]["string_value"].split()
        self._model = read_model_set(Path(args["model_repository"]) / args["model_version"] / "set")
        self._stack = ExitStack()
        loader = self._stack.enter_context(EngineLoader(threads=int(parameters["threads"]["string_value"])))
        front_end = open_front_end(self._stack, lexicon={})

        def load(path: Path) -> Engine:
            if path.stem in (ENCODER, FLOW, WAVE):
                return ServedEngine(path, batched=path.stem in batched)
            return loader.load(path)

        self._networks = load_networks(self._model, front_end, self._stack, load=load)
        self._voices = BuiltinVoices(self._model)

    def execute(self, requests: list[Any]) -> None:
        for request in requests:
            sender = request.get_response_sender()
            try:
                for chunk in self._speak(request):
                    sender.send(self._response(chunk))
            except EdgeTTSError as error:
                answer = pb_utils.TritonError(f"{type(error).__name__}: {error}")
                sender.send(pb_utils.InferenceResponse([], error=answer))
            finally:
                sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self) -> None:
        self._stack.close()

    def _speak(self, request: Any) -> Iterator[AudioChunk]:
        message = parse_say(pb_utils.get_input_tensor_by_name(request, "request").as_numpy()[0])
        voice = self._voices.load(message.voice or self._model.default_voice or self._voices.ids()[0])
        accepted = SpeakRequest.accept(message, id=message.id or uuid.uuid4().hex, voice=voice.id)
        gone: Callable[[], bool] = request.is_cancelled
        return (chunk for chunk in self._networks.stream(accepted, voice, gone) if len(chunk.samples))

    def _response(self, chunk: AudioChunk) -> Any:
        samples = pb_utils.Tensor("samples", np.ascontiguousarray(chunk.samples, np.float32))
        rate = pb_utils.Tensor("sample_rate", np.array([self._model.sample_rate], np.int32))
        return pb_utils.InferenceResponse([samples, rate])
